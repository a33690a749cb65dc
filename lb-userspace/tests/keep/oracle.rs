//! The loaded program hands each packet on as the rankings, the ring and the limits say, whatever the configuration.

use std::net::IpAddr;

use lb_common::keep::LAST_TTL;
use lb_userspace::{
    config::{
        file,
        model::{Formula, Role, Selection, Service},
    },
    decide::keep::{
        holders::holders,
        ranking::{NONE, Rankings},
        ring,
        walk::{Arrival, Candidates, Step, hand_ons},
    },
};
use num_bigint::BigUint;

use crate::{
    need_root,
    random::Random,
    support::{
        bench::{Bench, TC_NEXT},
        frame::{self, ROUTER, TCP},
        network::{SERVICES, client_address},
    },
};

/// Random configurations, and packets for each.
const CONFIGURATIONS: usize = 30;
const PACKETS: usize = 3_400;

/// Servers that lists are made of.
pub const EVERYONE: usize = 40;

/// `TC_ACT_REDIRECT`.
const REDIRECT: u32 = 7;

pub const SYN: u8 = 2;
pub const ACK: u8 = 16;

pub fn address(six: bool, number: usize) -> IpAddr {
    if six { format!("fd00::1:{number:x}") } else { format!("10.0.1.{number}") }.parse().unwrap()
}

fn mac(number: usize) -> [u8; 6] {
    [2, 0, 0, 1, 0, number as u8]
}

/// The servers' numbers, in random order.
fn pick(random: &mut Random) -> Vec<usize> {
    let mut servers: Vec<_> = (1..=EVERYONE).collect();
    (0..servers.len()).for_each(|place| servers.swap(place, random.below(EVERYONE)));
    servers.truncate(1 + random.below(28));
    servers
}

pub fn configuration(random: &mut Random, own: usize) -> String {
    let mut text = format!("self = [\"{}\", \"{}\"]\n", address(false, own), address(true, own));
    for service in SERVICES {
        let six = service.is_ipv6();
        let formula = if random.below(2) == 0 { "3-tuple" } else { "5-tuple" };
        let selection = if random.below(3) == 0 { "selection = \"resilient\"\nslots = 1021\n" } else { "" };
        text += &format!(
            "[[service]]\nname = \"{}\"\naddress = \"{service}\"\nprotocol = \"tcp\"\nport = 80\nformula = \"{formula}\"\n\
             {selection}",
            if six { "web6" } else { "web4" },
        );
        let list = |random: &mut Random| {
            let entries: Vec<_> = pick(random)
                .into_iter()
                .map(|number| {
                    let idle = if random.below(4) == 0 { " down" } else { "" };
                    let (weight, mac) = (1 + random.below(3), mac(number));
                    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
                    format!("\"{} weight {weight} mac {mac}{idle}\"", address(six, number))
                })
                .collect();
            format!("[{}]", entries.join(", "))
        };
        let previous: Vec<_> = (0..random.below(9)).map(|_| list(random)).collect();
        text += &format!("previous = [{}]\n", previous.join(", "));
        for number in pick(random) {
            let mac = mac(number).map(|byte| format!("{byte:02x}")).join(":");
            text += &format!(
                "[[service.server]]\naddress = \"{}\"\nmac = \"{mac}\"\nweight = {}\n",
                address(six, number),
                1 + random.below(3)
            );
            if random.below(4) == 0 {
                text += "state = \"down\"\n";
            }
        }
    }
    text
}

/// What this host knows of a service.
struct View {
    service: Service,
    universe: Vec<IpAddr>,
    rankings: Rankings,
}

impl View {
    fn new(service: &Service) -> Self {
        let universe: Vec<_> = service.servers.iter().map(|server| server.address).collect();
        // Every MAC is given, and no check fails.
        let alive = vec![true; universe.len()];
        let rankings = Rankings::of(service, &universe, &alive, &service.takes_flows());
        Self { service: service.clone(), universe, rankings }
    }

