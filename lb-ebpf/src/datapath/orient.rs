//! Finds the service of a packet that may travel in either direction, and orients the tuple: the formula needs the
//! same one for both directions.
//!
//! For roles whose services have a direction. The two directions have different keys. If there is no service that the
//! packet goes to, the tuple is swapped, to look for a service that the packet comes from. A direction that no service
//! has is not looked for: a packet's other end may be anyone, and each would be looked for in another cache line.

use core::marker::PhantomData;

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    key::Side,
    outcome::Outcome,
    table::ServiceCell,
};

use lb_ebpf::{
    ethernet::Addressee,
    fast_path,
    hint::likely,
    packet::{Context, Packet},
};

use super::service;

/// The oriented flow, and the cell of its service.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control) -> Result<(Flow<A>, &'static ServiceCell), Outcome> {
    let mut flow = *flow;
    let mut number = if control.forward() { service::search(&flow, control, Side::Destination) } else { 0 };
    if number == 0 && control.reply() {
        flow = flow.swapped();
        number = service::search(&flow, control, Side::Source);
    }
    Ok((flow, service::numbered(number)?))
}

/// What a role does with a packet of the fast path whose service is known.
pub trait Stage<C> {
    /// What becomes of the packet.
    type Done;

    /// Decides; `None`: the general path has to.
    fn decide<A: Address>(packet: &mut Packet<C>, flow: &Flow<A>, service: &ServiceCell) -> Option<Self::Done>;
}

/// Hands a packet of the fast path that is addressed so to a stage, if its service is found by few cells; see
/// [`service::first`].
#[inline(always)]
pub fn fast<S: Stage<C>, C: Context>(
    packet: &mut Packet<C>,
    addressee: impl Addressee,
    control: Control,
) -> Option<S::Done> {
    if !likely(!control.standby()) {
        return None;
    }
    fast_path::decide(packet, addressee, Oriented::<S> { control, stage: PhantomData })
}

struct Oriented<S> {
    control: Control,
    stage: PhantomData<S>,
}

impl<C: Context, S: Stage<C>> fast_path::Stage<C> for Oriented<S> {
    type Done = S::Done;

    /// Trap: were both directions of the flow one value, the compiler would keep it on the stack.
    #[inline(always)]
    fn decide<A: Address>(self, packet: &mut Packet<C>, flow: &Flow<A>) -> Option<S::Done> {
        if self.control.forward()
            && let Some(service) = service::first(flow, self.control, Side::Destination).known()?
        {
            return S::decide(packet, flow, service);
        }
        if !self.control.reply() {
            return None;
        }
        let flow = flow.swapped();
        S::decide(packet, &flow, service::first(&flow, self.control, Side::Source).known()??)
    }
}
