//! The reader of capture files: every format, and what is none.

use std::io::{self, Cursor, Read};

use lb_userspace::replay::capture::{Capture, Error, Reason};

use crate::support::capture::{FORMATS, File, Format};

const PCAP: Format = FORMATS[0];
const PCAPNG: Format = FORMATS[4];

/// What a capture holds: bytes and length of each packet, and the error at its end.
fn read(file: impl Read) -> (Vec<(Vec<u8>, u32)>, Option<Error>) {
    let mut frames = Vec::new();
    let mut capture = match Capture::new(file) {
        Ok(capture) => capture,
        Err(error) => return (frames, Some(error)),
    };
    let error = loop {
        match capture.next() {
            Ok(Some(frame)) => {
                assert_eq!(frame.number, frames.len() as u64 + 1);
                frames.push((frame.bytes.to_vec(), frame.length));
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(matches!(capture.next(), Ok(None)), "something follows the end");
    (frames, error)
}

fn whole(frames: &[Vec<u8>]) -> Vec<(Vec<u8>, u32)> {
    frames.iter().map(|frame| (frame.clone(), frame.len() as u32)).collect()
}

/// Lengths around words and around what is read at once.
fn some() -> Vec<Vec<u8>> {
    let lengths = [60, 61, 62, 63, 64, 1, 0, 1_514, 9_014, 65_535, 65_536, 65_537, 200_000, 60];
    lengths.iter().map(|length| (0..*length).map(|place| (place * 7 + length) as u8).collect()).collect()
}

/// A reader that gives as little as it likes.
struct Slow<R>(R);

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1_009);
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn every_format_is_read() {
    for format in FORMATS {
        let file = File::with(format, &some());
        let (found, error) = read(Cursor::new(&file));
        assert!(error.is_none() && found == whole(&some()), "{format:?}: {error:?}");
        let (found, error) = read(Slow(Cursor::new(&file)));
        assert!(error.is_none() && found == whole(&some()), "{format:?}, slowly: {error:?}");
    }
}

#[test]
fn empty_captures_are_read() {
    for format in FORMATS {
        let (found, error) = read(Cursor::new(File::new(format).bytes));
        assert!(found.is_empty() && error.is_none(), "{format:?}: {error:?}");
    }
}

#[test]
fn truncated_packets_keep_their_length() {
    for format in FORMATS {
        let mut file = File::new(format);
        file.cut(&[7; 61], 1_514);
        file.frame(&[8; 60]);
        // Who says that less was sent than captured errs in the length.
        file.cut(&[9; 60], 3);
        let (found, error) = read(Cursor::new(file.bytes));
        assert_eq!(found, [(vec![7; 61], 1_514), (vec![8; 60], 60), (vec![9; 60], 60)], "{format:?}");
        assert!(error.is_none());
    }
}

/// Truncated at any offset, a file gives the packets before it and an error with the offset; only at the end of a
/// packet there is no error.
#[test]
fn a_file_may_end_anywhere() {
    let frames = [vec![1; 60], vec![2; 63], vec![3; 64]];
    for format in FORMATS {
        let file = File::with(format, &frames);
        let empty = File::new(format).bytes.len();
        let ends: Vec<_> = (0..=3).map(|count| File::with(format, &frames[..count]).len()).collect();
        for length in 1..=file.len() {
            let (found, error) = read(Cursor::new(&file[..length]));
            let before = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
            assert_eq!(found, whole(&frames[..before]), "{format:?}, {length} bytes");
            if ends.contains(&length) {
                assert!(error.is_none(), "{format:?}, {length} bytes: {error:?}");
                continue;
            }
            let Some(error) = error else {
                // A pcapng file may end between any two blocks.
                assert!(format != PCAP && length < empty, "{format:?}, {length} bytes");
                continue;
            };
            let text = error.to_string();
            let foreign = length < 4 && matches!(error.reason, Reason::Foreign(None));
            let truncated = matches!(error.reason, Reason::Truncated { have, need, .. } if have < need);
            assert!(foreign || truncated, "{format:?}, {length} bytes: {text}");
            if length > empty {
                assert_eq!((error.packet, error.offset), (before as u64 + 1, ends[before] as u64), "{text}");
            }
        }
    }
}

#[test]
fn errors_name_position_and_reason() {
    let file = File::with(PCAP, &[vec![1; 60], vec![2; 98]]);
    let (_, error) = read(Cursor::new(&file[..24 + 76 + 16 + 12]));
    assert_eq!(
        error.unwrap().to_string(),
        "at byte 100, where packet 2 should be: the file ends in the middle of a packet: 28 of 114 bytes are there"
    );
}

#[test]
fn other_files_are_refused() {
    let error = |bytes: &[u8]| read(Cursor::new(bytes)).1.unwrap().to_string();
    assert_eq!(error(b""), "at the start: the file is empty");
    assert_eq!(error(b"[[service]]\nname = \"web\""), "at the start: this is not a pcap or pcapng file");
    assert_eq!(
        error(&[0x1f, 0x8b, 8, 0, 0, 0, 0]),
        "at the start: this is not a pcap or pcapng file, but a gzip file; decompress it first"
    );
    for format in FORMATS {
        let mut file = File::of(format, 113);
        file.frame(&[1; 60]);
        let text = error(&file.bytes);
        assert!(text.contains("the link type is LINUX_SLL, not Ethernet"), "{text}");
        let mut file = File::of(format, 4_321);
        file.frame(&[1; 60]);
        assert!(error(&file.bytes).contains("the link type is number 4321, not Ethernet"));
    }
    let mut old = File::new(PCAP).bytes;
    old[4] = 1;
    assert!(error(&old).contains("version 1.4 of the format is unknown"));
}

#[test]
fn several_interfaces_and_sections_are_read() {
    for big_endian in [false, true] {
        let mut file = File::new(Format::Pcapng { big_endian });
        file.interface(113, 0);
        file.interface(1, 0);
        file.packet(2, &[1; 60], 60);
        // Name resolution, interface statistics and an unknown block, none of them well-formed inside.
        [4, 5, 0x0bad, 0x4000_0bad].into_iter().for_each(|kind| file.block(kind, &[0xff; 16]));
        file.packet(0, &[2; 61], 61);
        // The next section has the other byte order, and one interface with a snap length.
        let mut second = File::new(Format::Pcapng { big_endian: !big_endian });
        second.section();
        second.interface(1, 40);
        second.simple(&[3; 40], 1_000);
        second.packet(1, &[4; 60], 60);
        file.bytes.extend(second.bytes);
        let (found, error) = read(Cursor::new(&file.bytes));
        assert_eq!(found, [(vec![1; 60], 60), (vec![2; 61], 61), (vec![3; 40], 1_000)], "{error:?}");
        assert!(matches!(error.unwrap().reason, Reason::Interface(1)));
    }
    let mut file = File::new(PCAPNG);
    file.interface(113, 0);
    file.packet(0, &[1; 60], 60);
    file.packet(1, &[1; 60], 60);
    let (found, error) = read(Cursor::new(&file.bytes));
    assert_eq!(found.len(), 1);
    assert!(matches!(error.unwrap().reason, Reason::LinkType(113)));
}

#[test]
fn impossible_lengths_are_refused() {
    let huge = |format, place: usize| {
        let mut bytes = File::with(format, &[vec![1; 60], vec![2; 60]]);
        bytes[place..place + 4].copy_from_slice(&[0xf0; 4]);
        read(Cursor::new(bytes))
    };
    // Of what was captured, of what was sent, and of a block.
    for (format, place) in [(PCAP, 24 + 8), (PCAP, 24 + 12), (PCAPNG, 60 + 4), (PCAPNG, 60 + 24), (PCAPNG, 60 + 20)] {
        let (found, error) = huge(format, place);
        let reason = error.unwrap().reason;
        assert!(found.is_empty(), "{format:?}, {place}");
        assert!(matches!(reason, Reason::Length { .. } | Reason::Block(6)), "{format:?}, {place}: {reason}");
    }
}

/// Not a claim but what is there decides how much memory is taken.
#[test]
fn claimed_lengths_allocate_nothing() {
    struct Endless(Vec<u8>, usize);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(buffer.len() <= 1 << 16, "{} bytes asked for at once", buffer.len());
            let some = (&self.0[self.1..]).read(buffer)?;
            self.1 += some;
            Ok(some)
        }
    }
    let mut bytes = File::new(PCAPNG).bytes;
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend((16_u32 << 20).to_le_bytes());
    bytes.extend([0; 100]);
    let (_, error) = read(Endless(bytes, 0));
    assert!(matches!(error.unwrap().reason, Reason::Truncated { have: 108, need: 0x0100_0000, .. }));
}

#[test]
fn a_failing_reader_is_reported() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let file = File::with(PCAP, &[vec![1; 60]]);
    let (found, error) = read(Cursor::new(file).chain(Failing));
    assert_eq!(found.len(), 1);
    assert_eq!(error.unwrap().to_string(), "at byte 100, where packet 2 should be: reading fails: the disk is gone");
}
