//! Captures in pcapng (draft-ietf-opsawg-pcapng), limited to what frames with comments need.
//!
//! Written by hand: there are only three kinds of blocks, all of one shape.

use std::{
    collections::HashMap,
    io::{self, Write},
    time::Duration,
};

/// The direction of a frame, as the flags of a packet block encode it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// Received.
    In = 1,
    /// Sent.
    Out = 2,
}

/// A frame.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The name of its interface.
    pub interface: &'a str,
    /// Time since 1970.
    pub time: Duration,
    /// The copied bytes.
    pub bytes: &'a [u8],
    /// The frame's length.
    pub length: usize,
    /// Its direction.
    pub direction: Direction,
    /// The comment.
    pub comment: &'a str,
}

/// Writes a capture.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    /// Interfaces described so far: each is described before its first frame.
    interfaces: HashMap<String, u32>,
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;

/// Options; the meaning of a code depends on the kind of block.
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const PACKET_FLAGS: u16 = 2;
const APPLICATION: u16 = 4;
const RESOLUTION: u16 = 9;

const ETHERNET: u16 = 1;

/// Times are in units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

impl<W: Write> Writer<W> {
    /// Begins a capture.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn new(out: W) -> io::Result<Self> {
        const ORDER: u32 = 0x1a2b_3c4d;
        const VERSION: [u16; 2] = [1, 0];
        const UNKNOWN_LENGTH: u64 = u64::MAX;
        let mut writer = Self { out, interfaces: HashMap::new() };
        let mut body = ORDER.to_ne_bytes().to_vec();
        body.extend(VERSION.iter().flat_map(|number| number.to_ne_bytes()));
        body.extend(UNKNOWN_LENGTH.to_ne_bytes());
        option(&mut body, APPLICATION, concat!("modlb ", env!("CARGO_PKG_VERSION")).as_bytes());
        end_of_options(&mut body);
        writer.block(SECTION, &body)?;
        Ok(writer)
    }

    /// Adds a frame.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let interface = self.interface(packet.interface)?;
        let time = packet.time.as_nanos() as u64;
        let words = [
            interface,
            (time >> 32) as u32,
            time as u32,
            packet.bytes.len() as u32,
            packet.length.max(packet.bytes.len()) as u32,
        ];
        let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        padded(&mut body, packet.bytes);
        option(&mut body, COMMENT, packet.comment.as_bytes());
        option(&mut body, PACKET_FLAGS, &(packet.direction as u32).to_ne_bytes());
        end_of_options(&mut body);
        self.block(PACKET, &body)
    }

    /// Flushes the output.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn interface(&mut self, name: &str) -> io::Result<u32> {
        /// 0: no limit.
        const SNAP_LENGTH: u32 = 0;
        if let Some(number) = self.interfaces.get(name) {
            return Ok(*number);
        }
        let mut body = u32::from(ETHERNET).to_ne_bytes().to_vec();
        body.extend(SNAP_LENGTH.to_ne_bytes());
        option(&mut body, INTERFACE_NAME, name.as_bytes());
        option(&mut body, RESOLUTION, &[NANOSECONDS]);
        end_of_options(&mut body);
        self.block(INTERFACE, &body)?;
        let number = self.interfaces.len() as u32;
        self.interfaces.insert(name.to_owned(), number);
        Ok(number)
    }

    /// Kind, length, body, and the length again, so that readers can go backwards.
    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        const FRAME: usize = 12;
        let length = ((FRAME + body.len()) as u32).to_ne_bytes();
        self.out.write_all(&kind.to_ne_bytes())?;
        self.out.write_all(&length)?;
        self.out.write_all(body)?;
        self.out.write_all(&length)
    }
}

/// Pads to a multiple of four bytes.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(u16::MAX.into())];
    body.extend(code.to_ne_bytes());
    body.extend((value.len() as u16).to_ne_bytes());
    padded(body, value);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::capture::Capture;

    /// The reader of `modlb replay` reads it back.
    #[test]
    fn a_written_capture_can_be_read() {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file).unwrap();
        for length in [14_usize, 15, 60, 1_514] {
            let bytes = vec![length as u8; length];
            let time = Duration::new(1_795_527_787, length as u32);
            let (interface, direction) =
                if length % 2 == 0 { ("eth0", Direction::In) } else { ("eth1", Direction::Out) };
            let comment = "c".repeat(length % 5);
            writer
                .write(&Packet { interface, time, bytes: &bytes, length: length + 1, direction, comment: &comment })
                .unwrap();
        }
        writer.flush().unwrap();
        let mut capture = Capture::new(&file[..]).unwrap();
        let mut lengths = Vec::new();
        while let Some(frame) = capture.next().unwrap() {
            assert_eq!(frame.length as usize, frame.bytes.len() + 1);
            assert!(frame.bytes.iter().all(|byte| *byte == frame.bytes.len() as u8));
            lengths.push(frame.bytes.len());
        }
        assert_eq!(lengths, [14, 15, 60, 1_514]);
    }
}
