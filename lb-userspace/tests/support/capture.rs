//! Capture files of every format, written byte by byte.

/// The format of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Pcap { big_endian: bool, nanoseconds: bool },
    Pcapng { big_endian: bool },
}

pub const FORMATS: [Format; 6] = [
    Format::Pcap { big_endian: false, nanoseconds: false },
    Format::Pcap { big_endian: false, nanoseconds: true },
    Format::Pcap { big_endian: true, nanoseconds: false },
    Format::Pcap { big_endian: true, nanoseconds: true },
    Format::Pcapng { big_endian: false },
    Format::Pcapng { big_endian: true },
];

pub const ETHERNET: u32 = 1;

/// A capture file in memory.
pub struct File {
    format: Format,
    pub bytes: Vec<u8>,
}

impl File {
    /// A file of Ethernet frames, still without any.
    pub fn new(format: Format) -> Self {
        Self::of(format, ETHERNET)
    }

    pub fn of(format: Format, link_type: u32) -> Self {
        let mut file = Self { format, bytes: Vec::new() };
        match format {
            Format::Pcap { nanoseconds, .. } => {
                file.number(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
                file.short(2);
                file.short(4);
                [0, 0, 262_144, link_type].into_iter().for_each(|number| file.number(number));
            }
            Format::Pcapng { .. } => {
                file.section();
                file.interface(link_type, 0);
            }
        }
        file
    }

    /// A file of these frames, all captured whole.
    pub fn with<'a>(format: Format, frames: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
        let mut file = Self::new(format);
        frames.into_iter().for_each(|frame| file.frame(frame));
        file.bytes
    }

    pub fn frame(&mut self, frame: &[u8]) {
        self.cut(frame, frame.len() as u32);
    }

    /// A frame of which only a part was captured.
    pub fn cut(&mut self, captured: &[u8], length: u32) {
        match self.format {
            Format::Pcap { .. } => {
                [1_700_000_000, 999_999, captured.len() as u32, length]
                    .into_iter()
                    .for_each(|number| self.number(number));
                self.bytes.extend(captured);
            }
            Format::Pcapng { .. } => self.packet(0, captured, length),
        }
    }

    /// A section header block; interfaces are numbered from 0 again after it.
    pub fn section(&mut self) {
        let mut body = File { format: self.format, bytes: Vec::new() };
        body.number(0x1a2b_3c4d);
        body.short(1);
        body.short(0);
        body.bytes.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body.bytes);
    }

    pub fn interface(&mut self, link_type: u32, snap_length: u32) {
        let mut body = File { format: self.format, bytes: Vec::new() };
        body.short(link_type as u16);
        body.short(0);
        body.number(snap_length);
        // if_name "e0", and the end of the options.
        [2, 2].into_iter().for_each(|number| body.short(number));
        body.bytes.extend(*b"e0\0\0");
        body.number(0);
        self.block(1, &body.bytes);
    }

    /// An enhanced packet block.
    pub fn packet(&mut self, interface: u32, captured: &[u8], length: u32) {
        let mut body = File { format: self.format, bytes: Vec::new() };
        [interface, 0x0006_0a1b, 7, captured.len() as u32, length].into_iter().for_each(|number| body.number(number));
        body.padded(captured);
        self.block(6, &body.bytes);
    }

    /// A simple packet block.
    pub fn simple(&mut self, captured: &[u8], length: u32) {
        let mut body = File { format: self.format, bytes: Vec::new() };
        body.number(length);
        body.padded(captured);
        self.block(3, &body.bytes);
    }

    /// Any block; the body's length is a multiple of 4.
    pub fn block(&mut self, kind: u32, body: &[u8]) {
        let length = body.len() as u32 + 12;
        self.number(kind);
        self.number(length);
        self.bytes.extend(body);
        self.number(length);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn big_endian(&self) -> bool {
        match self.format {
            Format::Pcap { big_endian, .. } | Format::Pcapng { big_endian } => big_endian,
        }
    }

    pub fn number(&mut self, number: u32) {
        self.bytes.extend(if self.big_endian() { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn short(&mut self, number: u16) {
        self.bytes.extend(if self.big_endian() { number.to_be_bytes() } else { number.to_le_bytes() });
    }
}
