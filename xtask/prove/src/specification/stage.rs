//! How far the specification is with a packet. Each stage says all that later ones may know of the frame.

use crate::{
    specification::effects::Effects,
    term::{Term, Terms},
};

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// Its number in keys.
    pub const fn number(self) -> u64 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    /// The protocol number of the family's ICMP.
    pub const fn icmp(self) -> u64 {
        match self {
            Self::V4 => 1,
            Self::V6 => 58,
        }
    }
}

/// The tuple that services are matched with and the formula adds up, as bytes of 8 bits, the most significant first.
/// The source is the client, the destination the service.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Flow {
    pub family: Family,
    pub source: Vec<Term>,
    pub destination: Vec<Term>,
    pub source_port: Vec<Term>,
    pub destination_port: Vec<Term>,
    pub protocol: Term,
    pub fragment: bool,
    /// Whether the protocol has ports; of a fragment this is not asked.
    pub has_ports: bool,
}

impl Flow {
    /// All bytes that it consists of.
    pub fn bytes(&self) -> Vec<Term> {
        let Self { family: _, source, destination, source_port, destination_port, protocol, fragment: _, has_ports: _ } =
            self;
        let parts = [source, destination, source_port, destination_port];
        parts.into_iter().flatten().copied().chain([*protocol]).collect()
    }

    /// The same of other bytes.
    #[must_use]
    pub fn with(&self, mut change: impl FnMut(Term) -> Term) -> Self {
        let mut all = |bytes: &[Term]| bytes.iter().map(|byte| change(*byte)).collect();
        Self {
            family: self.family,
            source: all(&self.source),
            destination: all(&self.destination),
            source_port: all(&self.source_port),
            destination_port: all(&self.destination_port),
            fragment: self.fragment,
            has_ports: self.has_ports,
            protocol: change(self.protocol),
        }
    }
}

/// A number of 64 bits with these bytes at its end, the most significant first.
pub fn number(terms: &mut Terms, bytes: &[Term]) -> Term {
    let lowest_first: Vec<_> = bytes.iter().rev().copied().collect();
    let number = terms.concat(&lowest_first);
    terms.zero_extend(number, 64)
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Formula {
    ThreeTuple,
    FiveTuple,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Stage {
    /// Nothing is known.
    Frame,
    /// The frame is to be looked at, and this is where its IP header starts.
    Network { family: Family, place: u64 },
    /// An ICMP error's header starts at `at`, and by the IP header it has `left` bytes, not less than 8. It came to
    /// `destination`, and what it quotes says which flow it belongs to.
    Quote { family: Family, at: Term, left: Term, destination: Vec<Term> },
    /// This is its flow.
    Flow(Flow),
    /// The cell of its service is here, and says by which formula its server is found.
    Service { flow: Flow, cell: Term, formula: Formula },
    /// The formula names this slot, and its server's counter, relative to the first of the service.
    Server { cell: Term, slot: Term, relative: Term },
    /// This is what becomes of it.
    Decided(Verdict),
}

impl Stage {
    /// The cell of the service, if that is known.
    pub const fn cell(&self) -> Option<Term> {
        match self {
            Self::Service { cell, .. } | Self::Server { cell, .. } => Some(*cell),
            Self::Frame | Self::Network { .. } | Self::Quote { .. } | Self::Flow(_) | Self::Decided(_) => None,
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Network { .. } => "network header",
            Self::Quote { .. } => "quote",
            Self::Flow(_) => "flow",
            Self::Service { .. } => "service",
            Self::Server { .. } => "server",
            Self::Decided(_) => "end",
        }
    }
}

/// All that is done with a packet.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Verdict {
    pub action: Term,
    pub effects: Effects,
}
