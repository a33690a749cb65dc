//! Frames go to the server that the formula names, for every protocol with ports.

use crate::*;

const PROTOCOLS: [(&str, u8); 5] = [("tcp", TCP), ("udp", UDP), ("sctp", SCTP), ("dccp", DCCP), ("udplite", UDP_LITE)];

/// Each protocol has another number of servers.
fn servers(protocol: usize) -> Range<u8> {
    11..14 + protocol as u8
}

fn configuration() -> String {
    let mut text = String::new();
    for (index, (name, _)) in PROTOCOLS.iter().enumerate() {
        for (suffix, address) in [("4", WEB), ("6", WEB6)] {
            for (formula, port) in [("3-tuple", 443), ("5-tuple", 8_443)] {
                let what = format!("protocol = \"{name}\"\nport = {port}\nformula = \"{formula}\"");
                text += &service(&format!("{name}{suffix}-{formula}"), address, &what, servers(index));
            }
        }
    }
    text
}

#[test]
fn both_formulas_name_the_server_in_both_families() {
    need_root!();
    let bench = Bench::new(&configuration());
    for (index, (name, protocol)) in PROTOCOLS.into_iter().enumerate() {
        for (suffix, address) in [("4", WEB), ("6", WEB6)] {
            let to = address.parse().unwrap();
            for from in clients(address) {
                for source_port in [0, 1, 51_234, 65_535] {
                    let frame = |port| to_gateway(&ip(from, to, protocol, &ports(source_port, port)));
                    let what = format!("{name} {from} {source_port} → {to}");
                    let (three, five) = (format!("{name}{suffix}-3-tuple"), format!("{name}{suffix}-5-tuple"));
                    sent(&bench, &what, &frame(443), (&three, address), &sum(from, to, &[443]), servers(index));
                    let whole = sum(from, to, &[source_port, 8_443, protocol.into()]);
                    sent(&bench, &what, &frame(8_443), (&five, address), &whole, servers(index));
                }
            }
            passes(&bench, "another port", &to_service(address, protocol, &ports(1, 444)), Outcome::NoService);
        }
    }
}
