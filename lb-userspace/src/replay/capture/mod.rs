//! Capture files as a stream of frames: pcap (both byte orders, micro- and nanoseconds) and pcapng.
//!
//! Trap: lengths in a file cannot be trusted. A record is read only after its length was checked, so neither a broken
//! nor a hostile file makes this allocate more than [`MAX_RECORD`], and each mismatch is an error with its position.
//! pcap-parser reads a record's contents; it gets exactly one whole record at a time, since with less it could not
//! distinguish a broken record from an incomplete one.

use std::io::Read;

use pcap_parser::{
    Block, LegacyPcapBlock, Linktype, PcapHeader, parse_block_be, parse_block_le, parse_pcap_frame,
    parse_pcap_frame_be, parse_pcap_header,
};

pub use self::error::{Error, Reason};
use self::input::Input;

mod error;
mod input;

/// The longest accepted record: Wireshark's limit for pcapng blocks.
pub const MAX_RECORD: usize = 16 << 20;

/// The longest accepted packet: libpcap's limit (`MAXIMUM_SNAPLEN`).
pub const MAX_PACKET: u32 = 262_144;

/// The maximum number of interfaces.
const MAX_INTERFACES: usize = 65_536;

/// One packet of a capture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// Its number in the capture, starting with 1 as in Wireshark.
    pub number: u64,
    /// The captured bytes, from the Ethernet header on: at most `length`.
    pub bytes: &'a [u8],
    /// The frame's length on the wire; at least the captured length.
    pub length: u32,
}

/// A capture file, read packet by packet; memory does not grow with its size.
#[derive(Debug)]
pub struct Capture<R> {
    input: Input<R>,
    format: Format,
    packets: u64,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap { big_endian: bool },
    Pcapng { big_endian: bool, interfaces: Vec<Interface> },
}

/// An interface that a pcapng file describes.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link_type: i32,
    snap_length: u32,
}

impl<R: Read> Capture<R> {
    /// Starts to read a capture.
    ///
    /// # Errors
    ///
    /// [`Reason::Empty`], [`Reason::Foreign`], [`Reason::Version`], [`Reason::LinkType`]: it is not a capture, or not
    /// one of Ethernet frames.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut input = Input::new(input);
        let format = start(&mut input).map_err(|reason| Error { offset: 0, packet: 1, reason })?;
        Ok(Self { input, format, packets: 0, ended: false })
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    ///
    /// The file ends within a record or is broken. Nothing follows an error.
    #[expect(clippy::should_implement_trait, reason = "a packet lives in the buffer until the next one is read")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        if self.ended {
            return Ok(None);
        }
        // Set in advance, so that an error ends the capture.
        self.ended = true;
        let number = self.packets + 1;
        let found = match &mut self.format {
            Format::Pcap { big_endian } => record(&mut self.input, *big_endian),
            Format::Pcapng { big_endian, interfaces } => packet_block(&mut self.input, big_endian, interfaces),
        };
        let found = found.map_err(|reason| Error { offset: self.input.record, packet: number, reason })?;
        let Some(Found { start, captured, length }) = found else { return Ok(None) };
        self.ended = false;
        self.packets = number;
        let bytes = &self.input.last()[start..start + captured];
        Ok(Some(Frame { number, bytes, length: length.max(captured as u32) }))
    }

    /// How many bytes of the file have been read.
    pub const fn offset(&self) -> u64 {
        self.input.offset
    }
}

/// A packet's position in the record taken last.
struct Found {
    start: usize,
    captured: usize,
    length: u32,
}

impl Found {
    /// `data` is a part of `record`.
    fn new(record: &[u8], data: &[u8], length: u32) -> Result<Self, Reason> {
        if length > MAX_PACKET {
            return Err(Reason::Length { what: "a packet", length: length.into() });
        }
        let start = data.as_ptr().addr() - record.as_ptr().addr();
        Ok(Self { start, captured: data.len(), length })
    }
}

/// Reads the start of a file.
fn start(input: &mut Input<impl Read>) -> Result<Format, Reason> {
    /// The type of a section header block, the same in both byte orders.
    const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
    let magic = match input.peek(4)? {
        [] => return Err(Reason::Empty),
        bytes => <[u8; 4]>::try_from(bytes).map_err(|_| Reason::Foreign(None))?,
    };
    match magic {
        SECTION_HEADER => Ok(Format::Pcapng { big_endian: false, interfaces: Vec::new() }),
        [0xd4, 0xc3, 0xb2, 0xa1] | [0xa1, 0xb2, 0xc3, 0xd4] | [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d] => {
            pcap(input.take("the file's header", PcapHeader::new().size())?)
        }
        magic => Err(Reason::Foreign(packed(magic))),
    }
}

/// The usual compression formats of captures.
const fn packed(magic: [u8; 4]) -> Option<&'static str> {
    match magic {
        [0x1f, 0x8b, ..] => Some("a gzip file"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("a zstd file"),
        [0xfd, b'7', b'z', b'X'] => Some("an xz file"),
        [b'B', b'Z', b'h', _] => Some("a bzip2 file"),
        _ => None,
    }
}

fn pcap(header: &[u8]) -> Result<Format, Reason> {
    /// The other bits of the field describe the frame check sequence.
    const LINK_TYPE: i32 = 0x03ff_ffff;
    let (_, header) = parse_pcap_header(header).map_err(|_| Reason::Foreign(None))?;
    if header.version_major != 2 {
        return Err(Reason::Version(header.version_major, header.version_minor));
    }
    let link_type = header.network.0 & LINK_TYPE;
    ethernet(link_type)?;
    Ok(Format::Pcap { big_endian: header.is_bigendian() })
}

