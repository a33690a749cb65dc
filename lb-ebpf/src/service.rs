//! Flow → service: the most specific first.

use lb_common::{
    control::Control,
    flow::{Address, Flow, protocol},
    key::{self, Kind, Side},
    limits::MAX_PROBES,
    outcome::Outcome,
    table::ServiceCell,
};

use crate::{maps, prefix};

/// The cell of the service that the flow belongs to, among those of packets that have the service at this side.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> Result<&'static ServiceCell, Outcome> {
    match exact(flow, control, side) {
        Some((_, cell)) => Ok(cell),
        None => prefix::find(flow, control, side),
    }
}

/// The same as the cell's number.
#[inline(always)]
pub fn find_number<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> Option<u32> {
    match exact(flow, control, side) {
        Some((number, _)) => Some(number),
        None => prefix::find_number(flow, control, side),
    }
}

/// A cell and its number.
type Found = (u32, &'static ServiceCell);

/// Whether this host tells the group's MAC to who asks for an address.
#[inline(always)]
pub fn announces<A: Address>(address: A, control: Control) -> bool {
    Search::new(address, control, Side::Destination).probe(Kind::Announced, 0, 0).is_some()
}

#[inline(always)]
fn exact<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> Option<Found> {
    let search = Search::new(flow.destination, control, side);
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
    side: Side,
}

impl<A: Address> Search<A> {
    #[inline(always)]
    fn new(address: A, control: Control, side: Side) -> Self {
        Self { address, hash: key::hash_address(address, control.seed()), control, side }
    }

    /// The service of the whole address, if there are any such services.
    #[inline(always)]
    fn any_protocol(&self) -> Option<Found> {
        if self.control.any_protocol() { self.probe(Kind::Address, 0, 0) } else { None }
    }

    /// Looks at the cells from the key's place on until one has the key or is empty.
    #[inline(always)]
    fn probe(&self, kind: Kind, protocol: u8, port: u16) -> Option<Found> {
        let tag = key::tag(self.side.of(A::FAMILY), kind, protocol, port);
        let mask = maps::cell_mask();
        let mut place = key::first_cell(self.hash, tag, mask);
        for _ in 0..MAX_PROBES {
            let number = maps::cell_number(self.control.half(), place);
            let cell = maps::numbered_cell(number)?;
            if cell.tag == tag && cell.address == self.address.halves() {
                return Some((number, cell));
            }
            if cell.tag == 0 {
                return None;
            }
            place = (place + 1) & mask;
        }
        None
    }
}
