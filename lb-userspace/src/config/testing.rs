//! Configurations for property tests: any that the rules allow, with few names and addresses, so that two of them often
//! have some in common.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ipnet::IpNet;
use lb_common::mac::Mac;
use proptest::{collection::vec, prelude::*, sample::subsequence};

use super::{
    file,
    model::{
        Check, Config, Direction, Formula, Fragments, Group, Health, Initial, Kind, Method, Peer, PeerMac,
        PreviousServer, Role, Selection, Server, ServerMac, Service, Sockets, State, Vlan,
    },
};

/// Any valid configuration.
pub(crate) fn config() -> impl Strategy<Value = Config> {
    let interfaces = subsequence(vec!["eth0", "eth1", "bond0.7"], 0..=3).prop_shuffle();
    let services = subsequence((0..5).collect::<Vec<_>>(), 0..=5)
        .prop_shuffle()
        .prop_flat_map(|indices| indices.into_iter().map(service).collect::<Vec<_>>());
    let max_hand_ons = proptest::option::of(prop_oneof![Just(0), 1..15_000_000_u32]);
    let all = (interfaces, services, peers(), max_hand_ons, any::<bool>());
    all.prop_map(|(interfaces, mut services, peers, max_hand_ons, balancer)| {
        services.iter_mut().for_each(|service| restrict(service, balancer));
        let mut config = Config {
            interfaces: interfaces.into_iter().map(str::to_owned).collect(),
            role: if balancer { Role::Balancer } else { Role::Member },
            group: Group::default(),
            max_hand_ons,
            peers: if balancer { peers } else { Vec::new() },
            services,
        };
        config.update_former_servers();
        config
    })
}

/// Some of them are servers of [`servers`].
fn peers() -> impl Strategy<Value = Vec<Peer>> {
    let mac = prop_oneof![
        Just(PeerMac::Unresolved),
        Just(PeerMac::ThisHost),
        (1..4_u8).prop_map(|last| PeerMac::Resolved(Mac([2, 0, 0, 0, 0, last])))
    ];
    let addresses = subsequence([1, 3, 200].map(|host| [false, true].map(|six| address(six, 0, host))).concat(), 0..=4);
    addresses.prop_shuffle().prop_flat_map(move |addresses| {
        let macs = vec(mac.clone(), addresses.len());
        macs.prop_map(move |macs| addresses.iter().zip(macs).map(|(&address, mac)| Peer { address, mac }).collect())
    })
}

/// Removes what the role does not allow.
fn restrict(service: &mut Service, balancer: bool) {
    if balancer {
        service.direction = Direction::Forward;
        // A check needs a port if the service has none.
        service.check.iter_mut().for_each(|check| check.port = check.port.or(Some(80)));
    } else {
        service.servers.iter_mut().for_each(|server| server.vlan = None);
        service.check = None;
    }
}

/// A service with nothing but this name and address; every other key has its default.
pub(crate) fn plain(name: &str, address: IpNet) -> Service {
    let text = format!("[[service]]\nname = \"any\"\naddress = \"{address}\"\n");
    Service { name: name.to_owned(), ..file::parse(&text).unwrap().services.remove(0) }
}

/// Any valid service with the name and the destination that belong to this index.
pub(crate) fn service(index: u8) -> impl Strategy<Value = Service> {
    let name = ["web", "dns", "\"é\\'#", "ipsec", "rest"][usize::from(index)].to_owned();
    let six = index % 2 == 1;
    let address = address(six, 1, index);
    let target = prop_oneof![
        Just((Some(6), Some(443))),
        (1..=u16::MAX).prop_map(|port| (Some(17), Some(port))),
        Just((Some(50), None)),
        Just((Some(89), None)),
        Just((None, None)),
    ];
    let rest = (
        prop_oneof![Just(Formula::ThreeTuple), Just(Formula::FiveTuple)],
        prop_oneof![
            Just(Selection::Modulo),
            prop_oneof![Just(7), Just(251), Just(16_381)].prop_map(|slots| Selection::Resilient { slots })
        ],
        prop_oneof![Just(Fragments::Pass), Just(Fragments::Balance)],
        prop_oneof![Just(Direction::Forward), Just(Direction::Reply), Just(Direction::Both)],
    );
    (target, rest, check(six), servers(six, 6), previous(six), sockets()).prop_map(
        move |((protocol, port), (formula, selection, fragments, direction), check, servers, previous, sockets)| {
            Service {
                protocol,
                port,
                formula,
                selection,
                fragments,
                direction,
                sockets,
                check,
                servers,
                previous,
                ..plain(&name, address.into())
            }
        },
    )
}

