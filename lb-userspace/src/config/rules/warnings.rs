//! What is allowed and yet hardly meant: a list of servers that shrinks, or servers that are services elsewhere, must
//! not keep a configuration from being put in force.

use std::{collections::HashMap, net::IpAddr};

use super::address::multicast;
use crate::config::model::{Config, ServerMac, Service};

impl Config {
    /// A line for each thing that is allowed and hardly meant.
    pub fn warnings(&self) -> Vec<String> {
        let services = self.services.iter().filter(|service| !service.is_prefix());
        let vips: HashMap<IpAddr, &str> = services.map(|it| (it.address.addr(), it.name.as_str())).collect();
        let lines = self.services.iter().flat_map(|service| {
            let of_service = min_up(service).into_iter().chain(multicast_service(service)).map(|text| (None, text));
            let vips = service.listed().filter_map(|server| {
                let other = vips.get(&server.address).filter(|_| server.mac == ServerMac::Unresolved)?;
                Some((Some(server.address), format!(
                    "this is the address of service {other}, for which no server answers ARP or neighbour discovery; give the \
                     server's own address, or its mac"
                )))
            });
            of_service.chain(vips).map(|(server, text)| match server {
                Some(server) => format!("service {}: server {server}: {text}", service.name),
                None => format!("service {}: {text}", service.name),
            })
        });
        lines.collect()
    }
}

fn multicast_service(service: &Service) -> Option<String> {
    let address =
        Some(service.address.addr()).filter(|address| !service.is_prefix() && multicast(*address).is_some())?;
    Some(format!(
        "address {address} is a multicast address: frames to it have a multicast MAC, which only a member takes whose \
         group_mac it is"
    ))
}

fn min_up(service: &Service) -> Option<String> {
    let (check, servers) = (service.check.as_ref()?, service.listed().count());
    (servers > 0 && check.min_up as usize > servers).then(|| {
        let min_up = check.min_up;
        format!("check: min_up {min_up} is more than its {servers} servers: a failing check never takes one out")
    })
}

#[cfg(test)]
mod tests {
    use crate::config::file::parse;

    const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 80\n";

    #[test]
    fn checks_that_never_count() {
        let with = |min_up: u32| {
            let server = "[[service.server]]\naddress = \"10.0.0.1\"\n";
            let check = format!("check = {{ kind = \"tcp\", min_up = {min_up} }}\n");
            parse(&format!("{SERVICE}{check}{server}")).unwrap().warnings()
        };
        assert!(with(1).is_empty());
        let expected = "service web: check: min_up 2 is more than its 1 servers: a failing check never takes one out";
        assert_eq!(with(2), [expected]);
    }

    #[test]
    fn a_multicast_service() {
        for address in ["224.0.0.9", "ff02::9"] {
            let text = format!("[[service]]\nname = \"web\"\naddress = \"{address}\"\n");
            let warnings = parse(&text).unwrap().warnings();
            let start = format!("service web: address {address} is a multicast address");
            assert!(warnings.len() == 1 && warnings[0].starts_with(&start), "{warnings:?}");
        }
    }

    #[test]
    fn a_service_as_the_server_of_another() {
        for (vip, other, found) in
            [("203.0.113.10", "198.51.100.1", "203.0.113.10"), ("fd00::10", "2001:db8::1", "fd00::10")]
        {
            let text = |mac: &str| {
                format!(
                    "[[service]]\nname = \"web\"\naddress = \"{vip}\"\n[[service]]\nname = \"front\"\naddress = \"{other}\"\n\
                     [[service.server]]\naddress = \"{found}\"\n{mac}"
                )
            };
            let warnings = parse(&text("")).unwrap().warnings();
            assert!(warnings.len() == 1 && warnings[0].contains("address of service web"), "{warnings:?}");
            assert!(parse(&text("mac = \"02:00:00:00:00:01\"")).unwrap().warnings().is_empty());
        }
    }
}
