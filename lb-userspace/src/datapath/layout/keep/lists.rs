//! What all tables go by: the lists of a service.

use crate::{
    config::model::{Selection, Service},
    decide::slots::Refinement,
};

/// The numbers of slots of a service's lists, as rankings have them.
pub fn slots_of(service: &Service) -> impl Iterator<Item = u32> {
    let previous = service.previous.iter().map(|list| list.iter().map(|server| server.weight).sum());
    std::iter::once(service.n()).chain(previous).map(|n: u32| match service.selection {
        // As while some server is down.
        Selection::Modulo => n * Refinement::default().times(n, 1, 2),
        Selection::Resilient { .. } if n == 0 => 0,
        Selection::Resilient { slots } => slots,
    })
}
