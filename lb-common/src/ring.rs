//! The ring in which the servers that may hold a connection hand it on (role `keep`).
//!
//! It knows nothing of any configuration: hosts whose files differ in age still agree on who follows whom.

use crate::flow::{Address, Flow};

/// SplitMix64's finalizer (Steele, Lea and Flood, OOPSLA 2014), a bijection in which every input bit affects every
/// output bit.
#[inline(always)]
pub const fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// The hash of a server, by [`Address::halves`] of its address.
pub const fn server([high, low]: [u64; 2]) -> u32 {
    (mix(mix(high) ^ low) >> 32) as u32
}

/// The hash of a flow that travels to its service.
#[inline(always)]
pub fn flow<A: Address>(flow: &Flow<A>) -> u64 {
    let ([a, b], [c, d]) = (flow.source.halves(), flow.destination.halves());
    let ports = (flow.source_port as u64) << 16 | flow.destination_port as u64;
    mix(mix(mix(mix(a) ^ b) ^ c) ^ d) ^ ports
}

/// Where a server stands in the ring of a flow: higher follows lower, the lowest follows the highest.
#[inline(always)]
pub const fn place(flow: u64, server: u32) -> u64 {
    mix(flow ^ (server as u64) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_order_servers_each_in_their_own_way() {
        let servers: [u32; 5] = [1, 2, 3, 4, 5].map(|number| server([0, number]));
        let first = |flow: u64| servers.iter().min_by_key(|server| place(flow, **server)).copied();
        let firsts: [_; 5] = core::array::from_fn(|index| {
            let wanted = servers[index];
            (0..1_000).filter(|flow| first(mix(*flow)) == Some(wanted)).count()
        });
        assert!(firsts.iter().all(|count| (150..250).contains(count)), "{firsts:?}");
    }
}