    fn candidates(&self, client: IpAddr, port: u16) -> Candidates {
        let to = self.service.address.addr();
        let number = |address| match address {
            IpAddr::V4(address) => BigUint::from(address.to_bits()),
            IpAddr::V6(address) => BigUint::from(address.to_bits()),
        };
        let mut sum = number(client) + number(to) + BigUint::from(80_u32);
        if self.service.formula == Formula::FiveTuple {
            sum += BigUint::from(u32::from(port) + u32::from(TCP));
        }
        let slot = |slots: u32| (&sum % BigUint::from(slots)).iter_u32_digits().next().unwrap_or(0);
        let slots: Vec<_> = self.rankings.lists.iter().map(|list| slot(list.slots)).collect();
        let owner = self.rankings.lists[0].entries[slots[0] as usize][0];
        Candidates {
            flow: ring::flow((client, port), (to, 80), TCP).unwrap(),
            owner: (owner != NONE).then(|| self.universe[usize::from(owner)]),
            holders: holders(&self.rankings, &slots).into_iter().map(|it| self.universe[usize::from(it)]).collect(),
        }
    }
}

pub fn packet(client: IpAddr, service: IpAddr, port: u16, flags: u8, ttl: u8, from: [u8; 6]) -> Vec<u8> {
    let mut segment = [port.to_be_bytes(), 80_u16.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    let mut frame = frame::to_gateway(&frame::ip(client, service, TCP, &segment));
    frame[6..12].copy_from_slice(&from);
    set_ttl(&mut frame, ttl);
    frame
}

/// Sets the TTL or hop limit, and the checksum as it must be.
fn set_ttl(frame: &mut [u8], ttl: u8) {
    if frame[14] >> 4 == 6 {
        frame[21] = ttl;
        return;
    }
    frame[22] = ttl;
    frame[24..26].fill(0);
    let words = frame[14..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    let folded = (words & 0xffff) + (words >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
}

#[test]
fn the_program_walks_as_the_model_does() {
    need_root!();
    let mut random = Random::new(20_261_130);
    let first = configuration(&mut random, 1);
    let bench = Bench::with("--role keep --max-slots 1500000", &first);
    let (mut handed_on, mut taken_last) = (0, 0);
    for round in 0..CONFIGURATIONS {
        let own = 1 + random.below(EVERYONE);
        let text = configuration(&mut random, own);
        bench.apply(&text);
        let config = file::parse_for(&text, Some(Role::Keep)).unwrap();
        let views: Vec<_> = config.services.iter().map(View::new).collect();
        for _ in 0..PACKETS {
            let view = &views[random.below(2)];
            let to = view.service.address.addr();
            let (six, port) = (to.is_ipv6(), 1_024 + random.below(60_000) as u16);
            let client = client_address(six, random.below(250) as u8 % 100);
            let flags = if random.below(4) == 0 { SYN } else { ACK };
            let sender = view.universe[random.below(view.universe.len())];
            let number = (1..=EVERYONE).find(|number| address(six, *number) == sender).unwrap();
            let from_server = random.below(3) > 0 && number != own;
            let ttl = if random.below(3) > 0 { 33 - random.below(22) as u8 } else { 64 };
            let from = if from_server { mac(number) } else { ROUTER };
            let frame = packet(client, to, port, flags, ttl, from);
            let arrival = Arrival { hand_ons: hand_ons(from_server, ttl), syn: flags == SYN, found: false };
            let model = view.candidates(client, port).step(address(six, own), arrival);
            // Whoever sent it.
            let ends = matches!(model, Step::HandOn(_)) && ttl <= LAST_TTL;
            let step = if ends { Step::TakenLast } else { model };
            let (action, out) = bench.run(&frame);
            let what = || format!("round {round}: {step:?} {arrival:?} {client}:{port}\n{text}");
            match step {
                Step::HandOn(next) => {
                    let number = (1..=EVERYONE).find(|number| address(six, *number) == next).unwrap();
                    let mut wanted = frame::addressed_to(mac(number), &frame);
                    wanted[6..12].copy_from_slice(&frame::GATEWAY);
                    set_ttl(&mut wanted, if ttl > 32 { 32 } else { ttl - 1 });
                    assert_eq!((action, out), (REDIRECT, wanted), "{}", what());
                    handed_on += 1;
                }
                Step::Pass | Step::Owner | Step::TakenLast => {
                    assert_eq!((action, out), (TC_NEXT, frame), "{}", what());
                    taken_last += usize::from(step == Step::TakenLast);
                }
            }
        }
    }
    assert!(handed_on > PACKETS && taken_last > PACKETS, "{handed_on} handed on, {taken_last} taken last");
    assert!(matches!(views_selection(&first), [true, _] | [_, true]), "no resilient service was ever met");
}

/// Whether the services of a configuration are resilient.
fn views_selection(text: &str) -> [bool; 2] {
    let config = file::parse_for(text, Some(Role::Keep)).unwrap();
    [0, 1].map(|index| matches!(config.services[index].selection, Selection::Resilient { .. }))
}
