//! The observer of the regular programs.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::packet::Context;

use crate::datapath::observer::Observer;

/// Nobody watches: costs nothing.
#[derive(Clone, Copy)]
pub struct Unobserved;

impl Observer for Unobserved {
    const FAST_PATH: bool = true;

    #[inline(always)]
    fn start<C: Context>(_context: *mut C, _control: Control) -> Option<Self> {
        Some(Self)
    }

    #[inline(always)]
    fn flow<A: Address>(self, _flow: &Flow<A>) {}

    #[inline(always)]
    fn service(self, _service: &ServiceCell) {}

    #[inline(always)]
    fn server<A: Address>(self, _flow: &Flow<A>, _service: &ServiceCell, _counter: u64) {}

    #[inline(always)]
    fn egress(self, _interface: u32) {}

    #[inline(always)]
    fn before_write<C: Context>(self, _context: *mut C) {}

    #[inline(always)]
    fn end<C: Context>(self, _context: *mut C, _outcome: Outcome, _action: u32) {}
}
