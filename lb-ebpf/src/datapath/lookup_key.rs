//! What a service must have besides the address, packed into a number for functions that take only numbers.

use lb_common::{
    flow::{Address, Flow},
    key::Side,
};

/// What a service must have besides the address.
#[derive(Clone, Copy)]
pub struct LookupKey {
    /// With the side.
    pub family: u8,
    pub fragment: bool,
    pub protocol: u8,
    pub port: u16,
}

impl LookupKey {
    #[inline(always)]
    pub fn of<A: Address>(flow: &Flow<A>, side: Side) -> Self {
        let Flow { fragment, protocol, destination_port: port, .. } = *flow;
        Self { family: side.of(A::FAMILY), fragment, protocol, port }
    }

    #[inline(always)]
    pub fn side(self) -> Side {
        if self.family & Side::Source as u8 != 0 { Side::Source } else { Side::Destination }
    }

    #[inline(always)]
    pub fn pack(self) -> u32 {
        (self.port as u32) << 16 | (self.protocol as u32) << 8 | (self.fragment as u32) << 4 | self.family as u32
    }

    #[inline(always)]
    pub fn unpack(packed: u32) -> Self {
        Self {
            family: packed as u8 & 0x0f,
            fragment: packed & 0x10 != 0,
            protocol: (packed >> 8) as u8,
            port: (packed >> 16) as u16,
        }
    }
}
