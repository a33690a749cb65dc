//! Two balancers for the same services: one at a time under keepalived, or both behind a router that spreads flows.
//! Whatever happens to one of them, no connection may break.

#[path = "../support/mod.rs"]
mod support;

mod agreement;
mod change;
mod ecmp;
mod keepalived;
mod notify;
mod site;
mod split;
mod takeover;
