//! Watches a packet on its way, for `modlb trace` and `modlb logs`.
//!
//! Trap: observing must not change behaviour. The stages report what they found and use nothing of what an observer
//! returns.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::packet::Context;

/// What the roles report of a packet, in this order, as far as it gets.
pub trait Observer: Copy {
    /// Whether packets may take the fast path, which reports nothing.
    const FAST_PATH: bool;

    /// A packet came. `None`: it cannot be observed, which ends the program.
    fn start<C: Context>(context: *mut C, control: Control) -> Option<Self>;

    /// Its tuple; once more if it turns out to travel from a service.
    fn flow<A: Address>(self, flow: &Flow<A>);

    /// The service that takes it.
    fn service(self, service: &ServiceCell);

    /// The server, by the number of its counter.
    fn server<A: Address>(self, flow: &Flow<A>, service: &ServiceCell, counter: u64);

    /// The interface that leads to the server, if the frame is not simply sent back; [`NextHop::SAME_PORT`]: that
    /// which it came in by.
    ///
    /// [`NextHop::SAME_PORT`]: lb_common::table::NextHop::SAME_PORT
    fn egress(self, interface: u32);

    /// The frame is about to be written to.
    fn before_write<C: Context>(self, context: *mut C);

    /// The packet is done.
    fn end<C: Context>(self, context: *mut C, outcome: Outcome, action: u32);
}
