//! Which way does a packet travel? To its service or from it: the formula wants the same tuple of both.
//!
//! For roles whose services have a direction. Services of the two directions have keys of their own, so a packet that no
//! service takes as one to it is looked for once more, swapped, as one from it.
//!
//! Trap: two searches for each family, one behind the other, are more than the verifier follows. So the search is a global
//! function here, which it verifies once, whatever it is handed.

use lb_common::{
    control::Control,
    flow::{Address, Flow, V4, V6},
    key::{self, Side},
    outcome::Outcome,
    table::ServiceCell,
};

use crate::{maps, prefix::Wanted, service};

/// The oriented flow, and the cell of the service that it belongs to.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control) -> Result<(Flow<A>, &'static ServiceCell), Outcome> {
    let mut flow = *flow;
    let mut number = search(&flow, control, Side::Destination);
    if number == 0 && control.reply() {
        flow = flow.swapped();
        number = search(&flow, control, Side::Source);
    }
    let cell = maps::numbered_cell((number as u32).wrapping_sub(1)).filter(|_| number != 0);
    Ok((flow, cell.ok_or(Outcome::NoService)?))
}

#[inline(always)]
fn search<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> u64 {
    let [high, low] = flow.destination.halves();
    modlb_search_side(high, low, Wanted::of(flow, side).pack(), control.0)
}

/// The number of the cell of the service that a flow to this address belongs to and 1, or 0: none.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search_side(high: u64, low: u64, wanted: u32, control: u64) -> u64 {
    let (wanted, control) = (Wanted::unpack(wanted), Control(control));
    let found = if key::family_of(wanted.family) == V6::FAMILY {
        let address = V6([(high >> 32) as u32, high as u32, (low >> 32) as u32, low as u32]);
        service::find_number(&wanted.flow(address), control, wanted.side())
    } else {
        service::find_number(&wanted.flow(V4(low as u32)), control, wanted.side())
    };
    found.map_or(0, |number| number as u64 + 1)
}
