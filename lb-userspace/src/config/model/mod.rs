//! The validated configuration.

mod check;
mod config;
pub mod health;
mod server;
mod service;

pub use lb_common::formula::Formula;

pub(super) use self::service::target;
pub use self::{
    check::{Check, Kind},
    config::{Config, Group, Role, count},
    health::{Failing, Failure, Health, Missing, Unresolved},
    server::{Server, ServerMac, State, Vlan},
    service::{Direction, Fragments, Selection, Service},
};
