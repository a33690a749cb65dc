//! The validated configuration.

mod check;
mod config;
pub mod health;
pub mod host;
mod peer;
mod positions;
mod previous;
mod server;
mod service;
mod sockets;

pub use lb_common::formula::Formula;

pub(super) use self::service::target;
pub use self::{
    check::{Check, Initial, Kind, Method},
    config::{Config, Group, Role, count},
    health::{ByHand, Failing, Failure, Health, Missing, Unresolved},
    host::{Host, HostName},
    peer::{Peer, PeerMac},
    positions::Positions,
    previous::{ParsePreviousError, PreviousServer},
    server::{Server, ServerMac, State, Vlan},
    service::{Direction, Fragments, Selection, Service},
    sockets::{Netns, ParseNetnsError, Sockets},
};
