//! Which way does a packet travel? To its service or from it: the formula wants the same tuple of both.
//!
//! For roles whose services have a direction. Services of the two directions have keys of their own, so a packet that no
//! service takes as one to it is looked for once more, swapped, as one from it.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    key::Side,
    outcome::Outcome,
    table::ServiceCell,
};

use super::service;

/// The oriented flow, and the cell of the service that it belongs to.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control) -> Result<(Flow<A>, &'static ServiceCell), Outcome> {
    let mut flow = *flow;
    let mut number = service::search(&flow, control, Side::Destination);
    if number == 0 && control.reply() {
        flow = flow.swapped();
        number = service::search(&flow, control, Side::Source);
    }
    Ok((flow, service::numbered(number)?))
}
