//! Services that share slots.

use crate::*;

const SERVICES: u16 = 30;
const SERVERS: Range<u8> = 11..21;

/// Services of both families on one pool of servers each, of which some are down.
fn pools(down: &[u8]) -> String {
    let down: Vec<_> = down.iter().map(|number| format!("02:00:00:00:01:{number:02x}\"\n")).collect();
    let all = (0..SERVICES).flat_map(|number| {
        let what = format!("protocol = \"udp\"\nport = {}", 1_000 + number);
        [(WEB, 4), (WEB6, 6)].map(|(address, family)| service(&format!("s{number}-{family}"), address, &what, SERVERS))
    });
    let text: String = all.collect();
    down.iter().fold(text, |text, mac| text.replace(mac, &format!("{mac}state = \"down\"\n")))
}

/// How many slots are in use.
fn slots(bench: &Bench) -> u64 {
    bench.modlb.json("status")["capacity"]["slots"]["used"].as_u64().unwrap()
}

/// Every service sends each client's packets to the formula's server, or to another if that is down.
fn all_work(bench: &Bench, down: &[u8]) {
    for number in 0..SERVICES {
        for (address, family) in [(WEB, 4), (WEB6, 6)] {
            for from in clients(address) {
                let (name, port) = (format!("s{number}-{family}"), 1_000 + number);
                let to = address.parse().unwrap();
                let (sum, frame) = (sum(from, to, &[port]), to_gateway(&ip(from, to, UDP, &ports(9, port))));
                if !down.contains(&chosen(&sum, &SERVERS)) {
                    sent(bench, &name, &frame, (&name, address), &sum, SERVERS);
                    continue;
                }
                let (verdict, out) = bench.run(&frame);
                let mut servers = SERVERS;
                let taken = servers.find(|number| out[..6] == mac(*number));
                assert!(verdict == XDP_TX && taken.is_some_and(|number| !down.contains(&number)), "{name}: {taken:?}");
            }
        }
    }
}

/// Each table has its own refinement of 4,100 slots, and the instance has room for 17 of them.
#[test]
fn a_server_of_many_services_can_go_down_in_all_of_them() {
    need_root!();
    let bench = Bench::new(&pools(&[]));
    assert_eq!(slots(&bench), 20);
    all_work(&bench, &[]);
    for down in SERVERS {
        bench.apply(&pools(&[down]));
        assert_eq!(slots(&bench), 8_200, "{down}");
    }
    all_work(&bench, &[20]);
    bench.apply(&pools(&[13, 17]));
    all_work(&bench, &[13, 17]);
}

/// One server after the other is taken down by commands. In between some services have other tables.
#[test]
fn a_server_goes_down_in_one_service_after_the_other() {
    need_root!();
    let bench = Bench::new(&pools(&[]));
    for number in 0..SERVICES {
        bench.modlb.ok(&format!("server down s{number}-4 10.0.0.12"));
        bench.modlb.ok(&format!("server down s{number}-6 fd00::c"));
    }
    assert_eq!(slots(&bench), 8_200);
    all_work(&bench, &[12]);
}

/// Sharing ends where a table differs in anything.
#[test]
fn unequal_services_do_not_share_slots() {
    need_root!();
    let with = |number: u16, more: &str, servers| {
        service(&format!("s{number}"), WEB, &format!("protocol = \"udp\"\nport = {number}\n{more}"), servers)
    };
    let mac = "02:00:00:00:01:0c\"\n";
    let text = [
        with(1, "", 11..14),
        with(2, "", 11..14),
        with(3, "", 11..14).replace(mac, "02:00:00:00:01:0e\"\n"),
        with(4, "", 11..14).replace(mac, &format!("{mac}vlan = 20\n")),
        with(5, "", 11..14).replace(mac, &format!("{mac}weight = 2\n")),
        with(6, "selection = \"resilient\"\nslots = 7", 11..14),
        with(7, "formula = \"5-tuple\"", 11..14),
        with(8, "", 11..14).replace("10.0.0.12", "10.0.0.99"),
        with(9, "", 11..13) + "[[service.server]]\naddress = \"10.0.0.10\"\nmac = \"02:00:00:00:01:0a\"\n",
    ];
    let bench = Bench::new(&text.concat());
    // The first two and the seventh share theirs: the formula is not part of a table.
    assert_eq!(slots(&bench), 3 + 3 + 3 + 4 + 7 + 3 + 3);
    let (from, to) = (clients(WEB)[0], WEB.parse().unwrap());
    let to_port = |port| to_gateway(&ip(from, to, UDP, &ports(9, port)));
    sent(&bench, "the first", &to_port(1), ("s1", WEB), &sum(from, to, &[1]), 11..14);
    sent(&bench, "the second", &to_port(2), ("s2", WEB), &sum(from, to, &[2]), 11..14);
    sent(&bench, "the 5-tuple", &to_port(7), ("s7", WEB), &sum(from, to, &[7, 9, UDP.into()]), 11..14);
}

/// Counters stay with their servers when these move to other counters.
#[test]
fn servers_that_get_other_counters_keep_what_they_counted() {
    need_root!();
    let web = |numbers: &[u8]| {
        let server = |number: &u8| {
            format!("[[service.server]]\naddress = \"10.0.0.{number}\"\nmac = \"02:00:00:00:01:{number:02x}\"\n")
        };
        service("web", WEB, HTTPS, 11..11) + &numbers.iter().map(server).collect::<String>()
    };
    let bench = Bench::new(&web(&[11, 12, 13]));
    let (to, mut wanted) = (WEB.parse().unwrap(), [0_u64; 32]);
    for list in [&[11, 12, 13][..], &[11, 13], &[14, 13, 11], &[11, 12, 13, 14], &[12, 11], &[11, 12]] {
        bench.apply(&web(list));
        (0..32).filter(|number| !list.contains(number)).for_each(|number| wanted[usize::from(number)] = 0);
        for from in clients(WEB) {
            let server = list[remainder(&sum(from, to, &[443]), list.len() as u32) as usize];
            bench.run(&to_gateway(&ip(from, to, TCP, &ports(9, 443))));
            wanted[usize::from(server)] += 1;
        }
        let stats = bench.modlb.json("stats");
        for server in stats["services"][0]["servers"].as_array().unwrap() {
            let address: std::net::Ipv4Addr = server["address"].as_str().unwrap().parse().unwrap();
            let number = usize::from(address.octets()[3]);
            assert_eq!(server["packets"], wanted[number], "{address} of {list:?}");
        }
    }
    assert_eq!(bench.modlb.json("stats")["services"][0]["packets"], 6 * clients(WEB).len());
}
