//! In which order the servers of a list own a slot.
//!
//! A slot of the refined table ranks its own server first, then the others by rendezvous. Whichever servers take flows,
//! the first of them in this order owns the slot: what [`SlotTable`](super::SlotTable) computes.

use super::{
    entry::{Entry, entries},
    fill::{maglev, modulo},
    refinement::Refinement,
    rendezvous::{MOST, Tickets},
};
use crate::config::model::Selection;

/// The ranking of each slot, as far as some servers of a list go. It is computed slot by slot, when asked for.
pub struct Order {
    own: Vec<u16>,
    takes_part: Vec<bool>,
    tickets: Tickets,
}

impl Order {
    /// How many servers of a slot can be asked for.
    pub const MOST: usize = MOST;

    /// The order of the servers of a list that take part: those that take flows, or others. A list is one of the
    /// model's [`Server`](crate::config::model::Server)s or
    /// [`PreviousServer`](crate::config::model::PreviousServer)s.
    pub fn new<'list, S>(list: &'list [S], selection: Selection, takes_part: Vec<bool>) -> Self
    where
        Entry: From<&'list S>,
    {
        let servers = entries(list);
        let own = match selection {
            Selection::Modulo => {
                let n = servers.iter().map(|server| server.weight).sum();
                modulo(&servers, Refinement::default().finest(n))
            }
            Selection::Resilient { slots } => maglev(&servers, slots),
        };
        let tickets = Tickets::of(&servers, &takes_part);
        Self { own, takes_part, tickets }
    }

    /// T of the refined table; 0 without servers.
    pub fn len(&self) -> u32 {
        self.own.len() as u32
    }

    /// Whether there are no slots, which is so without servers.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// The first server in the order of a slot, as an index into the list.
    pub fn first(&self, slot: u32) -> Option<u16> {
        match *self.own.get(slot as usize)? {
            own if self.takes_part[usize::from(own)] => Some(own),
            _ => self.tickets.draw(slot.into()),
        }
    }

    /// Writes the first servers in the order of a slot, as indices into the list, and returns those that there are; at
    /// most [`Order::MOST`].
    pub fn fill<'first>(&self, slot: u32, first: &'first mut [u16]) -> &'first [u16] {
        let (Some(&own), false) = (self.own.get(slot as usize), first.is_empty()) else { return &[] };
        let heads = usize::from(self.takes_part[usize::from(own)]);
        first[0] = own;
        let most = first.len().min(MOST);
        let others = self.tickets.draw_many(slot.into(), own, &mut first[heads..most]);
        &first[..heads + others]
    }
}
