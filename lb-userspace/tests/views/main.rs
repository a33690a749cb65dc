//! What an operator looks at: metrics, the status page and `modlb top`, each compared with `modlb stats`.

#[path = "../support/mod.rs"]
mod support;

mod chromium;
mod limits;
mod listener;
mod metrics;
mod page;
mod prometheus;
mod protected;
mod top;
mod watch;

use std::net::IpAddr;

use support::{
    bench::Bench,
    frame::{TCP, ip, ports, to_gateway},
};

/// Services of both families; the second's name is one that a page must not take for markup.
const ODD_NAME: &str = "<b>\\\"&amp;'x";

/// `web` with three servers, one of them down, and one for IPv6.
fn services() -> String {
    let mut text = String::new();
    for (name, address) in [("web", "203.0.113.10"), (ODD_NAME, "2001:db8:f00::10")] {
        text += &format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = 80\n");
        for number in 11..14 {
            let state = if number == 13 { "down" } else { "up" };
            let server = if address.contains(':') { format!("fd00::{number}") } else { format!("10.0.0.{number}") };
            text += &format!(
                "[[service.server]]\naddress = \"{server}\"\nmac = \"02:00:00:00:02:{number}\"\nstate = \"{state}\"\n"
            );
        }
    }
    text
}

/// Packets of both services from many clients, and some of none.
fn send(bench: &Bench, clients: u8) {
    let frame = |from: IpAddr, to: &str| to_gateway(&ip(from, to.parse().unwrap(), TCP, &ports(1, 80)));
    for client in 0..clients {
        let four = IpAddr::from([198, 51, 100, client]);
        bench.run(&frame(four, "203.0.113.10"));
        bench.run(&frame([0x2001, 0xdb8, 0xc, 0, 0, 0, 0, client.into()].into(), "2001:db8:f00::10"));
        if client % 3 == 0 {
            bench.run(&frame(four, "203.0.113.99"));
        }
    }
}
