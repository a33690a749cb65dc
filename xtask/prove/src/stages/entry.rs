//! Where a proof begins, and of which packets it is.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::{
    contracts, domain::Domain as _, image::Image, programs, specification::world::Search, state::State,
    symbolic::Symbolic, term::Term, value::Value,
};

/// A part of the name of the function that is the fast path where the service is found by a search.
pub const SEARCHED: &str = "balance_searched";

/// What that function returns, and what it is handed, besides actions (`lb-ebpf/src/datapath/balancer.rs`).
pub const UNDECIDED: u64 = 0xffff_ffff;
pub const SEARCH: u64 = 0xffff_fffe;
pub const SEARCH_PREFIX: u64 = 0xffff_fffd;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// The program, up to the functions below.
    Fast,
    /// The fast path once more, with a search.
    Searched { prefix: bool },
    /// The general path, of frames whose first buffer is shorter than 2^15 bytes.
    General,
    /// The general path, of frames of any length, but plain ones: see [`super::plain`].
    Plain,
}

impl Entry {
    pub const ALL: [Self; 5] =
        [Self::Fast, Self::Searched { prefix: false }, Self::Searched { prefix: true }, Self::General, Self::Plain];

    pub const fn is_general(self) -> bool {
        matches!(self, Self::General | Self::Plain)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast path",
            Self::Searched { prefix: false } => "fast path with a search",
            Self::Searched { prefix: true } => "fast path with a search of prefixes",
            Self::General => "general path",
            Self::Plain => "general path, plain packets of any length",
        }
    }

    /// How the service is looked for.
    pub const fn search(self) -> Search {
        match self {
            Self::Searched { prefix: false } => Search::Whole,
            Self::Searched { prefix: true } => Search::Prefixes,
            Self::Fast | Self::General | Self::Plain => Search::Few,
        }
    }

    /// The function's first instruction.
    pub fn first(self, image: &Image, program: &str) -> Result<usize> {
        match self {
            Self::Fast => image.function(program),
            Self::Searched { .. } => image.called(program, SEARCHED),
            Self::General | Self::Plain => programs::general(image, program),
        }
    }

    /// The functions that the proof goes into, by their first instructions.
    pub fn functions(self, image: &Image, program: &str) -> Result<BTreeSet<usize>> {
        let (first, general) = (self.first(image, program)?, programs::general(image, program)?);
        let is_apart = |target: usize| {
            let name = image.name_at(target);
            target == general || name.contains(SEARCHED) || contracts::function(name).is_some()
        };
        Ok(image.reached_but(first, is_apart))
    }

    /// What the function is handed.
    pub fn state(self, domain: &mut Symbolic, first: usize) -> State<Term> {
        let (zero, control) = (domain.constant(0), domain.control());
        let context = State::context(zero);
        match self {
            Self::Fast => State::new(first, [context]),
            Self::Searched { prefix } => {
                let search = domain.constant(if prefix { SEARCH_PREFIX } else { SEARCH });
                let mut state = State::handed(first, context, control);
                state.registers[3] = Some(Value::Number(search));
                state
            }
            Self::General | Self::Plain => State::handed(first, context, control),
        }
    }
}
