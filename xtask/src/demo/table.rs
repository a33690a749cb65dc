//! One request from each client, and three ways to determine which server answers.

use anyhow::{Result, ensure};

use super::{
    arithmetic,
    family::{Family, PORT, SERVERS},
    gateway::Gateway,
    topology::curl,
};
use crate::interrupt;

/// Determines the server of every client of a family: by the formula, by `modlb explain`, and by a request. All three
/// must agree.
pub fn check(gateway: &Gateway, family: Family) -> Result<()> {
    println!("\n  sum = client + {} + {PORT}", family.service_address());
    println!("  {:<20} {:>40} {:>5}  {:<9} {:<9} {:<9}", "client", "sum", "sum%3", "expected", "explained", "answered");
    for client in family.clients() {
        interrupt::check()?;
        let (sum, expected) = (arithmetic::sum(client).to_string(), arithmetic::server(client));
        let explained = gateway.explain(client)?;
        let answered = curl(client)?;
        println!(
            "  {client:<20} {sum:>40} {expected:>5}  {:<9} {:<9} {answered:<9}",
            SERVERS[expected], SERVERS[explained.server]
        );
        ensure!(explained.sum == sum, "modlb explain has another sum: {}", explained.sum);
        ensure!(explained.server == expected, "modlb explain and the formula name different servers");
        ensure!(answered == SERVERS[expected], "the server that answered is not the one that the formula names");
    }
    Ok(())
}
