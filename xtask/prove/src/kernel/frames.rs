//! Random frames: mostly such as mean something to a balancer, some of them broken.

use crate::random::Random;

/// Addresses that frames and services share.
pub const CLIENTS: [u8; 4] = [1, 2, 3, 255];
pub const SERVICES: [u8; 4] = [10, 11, 12, 13];
pub const PORTS: [u16; 2] = [80, 443];
/// TCP and UDP most of all, UDP-Lite, SCTP, DCCP, ICMP, ICMPv6, ESP, and one that is none of these.
pub const PROTOCOLS: [u8; 14] = [6, 6, 6, 17, 17, 136, 132, 33, 1, 58, 1, 58, 50, 99];

/// One end of a packet: 4 or 16 bytes.
pub fn address(six: bool, last: u8) -> Vec<u8> {
    let start: &[u8] = if six { &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 7, 0xff, 0, 0, 0, 0, 0, 0] } else { &[203, 0, 113] };
    [start, &[last]].concat()
}

/// The service that most packets and cells of a state are of.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub six: bool,
    pub last: u8,
    pub protocol: u8,
    pub port: u16,
}

impl Service {
    pub const fn any(random: &mut Random) -> Self {
        Self {
            six: random.chance(50),
            last: random.pick(&SERVICES),
            protocol: random.pick(&[6, 17]),
            port: random.pick(&PORTS),
        }
    }
}

/// A frame for an interface with this MAC, mostly.
pub fn frame(random: &mut Random, own: [u8; 6], service: Service) -> Vec<u8> {
    if random.chance(60) {
        return plain(random, own, service);
    }
    let mut frame = destination(random, own);
    frame.extend([2, 0, 0, 0, 0, random.pick(&[1, 2, 3])]);
    for _ in 0..random.pick(&[0, 0, 0, 0, 0, 1, 1, 1, 2, 3]) {
        frame.extend(random.pick(&[[0x81, 0], [0x81, 0], [0x88, 0xa8]]));
        frame.extend(random.bytes(2));
    }
    match random.below(20) {
        0 => frame.extend([8, 6]),
        1 => frame.extend(random.bytes(2)),
        number => {
            let six = number % 2 == 0;
            frame.extend(if six == random.chance(99) { [0x86, 0xdd] } else { [8, 0] });
            let ends = (random.pick(&CLIENTS), random.pick(&SERVICES));
            frame.extend(packet(random, six, ends, 1));
        }
    }
    break_it(random, &mut frame);
    frame
}

/// One of those that the fast path is for.
fn plain(random: &mut Random, own: [u8; 6], service: Service) -> Vec<u8> {
    let mut frame = destination(random, own);
    frame.extend([2, 0, 0, 0, 0, 1]);
    if random.chance(40) {
        frame.extend(random.pick(&[[0x81, 0], [0x88, 0xa8]]));
        frame.extend(random.bytes(2));
    }
    let (Service { six, last, protocol, port }, length) = (service, random.pick(&[4, 8, 20, 300, 1400]));
    let mut upper = [random.next() as u16, port].map(u16::to_be_bytes).concat();
    upper.extend(random.bytes(length - 4));
    let ends = (random.next() as u8, last);
    if six {
        frame.extend([0x86, 0xdd, 0x60, random.next() as u8, 0, 0]);
        frame.extend((length as u16).to_be_bytes());
        frame.extend([protocol, 64]);
    } else {
        frame.extend([8, 0, 0x45, random.next() as u8]);
        frame.extend((20 + length as u16).to_be_bytes());
        frame.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    }
    frame.extend(address(six, ends.0));
    frame.extend(address(six, ends.1));
    frame.extend(upper);
    let padding = random.pick(&[0, 0, 0, 6]);
    frame.extend(random.bytes(padding));
    frame
}

fn destination(random: &mut Random, own: [u8; 6]) -> Vec<u8> {
    let mut mac = own.to_vec();
    match random.below(20) {
        0 => mac = random.bytes(6),
        1 => mac[random.below(6) as usize] ^= 1 << random.below(8),
        2 => mac = [0, 0, 0x5e, 0, random.pick(&[1, 2, 3]), 7].into(),
        _ => {}
    }
    mac
}

