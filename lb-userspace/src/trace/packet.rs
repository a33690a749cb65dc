//! An event as the program wrote it, with the copied frames.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lb_common::{control::Control, key::Side, outcome::Outcome, trace::TraceEvent};
use num_bigint::BigUint;

use crate::{
    config::model::Formula,
    decide::judge::{Tuple, addends},
};

/// An event with the copied frames.
#[derive(Clone, Debug)]
pub struct TracedPacket {
    /// The program's record.
    pub record: TraceEvent,
    /// The frame as it came, as far as copied.
    pub before: Vec<u8>,
    /// The frame as it left; empty if it was not changed or not asked for.
    pub after: Vec<u8>,
}

impl TracedPacket {
    /// Reads an entry of the ring buffer; `None` if it is malformed.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(size_of::<TraceEvent>())?;
        // SAFETY: `head` has the size of an event, and any bytes are valid numbers.
        let record = unsafe { head.as_ptr().cast::<TraceEvent>().read_unaligned() };
        let (before, rest) = rest.split_at_checked(record.before as usize)?;
        let after = rest.get(..record.after as usize)?;
        Some(Self { record, before: before.to_vec(), after: after.to_vec() })
    }

    /// The outcome.
    pub fn outcome(&self) -> Option<Outcome> {
        Outcome::ALL.get(self.record.outcome as usize).copied()
    }

    /// The control word that was in force.
    pub const fn control(&self) -> Control {
        Control(self.record.control)
    }

    /// The oriented tuple.
    pub fn tuple(&self) -> Option<Tuple> {
        let TraceEvent { family, source, destination, source_port, destination_port, protocol, flags, .. } =
            self.record;
        let address = |[high, low]: [u64; 2]| match family {
            4 => Some(IpAddr::from(Ipv4Addr::from_bits(low as u32))),
            6 => Some(IpAddr::from(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)))),
            _ => None,
        };
        Some(Tuple {
            source: address(source)?,
            destination: address(destination)?,
            source_port,
            destination_port,
            protocol,
            fragment: flags & TraceEvent::FRAGMENT != 0,
        })
    }

    /// Whether the service matched the packet's source, so that the tuple is swapped.
    pub const fn is_reply(&self) -> bool {
        self.record.tag & Side::Source as u32 != 0
    }

    /// The service's formula, if it was computed.
    pub fn formula(&self) -> Option<Formula> {
        let five = self.record.flags & TraceEvent::FIVE_TUPLE != 0;
        (self.record.slots != 0).then_some(if five { Formula::FiveTuple } else { Formula::ThreeTuple })
    }

    /// The exact sum, recomputed from the tuple.
    pub fn sum(&self) -> Option<BigUint> {
        let tuple = self.tuple()?;
        Some(addends(self.formula()?, &tuple).map(|(_, number)| BigUint::from(number)).sum())
    }

    /// The server's counter.
    pub fn counter(&self) -> Option<u32> {
        Some(self.record.counter).filter(|counter| *counter != TraceEvent::NO_SERVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(event: &TraceEvent, tail: &[u8]) -> Vec<u8> {
        // SAFETY: an event consists of numbers without padding.
        let head =
            unsafe { std::slice::from_raw_parts(std::ptr::from_ref(event).cast::<u8>(), size_of::<TraceEvent>()) };
        [head, tail].concat()
    }

    #[test]
    fn an_event_is_read_with_its_frames() {
        let record = TraceEvent {
            before: 3,
            after: 2,
            family: 4,
            source: [0, 0xc633_6407],
            destination: [0, 0xcb00_710a],
            source_port: 51_234,
            destination_port: 443,
            protocol: 6,
            slots: 3,
            counter: TraceEvent::NO_SERVER,
            ..TraceEvent::default()
        };
        let event = TracedPacket::read(&bytes(&record, &[1, 2, 3, 4, 5])).unwrap();
        assert_eq!((event.record, &event.before[..], &event.after[..]), (record, &[1, 2, 3][..], &[4, 5][..]));
        assert_eq!(event.sum().unwrap().to_string(), (0xc633_6407_u64 + 0xcb00_710a + 443).to_string());
        assert_eq!((event.counter(), event.tuple().unwrap().source), (None, [198, 51, 100, 7].into()));
        let five = TracedPacket { record: TraceEvent { flags: TraceEvent::FIVE_TUPLE, ..record }, ..event };
        let sum = 0xc633_6407_u64 + 0xcb00_710a + 443 + 51_234 + 6;
        assert_eq!(five.sum().unwrap().to_string(), sum.to_string());
    }

    #[test]
    fn a_truncated_entry_is_rejected() {
        let record = TraceEvent { before: 4, ..TraceEvent::default() };
        assert!(TracedPacket::read(&bytes(&record, &[1, 2, 3])).is_none());
        assert!(TracedPacket::read(&[0; 40]).is_none());
    }
}
