//! Checks that a way to forward works before it is timed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
};

use anyhow::{Context as _, Result, ensure};
use lb_common::mac::Mac;

use crate::{
    frame::{Family, INTERFACE},
    packets::{path::Path, way::Way},
    table::mac as mac_of,
    wire::FLOOR_SERVER,
};

/// How many packets are checked.
const PACKETS: u32 = 1_000;

/// Checks some frames: each arrived from the gateway for the right server, unchanged except for what a router must
/// change; all servers get some; and a client always has the same server.
pub fn check(path: &mut Path) -> Result<()> {
    let way = path.way.name();
    let records = path.wire.record(&path.stream.load, &path.stream.frame.bytes, PACKETS)?;
    ensure!(records.len() == PACKETS as usize, "{way}: {} of {PACKETS} packets arrived", records.len());
    let mut servers: BTreeMap<(u16, u16), Mac> = BTreeMap::new();
    for record in &records {
        let bytes: Vec<u8> = record.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let numbers = path.stream.frame.numbers(&bytes, path.stream.spread);
        let server = one(path, &bytes, numbers).with_context(|| format!("{way}: {bytes:02x?}"))?;
        let same = *servers.entry(numbers).or_insert(server);
        ensure!(same == server, "{way}: client {} was sent to {same} and to {server}", numbers.0);
    }
    if path.way.chooses() && path.table.services == 1 {
        let all = servers.values().collect::<BTreeSet<_>>().len();
        ensure!(all == path.table.servers as usize, "{way}: only {all} of {} servers got packets", path.table.servers);
    }
    Ok(())
}

/// The server that a frame is for.
fn one(path: &Path, bytes: &[u8], (client, service): (u16, u16)) -> Result<Mac> {
    let mac = |at: usize| -> Result<Mac> { Ok(Mac(bytes[at..at + 6].try_into()?)) };
    let (destination, source) = (mac(0)?, mac(6)?);
    ensure!(source == INTERFACE, "it comes from {source}");
    match path.way {
        Way::Floor | Way::Redirect => ensure!(destination == FLOOR_SERVER, "it goes to {destination}"),
        Way::Native | Way::Generic | Way::TwoArmed => {
            let expected = path.table.expected(&path.shape, client, service)?;
            ensure!(destination == expected, "it goes to {destination} instead of {expected}");
        }
        Way::Route | Way::Transit => ensure!(destination == mac_of(0, 0), "it goes to {destination}"),
        Way::Nftables | Way::Ecmp => {
            let server = (0..path.table.servers).any(|server| mac_of(0, server) == destination);
            ensure!(server, "it goes to {destination}, which is no server");
        }
    }
    let hops = if path.way.routes() { 63 } else { 64 };
    let (client_base, service_base) = path.table.family.bases();
    let first = u128::from(path.shape.first) << path.shape.stride;
    let (client, service) = (client_base + u128::from(client), service_base + first + u128::from(service));
    let (found, hop_limit) = match path.table.family {
        Family::V4 => {
            let address =
                |at: usize| u128::from(Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]).to_bits());
            ((address(26), address(30)), bytes[22])
        }
        Family::V6 => {
            let address = |at: usize| -> Result<u128> {
                Ok(Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[at..at + 16])?).to_bits())
            };
            ((address(22)?, address(38)?), bytes[21])
        }
    };
    ensure!(found == (client, service), "its addresses changed");
    ensure!(hop_limit == hops, "its hop limit is {hop_limit}");
    Ok(destination)
}
