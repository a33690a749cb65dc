//! Rules that translate destinations. Where one translates a service's address, no socket has the service's
//! connections under that address, so role `keep` cannot find them.

use std::{collections::HashSet, io, net::IpAddr, process::Command};

use anyhow::{Result, bail};
use ipnet::IpNet;

use crate::config::model::{Config, Role, Service};

/// What prints rules of address translation, from either interface to the kernel.
const PRINTERS: [(&str, &[&str]); 3] = [
    ("nft", &["--stateless", "list", "ruleset"]),
    ("iptables-legacy-save", &["-t", "nat"]),
    ("ip6tables-legacy-save", &["-t", "nat"]),
];

/// What such a rule means.
pub const MEANING: &str = "the kernel translates the address before it looks for a socket, so none has the service's \
                           address: role `keep` takes each connection for another server's";

/// What to do about it.
pub const CURE: &str = "remove the rule (a container's published port makes one), and let the server listen on the \
                        service's address; for a container, name its network namespace by `sockets`";

/// Refuses role `keep` where a rule translates the address of a service of this host, with these addresses. Rules that
/// cannot be read are no reason.
///
/// # Errors
///
/// There is such a rule.
pub fn check(config: &Config, own: &HashSet<IpAddr>) -> Result<()> {
    let is_here = |service: &&Service| service.servers.iter().any(|server| own.contains(&server.address));
    let mut services = config.services.iter().filter(|service| service.takes_tcp()).filter(is_here).peekable();
    if config.role != Role::Keep || services.peek().is_none() {
        return Ok(());
    }
    let rules = rules().unwrap_or_default();
    if let Some((service, rule)) = services.find_map(|service| Some((service, of(service, &rules)?))) {
        bail!(
            "service {}: a rule of address translation: {rule}\n{MEANING}; {CURE}; or go on anyway: `--force`",
            service.name
        );
    }
    Ok(())
}

/// A rule that translates a service's address, as far as its words say.
pub fn of<'a>(service: &Service, rules: &'a [String]) -> Option<&'a str> {
    rules.iter().map(String::as_str).find(|rule| translates(rule, service.address, service.port))
}

/// The rules of this network namespace that translate destinations.
pub fn rules() -> Result<Vec<String>, String> {
    let mut rules = Vec::new();
    for (place, (program, arguments)) in PRINTERS.into_iter().enumerate() {
        let output = match Command::new(program).args(arguments).output() {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // nftables also shows what iptables-nft makes; the others are of old hosts.
                if place == 0 {
                    return Err("`nft` is not installed, so rules of address translation cannot be read".to_owned());
                }
                continue;
            }
            Err(error) => return Err(format!("{program}: {error}")),
        };
        if !output.status.success() {
            return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let words = ["dnat", "redirect", "DNAT", "REDIRECT"];
        let translates = |line: &&str| line.split_whitespace().any(|word| words.contains(&word));
        rules.extend(text.lines().filter(translates).map(|line| line.trim().to_owned()));
    }
    Ok(rules)
}

/// Whether a rule, as `nft` or `iptables-save` prints it, translates TCP to this destination, as far as its words say.
/// What it does not say counts as any.
fn translates(rule: &str, address: IpNet, port: Option<u16>) -> bool {
    let words: Vec<_> = rule.split_whitespace().collect();
    let translates = words.iter().any(|word| matches!(*word, "dnat" | "redirect" | "DNAT" | "REDIRECT"));
    let after = |names: &[&str]| {
        let place = words.iter().position(|word| names.contains(word))?;
        // What it negates or lists is too much for this: it counts as any.
        words.get(place + 1).copied().filter(|word| !word.starts_with(['!', '{', '@', '$']))
    };
    let is_udp = words.windows(2).any(|pair| matches!(pair, ["udp", "dport"] | ["-p", "udp"]));
    let of_address = after(&["daddr", "-d"]).and_then(parse_net).is_none_or(|net| overlap(net, address));
    let of_port = match (after(&["dport", "--dport"]), port) {
        (Some(word), Some(port)) => is_in(word, port),
        (None, _) | (_, None) => true,
    };
    // A rule for other addresses of the family may translate to it; one of the other family cannot match.
    let family = words.windows(2).find_map(|pair| match pair {
        ["ip", "daddr" | "saddr"] => Some(true),
        ["ip6", "daddr" | "saddr"] => Some(false),
        _ => None,
    });
    let of_family = family.is_none_or(|four| four == address.addr().is_ipv4());
    translates && !is_udp && of_address && of_port && of_family
}

fn parse_net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.addr()) || b.contains(&a.addr())
}

/// Whether a port is in text such as `80`, `80-90` or `80:90`; other text, such as a name, may mean it.
fn is_in(text: &str, port: u16) -> bool {
    let mut bounds = text.split(['-', ':']).map(|bound| bound.parse::<u16>().ok());
    match (bounds.next().flatten(), bounds.next()) {
        (Some(first), None) => first == port,
        (Some(first), Some(Some(last))) => (first..=last).contains(&port),
        (_, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_translate_a_service_are_recognised() {
        let service: IpNet = "203.0.113.10/32".parse().unwrap();
        for (rule, expected) in [
            ("ip daddr 203.0.113.10 tcp dport 80 dnat to 172.17.0.2:80", true),
            ("ip daddr 203.0.113.0/24 tcp dport 80 counter packets 0 bytes 0 dnat to 172.17.0.2:80", true),
            ("-A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80", true),
            ("-A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 70:90 -j REDIRECT --to-ports 8080", true),
            ("tcp dport { 80, 443 } redirect to :8080", true),
            ("ip daddr 203.0.113.11 tcp dport 80 dnat to 172.17.0.2:80", false),
            ("ip daddr 203.0.113.10 tcp dport 81 dnat to 172.17.0.2:80", false),
            ("ip daddr 203.0.113.10 udp dport 80 dnat to 172.17.0.2:80", false),
            ("-A PREROUTING -d 203.0.113.10/32 -p udp -j DNAT --to-destination 172.17.0.2", false),
            ("ip6 daddr 2001:db8::1 tcp dport 80 dnat to [fd00::1]:80", false),
            ("ip daddr 203.0.113.10 tcp dport 80 accept", false),
            ("-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE", false),
        ] {
            assert_eq!(translates(rule, service, Some(80)), expected, "{rule}");
        }
        assert!(translates("ip daddr 203.0.113.10 tcp dport 81 dnat to 10.0.0.1", service, None));
    }
}