/// Earlier lists of servers, mostly none.
pub(crate) fn previous(six: bool) -> impl Strategy<Value = Vec<Vec<PreviousServer>>> {
    let list = subsequence((1..=6).collect::<Vec<u8>>(), 1..=3).prop_shuffle().prop_flat_map(move |hosts| {
        let rest = vec((1..4_u32, any::<bool>(), proptest::option::of(1..3_u8)), hosts.len());
        rest.prop_map(move |rest| {
            let server = |(host, (weight, idle, mac)): (&u8, (u32, bool, Option<u8>))| PreviousServer {
                address: address(six, 0, *host),
                mac: mac.map(|last| Mac([2, 0, 0, 0, 0, last])),
                weight,
                idle,
            };
            hosts.iter().zip(rest).map(server).collect()
        })
    });
    prop_oneof![2 => Just(Vec::new()), 1 => vec(list, 1..=2)]
}

/// Where sockets are, mostly here.
fn sockets() -> impl Strategy<Value = Option<Sockets>> {
    let netns = prop_oneof![Just("blue"), Just("/run/netns/\"é"), Just("pid:17")];
    let elsewhere = (netns, proptest::option::of(0..5_u32))
        .prop_map(|(netns, id)| Some(Sockets { netns: netns.parse().unwrap(), id }));
    prop_oneof![3 => Just(None), 1 => elsewhere]
}

/// Any check that a balancer may have, or none.
fn check(six: bool) -> impl Strategy<Value = Option<Check>> {
    let check = (100..10_000_u64, 1..1_000_u16, 1..1_000_u16, 0..9_u32, any::<bool>());
    let check = check.prop_map(move |(milliseconds, rise, fall, min_up, verify)| Check {
        kind: Kind::Https,
        port: Some(rise),
        path: "/ready".to_owned(),
        host: verify.then(|| "www.example.org:8443".parse().unwrap()),
        sni: (rise % 2 == 0).then(|| "tls.example.org".to_owned()),
        method: if fall % 2 == 0 { Method::Get } else { Method::Options },
        body: (fall % 3 == 0).then(|| "all \"good\", ü".to_owned()),
        expect: (200, 200 + rise % 300),
        verify,
        interval: Duration::from_millis(milliseconds),
        timeout: Duration::from_millis(milliseconds / 2 + 50),
        rise,
        fall,
        source: verify.then(|| address(six, 0, 1)),
        min_up,
        initial: if rise % 3 == 0 { Initial::Down } else { Initial::Up },
    });
    prop_oneof![2 => Just(None), 1 => check.prop_map(Some)]
}

/// Up to `most` servers (at most 250), in any order, with weights, states and MACs.
pub(crate) fn servers(six: bool, most: u8) -> impl Strategy<Value = Vec<Server>> {
    subsequence((1..=most).collect::<Vec<_>>(), 0..=usize::from(most)).prop_shuffle().prop_flat_map(move |hosts| {
        let rest = vec((1..4_u32, any::<bool>(), mac(), vlan()), hosts.len());
        rest.prop_map(move |rest| {
            let servers = hosts.iter().zip(rest);
            servers
                .map(|(host, (weight, up, mac, vlan))| Server {
                    address: address(six, 0, *host),
                    mac,
                    vlan,
                    weight,
                    state: if up { State::Up } else { State::Down },
                    health: Health::default(),
                })
                .collect()
        })
    })
}

fn mac() -> impl Strategy<Value = ServerMac> {
    let mac = (0..3_u8).prop_map(|last| Mac([2, 0, 0, 0, 0, last]));
    let resolved = (mac.clone(), 0..3_u32).prop_map(|(mac, on)| ServerMac::Resolved { mac, on });
    prop_oneof![mac.prop_map(ServerMac::Given), resolved, Just(ServerMac::Unresolved)]
}

fn vlan() -> impl Strategy<Value = Option<Vlan>> {
    let vlan = prop_oneof![Just(0), Just(1), Just(20), Just(4_094)];
    prop_oneof![3 => Just(None), 1 => vlan.prop_map(|number| Some(Vlan::from_number(number)))]
}

fn address(six: bool, net: u8, host: u8) -> IpAddr {
    if six {
        Ipv6Addr::new(0x2001, 0xdb8, net.into(), 0, 0, 0, 0, host.into()).into()
    } else {
        Ipv4Addr::new(10, 0, net, host).into()
    }
}
