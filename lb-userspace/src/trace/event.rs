//! An event as the program wrote it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lb_common::{control::Control, key::Side, outcome::Outcome, trace::TraceEvent};
use num_bigint::BigUint;

use crate::{
    config::model::Formula,
    judge::{Tuple, addends},
};

/// An event, and the frames in it.
#[derive(Clone, Debug)]
pub struct Told {
    /// What the program noted.
    pub event: TraceEvent,
    /// The frame as it came, as far as it was copied.
    pub before: Vec<u8>,
    /// The same as it left; empty: it was not changed, or nobody asked.
    pub after: Vec<u8>,
}

impl Told {
    /// What stands in the ring buffer; `None`: it is no event.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(size_of::<TraceEvent>())?;
        // SAFETY: so many bytes are there, and any bytes are numbers.
        let event = unsafe { head.as_ptr().cast::<TraceEvent>().read_unaligned() };
        let (before, rest) = rest.split_at_checked(event.before as usize)?;
        let after = rest.get(..event.after as usize)?;
        Some(Self { event, before: before.to_vec(), after: after.to_vec() })
    }

    /// What happened.
    pub fn outcome(&self) -> Option<Outcome> {
        Outcome::ALL.get(self.event.outcome as usize).copied()
    }

    /// The word that was in force.
    pub const fn control(&self) -> Control {
        Control(self.event.control)
    }

    /// The oriented tuple.
    pub fn tuple(&self) -> Option<Tuple> {
        let TraceEvent { family, source, destination, source_port, destination_port, protocol, flags, .. } = self.event;
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

    /// Whether the service was found by the packet's source, so that the tuple is swapped.
    pub const fn is_reply(&self) -> bool {
        self.event.tag & Side::Source as u32 != 0
    }

    /// The service's formula, if it came to that.
    pub fn formula(&self) -> Option<Formula> {
        let five = self.event.flags & TraceEvent::FIVE_TUPLE != 0;
        (self.event.slots != 0).then_some(if five { Formula::FiveTuple } else { Formula::ThreeTuple })
    }

    /// The exact sum, made anew from the tuple.
    pub fn sum(&self) -> Option<BigUint> {
        let tuple = self.tuple()?;
        Some(addends(self.formula()?, &tuple).map(|(_, number)| BigUint::from(number)).sum())
    }

    /// The server's counter.
    pub fn counter(&self) -> Option<u32> {
        Some(self.event.counter).filter(|counter| *counter != TraceEvent::NO_SERVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(event: &TraceEvent, tail: &[u8]) -> Vec<u8> {
        // SAFETY: made of numbers, without padding.
        let head =
            unsafe { std::slice::from_raw_parts(std::ptr::from_ref(event).cast::<u8>(), size_of::<TraceEvent>()) };
        [head, tail].concat()
    }

    #[test]
    fn an_event_and_its_frames() {
        let event = TraceEvent {
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
        let told = Told::read(&bytes(&event, &[1, 2, 3, 4, 5])).unwrap();
        assert_eq!((told.event, &told.before[..], &told.after[..]), (event, &[1, 2, 3][..], &[4, 5][..]));
        assert_eq!(told.sum().unwrap().to_string(), (0xc633_6407_u64 + 0xcb00_710a + 443).to_string());
        assert_eq!((told.counter(), told.tuple().unwrap().source), (None, [198, 51, 100, 7].into()));
        let five = Told { event: TraceEvent { flags: TraceEvent::FIVE_TUPLE, ..event }, ..told };
        let sum = 0xc633_6407_u64 + 0xcb00_710a + 443 + 51_234 + 6;
        assert_eq!(five.sum().unwrap().to_string(), sum.to_string());
    }

    #[test]
    fn what_is_cut_off_is_no_event() {
        let event = TraceEvent { before: 4, ..TraceEvent::default() };
        assert!(Told::read(&bytes(&event, &[1, 2, 3])).is_none());
        assert!(Told::read(&[0; 40]).is_none());
    }
}
