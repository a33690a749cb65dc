//! Finds the service of a packet that may travel in either direction, and orients the tuple: the formula needs the
//! same one for both directions.
//!
//! For roles whose services have a direction. The two directions have different keys. If there is no service that the
//! packet goes to, the tuple is swapped, to look for a service that the packet comes from.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    key::Side,
    outcome::Outcome,
    table::ServiceCell,
};

use super::service;

/// The oriented flow, and the cell of its service.
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
