//! Who may hold a connection after the servers of a service changed, and who hands it on to whom. Pure.
//!
//! ```text
//! ranking   a service with its previous lists → for each slot, the first servers in its order
//! holders   a slot of each list → the servers that may hold its connections
//! ring      holders and a flow → who hands it on to whom
//! walk      what a server does with a packet
//! members   the same in a group, where all receive everything
//! names     by which address other hosts know this one
//! explained holders and ring of one flow, to be shown
//! ```

pub mod explained;
pub mod holders;
pub mod members;
pub mod names;
pub mod ranking;
pub mod ring;
pub mod walk;

#[cfg(test)]
mod tests;
