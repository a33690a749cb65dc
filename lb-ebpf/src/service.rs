//! Flow → service: the most specific first.

use lb_common::{
    control::Control,
    flow::{Address, Flow, protocol},
    key::{self, Kind},
    limits::MAX_PROBES,
    outcome::Outcome,
    table::ServiceCell,
};

use crate::{maps, prefix};

/// The cell of the service that the flow belongs to.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control) -> Result<&'static ServiceCell, Outcome> {
    match exact(flow, control) {
        Some(cell) => Ok(cell),
        None => prefix::find(flow, control),
    }
}

#[inline(always)]
fn exact<A: Address>(flow: &Flow<A>, control: Control) -> Option<&'static ServiceCell> {
    let search = Search::new(flow.destination, control);
    if flow.fragment {
        return search.probe(Kind::Fragment, flow.protocol, 0).or_else(|| search.any_protocol());
    }
    if protocol::has_ports(flow.protocol)
        && let Some(cell) = search.probe(Kind::Port, flow.protocol, flow.destination_port)
    {
        return Some(cell);
    }
    if control.any_port()
        && let Some(cell) = search.probe(Kind::Protocol, flow.protocol, 0)
    {
        return Some(cell);
    }
    search.any_protocol()
}

/// A search for one address in the active half.
struct Search<A> {
    address: A,
    hash: u64,
    control: Control,
}

impl<A: Address> Search<A> {
    #[inline(always)]
    fn new(address: A, control: Control) -> Self {
        Self { address, hash: key::hash_address(address, control.seed()), control }
    }

    /// The service of the whole address, if there are any such services.
    #[inline(always)]
    fn any_protocol(&self) -> Option<&'static ServiceCell> {
        if self.control.any_protocol() { self.probe(Kind::Address, 0, 0) } else { None }
    }

    /// Looks at the cells from the key's place on until one has the key or is empty.
    #[inline(always)]
    fn probe(&self, kind: Kind, protocol: u8, port: u16) -> Option<&'static ServiceCell> {
        let tag = key::tag(A::FAMILY, kind, protocol, port);
        let mask = maps::cell_mask();
        let mut place = key::first_cell(self.hash, tag, mask);
        for _ in 0..MAX_PROBES {
            let cell = maps::cell(self.control.half(), place)?;
            if cell.tag == tag && cell.address == self.address.halves() {
                return Some(cell);
            }
            if cell.tag == 0 {
                return None;
            }
            place = (place + 1) & mask;
        }
        None
    }
}
