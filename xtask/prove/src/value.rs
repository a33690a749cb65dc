//! What registers hold.

use std::rc::Rc;

/// Where a pointer points to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Region {
    Stack,
    Context,
    Packet,
    Table(Rc<str>),
    /// Nothing may be read or written there.
    Other(Rc<str>),
}

/// What a register holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<N> {
    Number(N),
    /// So many bytes behind the region's start, modulo 2^64.
    Pointer(Region, N),
}
