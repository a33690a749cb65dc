//! Feeds a file to the reader of captures.

use std::io::{self, Read};

use crate::replay::capture::Capture;

/// No format has a smaller header for a packet.
const MIN_RECORD: usize = 16;

/// Reads a capture to its end or to the first error, at once and in small pieces.
///
/// # Panics
///
/// If the capture has more data than the file, or depends on how the file is read. The fuzzer itself watches memory and
/// time.
pub fn capture(file: &[u8]) {
    assert_eq!(read(file, file.len()), read(Slow(file), file.len()), "read at once and in small pieces");
}

/// Captured bytes and length of each packet, and the error that ended the capture.
type Contents = (Vec<(Vec<u8>, u32)>, Option<String>);

fn read(file: impl Read, size: usize) -> Contents {
    let mut packets = Vec::new();
    let mut capture = match Capture::new(file) {
        Ok(capture) => capture,
        Err(error) => return (packets, Some(error.to_string())),
    };
    let mut bytes = 0;
    let end = loop {
        match capture.next() {
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
            Ok(Some(frame)) => {
                packets.push((frame.bytes.to_vec(), frame.length));
                bytes += frame.bytes.len() + MIN_RECORD;
                assert_eq!(frame.number, packets.len() as u64);
                assert!(
                    frame.length as usize >= frame.bytes.len(),
                    "{frame:?} is shorter than what was captured of it"
                );
            }
        }
        assert!(bytes <= size && capture.offset() <= size as u64, "{bytes} bytes in a file of {size}");
    };
    assert!(matches!(capture.next(), Ok(None)), "something follows the end");
    (packets, end)
}

/// A reader that gives a few bytes at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(7);
        self.0.read(&mut buffer[..most])
    }
}