fn break_it(random: &mut Random, frame: &mut Vec<u8>) {
    if random.chance(10) {
        frame.truncate(random.below(frame.len() as u64 + 1) as usize);
    }
    if random.chance(10) {
        let at = random.below(frame.len() as u64 + 1) as usize;
        let end = frame.len().min(at + 2);
        for byte in &mut frame[at..end] {
            *byte = random.next() as u8;
        }
    }
    let padding = random.pick(&[0, 0, 0, 1, 6, 40, 400]);
    frame.extend(random.bytes(padding));
    let short = 14_usize.saturating_sub(frame.len());
    frame.extend(random.bytes(short));
}

/// An IP packet from the first end to the second. `quotes`: how deep errors may quote packets.
fn packet(random: &mut Random, six: bool, ends: (u8, u8), quotes: u32) -> Vec<u8> {
    let protocol = random.pick(&PROTOCOLS);
    let upper = upper(random, six, protocol, ends, quotes);
    if six { packet6(random, protocol, ends, upper) } else { packet4(random, protocol, ends, &upper) }
}

fn packet4(random: &mut Random, protocol: u8, ends: (u8, u8), upper: &[u8]) -> Vec<u8> {
    let words = if random.chance(80) { 5 } else { random.below(16) as u8 };
    let options = random.bytes(usize::from(words).saturating_sub(5) * 4);
    let length = (20 + options.len() + upper.len()) as u16;
    let length = if random.chance(90) { length } else { length.wrapping_add(random.pick(&[1, 0xffff, 20, 0xffe0])) };
    let fragment = random.pick(&[0_u16, 0, 0, 0, 0x4000, 0x4000, 0x2000, 0x2001, 0x0010]);
    let version = if random.chance(98) { 0x40 } else { random.next() as u8 & 0xf0 };
    let mut packet = vec![version | words, random.next() as u8];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([random.next() as u8, protocol, 0, 0]);
    packet.extend(address(false, ends.0));
    packet.extend(address(false, ends.1));
    packet.extend(options);
    packet.extend(upper);
    packet
}

fn packet6(random: &mut Random, protocol: u8, ends: (u8, u8), upper: Vec<u8>) -> Vec<u8> {
    let (mut next, mut payload) = (protocol, upper);
    for _ in 0..random.pick(&[0, 0, 0, 0, 0, 1, 2, 3, 8, 9]) {
        let kind = random.pick(&[0_u8, 43, 60, 60, 51, 44]);
        let length = if kind == 44 { 0 } else { random.below(3) as u8 };
        let size = if kind == 51 { 4 * (usize::from(length) + 2) } else { 8 * (usize::from(length) + 1) };
        let mut header = random.bytes(size);
        (header[0], header[1]) = (next, length);
        if kind == 44 && random.chance(60) {
            (header[2], header[3]) = (0, 0);
        }
        payload.splice(..0, header);
        next = kind;
    }
    let length = payload.len() as u16;
    let length = if random.chance(90) { length } else { length.wrapping_add(random.pick(&[1, 0xffff, 8, 0xfff0])) };
    let mut packet = vec![if random.chance(98) { 0x60 } else { random.next() as u8 }, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(address(true, ends.0));
    packet.extend(address(true, ends.1));
    packet.extend(payload);
    packet
}

fn upper(random: &mut Random, six: bool, protocol: u8, ends: (u8, u8), quotes: u32) -> Vec<u8> {
    if matches!(protocol, 1 | 58) && quotes > 0 && random.chance(70) {
        let error = if six { random.pick(&[1_u8, 2, 3, 4, 128, 135]) } else { random.pick(&[3_u8, 11, 12, 8, 5, 4]) };
        let mut upper = vec![error, random.below(4) as u8, 0, 0, 0, 0, 0, 0];
        // What was quoted went the other way.
        let source = if random.chance(90) { ends.1 } else { random.pick(&SERVICES) };
        let client = random.pick(&CLIENTS);
        upper.extend(packet(random, six, (source, client), quotes - 1));
        return upper;
    }
    let (from, to) = (random.pick(&PORTS), random.pick(&PORTS));
    let mut upper = [from.to_be_bytes(), to.to_be_bytes()].concat();
    let more = random.pick(&[0, 2, 4, 16, 100]);
    upper.extend(random.bytes(more));
    upper
}