fn ethernet(link_type: i32) -> Result<(), Reason> {
    if Linktype(link_type) == Linktype::ETHERNET { Ok(()) } else { Err(Reason::LinkType(link_type)) }
}

/// The next record of a pcap file: a header of 16 bytes, of which bytes 8 to 11 give the number of bytes that follow.
fn record(input: &mut Input<impl Read>, big_endian: bool) -> Result<Option<Found>, Reason> {
    const HEADER: usize = 16;
    const WHAT: &str = "a packet";
    let head = input.peek(HEADER)?;
    if head.is_empty() {
        return Ok(None);
    }
    let Some(captured) = number(head, 8, big_endian).filter(|_| head.len() == HEADER) else {
        return Err(Reason::Truncated { what: "a packet's header", have: head.len(), need: HEADER });
    };
    if captured > MAX_PACKET {
        return Err(Reason::Length { what: WHAT, length: captured.into() });
    }
    let record = input.take(WHAT, HEADER + captured as usize)?;
    let parsed = if big_endian { parse_pcap_frame_be(record) } else { parse_pcap_frame(record) };
    let Ok((_, LegacyPcapBlock { data, origlen, .. })) = parsed else {
        return Err(Reason::Length { what: WHAT, length: captured.into() });
    };
    Found::new(record, data, origlen).map(Some)
}

/// The next packet of a pcapng file; blocks before it are processed.
fn packet_block(
    input: &mut Input<impl Read>,
    big_endian: &mut bool,
    interfaces: &mut Vec<Interface>,
) -> Result<Option<Found>, Reason> {
    while let Some(head) = head(input, *big_endian)? {
        *big_endian = head.big_endian;
        let block = input.take("a block", head.length)?;
        if !head.is_read() {
            continue;
        }
        let parsed = if *big_endian { parse_block_be(block) } else { parse_block_le(block) };
        let Ok((_, parsed)) = parsed else { return Err(Reason::Block(head.kind)) };
        match parsed {
            Block::SectionHeader(section) if section.major_version != 1 => {
                return Err(Reason::Version(section.major_version, section.minor_version));
            }
            // Each section numbers its interfaces from 0.
            Block::SectionHeader(_) => interfaces.clear(),
            Block::InterfaceDescription(_) if interfaces.len() == MAX_INTERFACES => {
                return Err(Reason::Length { what: "the list of interfaces", length: MAX_INTERFACES as u64 + 1 });
            }
            Block::InterfaceDescription(described) => {
                interfaces.push(Interface { link_type: described.linktype.0, snap_length: described.snaplen });
            }
            Block::EnhancedPacket(packet) => {
                interface(interfaces, packet.if_id)?;
                // Padding to a word follows the packet.
                let data = packet.data.get(..packet.caplen as usize).ok_or(Reason::Block(head.kind))?;
                return Found::new(block, data, packet.origlen).map(Some);
            }
            Block::SimplePacket(packet) => {
                let Interface { snap_length, .. } = interface(interfaces, 0)?;
                let most = if snap_length == 0 { u32::MAX } else { snap_length };
                let captured = packet.origlen.min(most) as usize;
                let data = packet.data.get(..captured).ok_or(Reason::Block(head.kind))?;
                return Found::new(block, data, packet.origlen).map(Some);
            }
            Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::DecryptionSecrets(_)
            | Block::ProcessInformation(_)
            | Block::Custom(_)
            | Block::Unknown(_) => {}
        }
    }
    Ok(None)
}

/// A packet's interface, which must be Ethernet.
fn interface(interfaces: &[Interface], number: u32) -> Result<Interface, Reason> {
    let interface = *interfaces.get(number as usize).ok_or(Reason::Interface(number))?;
    ethernet(interface.link_type).map(|()| interface)
}

/// The start of every pcapng block.
struct Head {
    kind: u32,
    length: usize,
    big_endian: bool,
}

impl Head {
    /// Type and length; in a section header also the byte order of the section.
    const LENGTH: usize = 12;
    const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    const INTERFACE_DESCRIPTION: u32 = 1;
    /// Replaced by enhanced packet blocks in 2009.
    const OBSOLETE_PACKET: u32 = 2;
    const SIMPLE_PACKET: u32 = 3;
    const ENHANCED_PACKET: u32 = 6;

    /// Whether this kind of block is read here.
    const fn is_read(&self) -> bool {
        matches!(
            self.kind,
            Self::SECTION_HEADER | Self::INTERFACE_DESCRIPTION | Self::SIMPLE_PACKET | Self::ENHANCED_PACKET
        )
    }
}

/// `None` at the end of the file.
fn head(input: &mut Input<impl Read>, big_endian: bool) -> Result<Option<Head>, Reason> {
    let head = input.peek(Head::LENGTH)?;
    if head.is_empty() {
        return Ok(None);
    }
    let truncated = Reason::Truncated { what: "a block's header", have: head.len(), need: Head::LENGTH };
    let (Some(kind), Some(order)) = (number(head, 0, big_endian), number(head, 8, false)) else {
        return Err(truncated);
    };
    let big_endian = match (kind, order) {
        (Head::SECTION_HEADER, 0x1a2b_3c4d) => false,
        (Head::SECTION_HEADER, 0x4d3c_2b1a) => true,
        (Head::SECTION_HEADER, _) => return Err(Reason::Block(kind)),
        _ => big_endian,
    };
    if kind == Head::OBSOLETE_PACKET {
        return Err(Reason::Block(kind));
    }
    let length = number(head, 4, big_endian).unwrap_or_default() as usize;
    if length < Head::LENGTH || !length.is_multiple_of(4) || length > MAX_RECORD {
        return Err(Reason::Length { what: "a block", length: length as u64 });
    }
    Ok(Some(Head { kind, length, big_endian }))
}

/// The 32-bit number at this offset, if it is there.
fn number(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = <[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?;
    Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}
