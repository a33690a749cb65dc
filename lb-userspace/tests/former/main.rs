//! Instances of the former ABI: upgraded without losing a packet, and refused by other commands.

#[path = "../support/mod.rs"]
mod support;

mod agent;
mod balancer;
mod instance;
mod killed;
mod maps;
mod programs;
mod refused;
mod roles;
mod shapes;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use lb_userspace::datapath::{Datapath, Totals};
use serde_json::Value;
use support::{
    modlb::Modlb,
    namespace::Namespace,
    two_links::{Fate, TwoLinks},
};

use instance::{SMALL, make_former};

/// A gateway with an instance of ABI 6 on one or two interfaces.
struct Old {
    links: TwoLinks,
    /// Opened when it was of this version; both count in the same maps.
    before: Datapath,
}

impl Old {
    /// Attaches to these interfaces. `prepare` changes the instance before it becomes one of ABI 6.
    fn new(interfaces: &str, configuration: &str, prepare: impl FnOnce(&TwoLinks)) -> Self {
        let links = TwoLinks::new();
        for peer in ["peer0", "peer1"] {
            // What the kernel sends by itself would be counted at any moment.
            links.namespace.run("sysctl", &format!("-q -w net.ipv6.conf.{peer}.disable_ipv6=1"));
        }
        links.modlb.attach(&format!("{interfaces} --mode generic {SMALL}"), configuration);
        prepare(&links);
        let before = open(&links.namespace, &links.modlb);
        make_former(&links.namespace, &links.modlb, None);
        Self { links, before }
    }

    /// What it has counted.
    fn totals(&self) -> Totals {
        self.before.totals().unwrap()
    }
}

/// Opens an instance of this version.
fn open(namespace: &Namespace, modlb: &Modlb) -> Datapath {
    namespace.within(|| Datapath::open(modlb.instance()).unwrap())
}

/// Asserts that two readings have the same counters.
fn assert_same(former: &Totals, now: &Totals) {
    assert_eq!(former.outcomes, now.outcomes);
    let services = |totals: &Totals| -> Vec<_> {
        let names = totals.snapshot.config.services.iter().map(|service| service.name.clone());
        names.zip(totals.services.iter().map(|service| (service.total, service.servers.clone()))).collect()
    };
    assert_eq!(services(former), services(now));
}

/// Runs a command while packets come in by these interfaces; returns its output and what became of the packets.
fn under_load<const N: usize>(
    links: &TwoLinks,
    interfaces: [usize; N],
    command: &mut std::process::Command,
) -> (std::process::Output, [Fate; N]) {
    let stop = AtomicBool::new(false);
    let (output, sent) = thread::scope(|scope| {
        let stop = &stop;
        let senders = interfaces.map(|interface| scope.spawn(move || links.send_until(interface, stop)));
        let output = command.output().unwrap();
        stop.store(true, Ordering::Relaxed);
        (output, senders.map(|sender| sender.join().unwrap()))
    });
    (output, links.fates(sent))
}

/// Asserts that nothing is wrong with an instance of this version.
fn assert_well(modlb: &Modlb) -> Value {
    let status = modlb.json("status");
    assert_eq!(status["problems"], serde_json::json!([]));
    assert_eq!(status["abi"], lb_common::abi::ABI);
    status
}
