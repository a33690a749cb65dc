//! One request from each client, and three opinions on who answers.

use anyhow::{Result, ensure};

use super::{
    arithmetic, interrupt,
    topology::{CLIENTS, Family, PORT, SERVERS, Topology},
};

/// Asks for every client of a family: the formula, `modlb explain`, and the network. All three must agree.
pub fn check(topology: &Topology, family: Family) -> Result<()> {
    println!("\n  (client + {} + {PORT}) % {}", family.service_address(), SERVERS.len());
    println!("  {:<20} {:>40} {:>3}  {:<9} {:<9} {:<9}", "client", "sum", "%", "expected", "explained", "answered");
    for client in (0..CLIENTS).map(|client| family.client(client)) {
        interrupt::check()?;
        let expected = arithmetic::server(client);
        let explained = topology.explained_server(client)?;
        let answered = topology.curl(client)?;
        println!(
            "  {:<20} {:>40} {:>3}  {:<9} {:<9} {:<9}",
            client,
            arithmetic::sum(client),
            expected,
            SERVERS[expected],
            SERVERS[explained],
            answered
        );
        ensure!(explained == expected, "modlb explain names another server than the formula");
        ensure!(answered == SERVERS[expected], "another server answered than the formula names");
    }
    Ok(())
}
