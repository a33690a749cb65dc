//! Role `keep`, and groups: changes of servers break no connection.

#[path = "../support/mod.rs"]
mod support;

mod announced;
mod behind;
mod bound;
mod changes;
mod connections;
mod containers;
mod dead;
mod doctor;
mod errors;
mod group;
mod group_oracle;
mod listeners;
mod nginx;
mod oracle;
#[expect(dead_code, reason = "the oracle of the other roles uses the rest")]
#[path = "../oracle/random.rs"]
mod random;
mod rolling;
mod site;
mod states;
mod strays;

/// The service that all tests use.
const WEB: &str = "protocol = \"tcp\"\nport = 80\nformula = \"5-tuple\"";
