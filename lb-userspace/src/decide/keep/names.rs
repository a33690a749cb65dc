//! By which address other hosts' files name this host.
//!
//! A host may be no server in its own file but one in another host's newer file. Then it has to stand in the ring where
//! that host puts it: from another place it would send a packet back to where it came from, past the servers between.

use std::net::IpAddr;

use super::super::peers::PeerRule;
use crate::config::model::{Config, Service};

/// For each service the address by which it lists this host, or a newer file may; `None`: none of `own`, this host's
/// addresses, can be meant.
pub fn names(config: &Config, peers: &[PeerRule], own: &[IpAddr]) -> Vec<Option<IpAddr>> {
    let name = |(service, rule): (&Service, &PeerRule)| match rule.here {
        Some(server) => Some(service.servers[server].address),
        None => nearest(config, own, service),
    };
    config.services.iter().zip(peers).map(name).collect()
}

/// Of addresses of this host, the one that has the most leading bits in common with a server of the service.
fn nearest(config: &Config, own: &[IpAddr], service: &Service) -> Option<IpAddr> {
    let common = |own: IpAddr, server: IpAddr| match (own, server) {
        (IpAddr::V4(own), IpAddr::V4(server)) => (own.to_bits() ^ server.to_bits()).leading_zeros(),
        (IpAddr::V6(own), IpAddr::V6(server)) => (own.to_bits() ^ server.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    };
    let bits = |own: &IpAddr| service.servers.iter().map(|server| common(*own, server.address)).max();
    // Every server of a service has its address as well.
    let is_service = |own: &IpAddr| config.services.iter().any(|service| service.address.addr() == *own);
    let same_family = own.iter().filter(|own| own.is_ipv4() == service.address.addr().is_ipv4());
    let candidates = same_family.filter(|own| !is_service(own)).filter_map(|own| Some((bits(own)?, *own)));
    candidates.max_by_key(|(bits, _)| *bits).map(|(_, own)| own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    #[test]
    fn a_host_that_is_not_listed_has_the_address_that_is_most_like_a_servers() {
        let text = "role = \"keep\"\n\
             [[service]]\nname = \"four\"\naddress = \"203.0.113.10\"\n\
             server = [{ address = \"10.0.0.11\" }, { address = \"10.0.0.12\" }]\n\
             [[service]]\nname = \"six\"\naddress = \"2001:db8:f00::10\"\n\
             server = [{ address = \"fd00::b\" }, { address = \"fd00::c\" }]\n";
        let config = file::parse(text).unwrap();
        let of = |own: &[&str], here: &[Option<usize>; 2]| {
            let own: Vec<IpAddr> = own.iter().map(|address| address.parse().unwrap()).collect();
            let rules = PeerRule::all(&config, |service, server| here[service] == Some(server));
            names(&config, &rules, &own).into_iter().map(|name| name.map(|it| it.to_string())).collect::<Vec<_>>()
        };
        let name = |address: &str| Some(address.to_owned());
        let many =
            ["10.0.0.14", "127.0.0.1", "192.0.2.1", "203.0.113.10", "::1", "2001:db8:f00::10", "fd00::e", "fe80::1"];
        assert_eq!(of(&many, &[None, None]), [name("10.0.0.14"), name("fd00::e")]);
        assert_eq!(of(&["fd00::e", "10.0.0.14"], &[None, None]), [name("10.0.0.14"), name("fd00::e")]);
        assert_eq!(of(&many, &[Some(1), None]), [name("10.0.0.12"), name("fd00::e")]);
        assert_eq!(of(&["fd00::e", "203.0.113.10"], &[None, Some(0)]), [None, name("fd00::b")]);
    }
}
