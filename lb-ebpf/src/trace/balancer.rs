//! Role `balancer`, noting what happens. Stage by stage what `balancer.rs` does beside this directory, counters included.

use aya_ebpf::bindings::xdp_action;
use lb_common::{
    control::Control,
    flow::{Address, Flow},
    outcome::Outcome,
    table::{Remote, ServiceCell},
};
use lb_ebpf::{
    ethernet,
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use crate::{
    action::finish,
    count, maps,
    note::{Listener, Note},
    rewrite,
    select::{self, Server},
    service,
};

/// Returns what becomes of the packet.
#[inline(always)]
pub fn balance<C: Context, L: Listener>(context: *mut C) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context) };
    let control = maps::control();
    let Some(note) = Note::start(control, packet.len(), 1) else { return xdp_action::XDP_ABORTED };
    let result = forward(&packet, control, note);
    let outcome = match result {
        Ok(_) => Outcome::Forwarded,
        Err(outcome) => outcome,
    };
    let action = finish(&packet, result);
    note.end::<C, L>(context, outcome, action);
    action
}

#[inline(always)]
fn forward(packet: &Packet<impl Context>, control: Control, note: Note) -> Result<u32, Outcome> {
    let frame = ethernet::own(packet, maps::interface_mac())?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => {
            note.flow(&flow);
            send(packet, control, &flow, service::find(&flow, control)?, note)
        }
        Parsed::V6(flow) => {
            note.flow(&flow);
            send(packet, control, &flow, service::find(&flow, control)?, note)
        }
    }
}

#[inline(always)]
fn send<A: Address>(
    packet: &Packet<impl Context>,
    control: Control,
    flow: &Flow<A>,
    service: &ServiceCell,
    note: Note,
) -> Result<u32, Outcome> {
    note.service(service);
    let (_, counter) = select::named(flow, service)?;
    note.server(flow, service, counter);
    match select::server(flow, service, control, packet.len())? {
        Server::Near(slot) => {
            note.keep(packet.context());
            rewrite::near(packet, slot)
        }
        Server::Far { remote, counter } => {
            note.event().far = if remote.interface == Remote::BACK { 0 } else { remote.interface };
            note.keep(packet.context());
            let action = rewrite::far(packet, remote)?;
            count::server(counter, 1, packet.len());
            Ok(action)
        }
    }
}
