//! Configurations that just fit, and that exceed the capacities.

use crate::*;

/// A service of servers with these weights, from fd00::b on.
fn weighted(weights: &[u32]) -> String {
    let servers = (11_u8..).zip(weights).map(|(number, weight)| {
        let address = server(WEB6, number);
        format!(
            "[[service.server]]\naddress = \"{address}\"\nmac = \"02:00:00:00:01:{number:02x}\"\nweight = {weight}\n"
        )
    });
    service("web", WEB6, HTTPS, 11..11) + &servers.collect::<String>()
}

/// A client whose sum is `slot` modulo 2^16, by the last 16 bits of its address.
fn client_of_slot(slot: u32, high: u128) -> IpAddr {
    let to: Ipv6Addr = WEB6.parse().unwrap();
    let low = u128::from(slot).wrapping_sub(to.to_bits()).wrapping_sub(443) & 0xffff;
    Ipv6Addr::from_bits((high << 16) | low).into()
}

#[test]
fn the_largest_table_works() {
    need_root!();
    let bench = Bench::new(&weighted(&[65_534, 1, 1]));
    let to = WEB6.parse().unwrap();
    for high in [0, 1, u128::MAX >> 16, 0x2001_0db8 << 80] {
        for (slot, number) in [(0, 11), (1, 11), (32_768, 11), (65_533, 11), (65_534, 12), (65_535, 13)] {
            let from = client_of_slot(slot, high);
            assert_eq!(remainder(&sum(from, to, &[443]), 65_536), slot);
            let server = server(WEB6, number);
            let expect = Expect::Sent { service: "web", server: &server, mac: mac(number) };
            bench.check(&format!("slot {slot}"), &to_gateway(&ip(from, to, TCP, &ports(1, 443))), expect);
        }
    }
}

#[test]
fn a_configuration_that_does_not_fit_changes_nothing() {
    need_root!();
    let bench = Bench::new(&weighted(&[1]));
    let before = (bench.modlb.ok("export"), bench.modlb.json("status"));
    let refused = |text: &str| bench.modlb.fails(&format!("apply {}", bench.modlb.file("much.toml", text).display()));

    let resilient = service("more", WEB, "protocol = \"tcp\"\nport = 1\nselection = \"resilient\"", 11..12);
    let error = refused(&[weighted(&[65_536]), resilient].concat());
    assert!(error.starts_with("slots: 81917 are needed, the instance holds 70000"), "{error}");
    assert!(error.contains("`--max-slots 81917`"), "{error}");

    let udp = |port: u16| service(&format!("s{port}"), WEB, &format!("protocol = \"udp\"\nport = {port}"), 11..12);
    let error = refused(&(1..=65).map(udp).collect::<String>());
    assert!(error.starts_with("services: 65 are needed, the instance holds 64"), "{error}");

    let server = |n| format!("[[service.server]]\naddress = \"fd00::1:{n:x}\"\nmac = \"02:00:00:00:01:01\"\n");
    let error = refused(&(service("web", WEB6, HTTPS, 11..11) + &(0..1_025).map(server).collect::<String>()));
    assert!(error.starts_with("server entries: 1025 are needed, the instance holds 1024"), "{error}");

    assert_eq!((bench.modlb.ok("export"), bench.modlb.json("status")), before);
}

#[test]
fn as_many_services_as_fit_all_work() {
    need_root!();
    let address = |number: u16| if number.is_multiple_of(2) { WEB } else { WEB6 };
    let what = |number: u16| format!("protocol = \"udp\"\nport = {}", 1_000 + number);
    let all = (0..64).map(|number| service(&format!("s{number}"), address(number), &what(number), 11..14));
    let bench = Bench::new(&all.collect::<String>());
    for number in 0..64 {
        let (from, to) = (clients(address(number))[0], address(number).parse().unwrap());
        let frame = to_service(address(number), UDP, &ports(9, 1_000 + number));
        let name = format!("s{number}");
        sent(&bench, &name, &frame, (&name, address(number)), &sum(from, to, &[1_000 + number]), 11..14);
    }
}

/// Nobody names capacities: they are the defaults, or what fits in maps of Linux below 6.0, whose values end at 4 MiB.
#[test]
fn an_instance_of_the_default_capacities_balances() {
    need_root!();
    let address = |number: u16| if number.is_multiple_of(2) { WEB } else { WEB6 };
    let what = |number: u16| format!("protocol = \"udp\"\nport = {}", 1_000 + number);
    let all = (0..200).map(|number| service(&format!("s{number}"), address(number), &what(number), 11..14));
    let bench = Bench::with_default_capacities(&all.collect::<String>());
    let status = bench.modlb.json("status");
    let whole = |what: &str| ["used", "free"].map(|part| status["capacity"][what][part].as_u64().unwrap()).iter().sum();
    let services: u64 = if support::kernel() < (6, 0) { 1_920 } else { 4_096 };
    assert_eq!((whole("services"), whole("slots")), (services, 262_144), "{}", status["capacity"]);
    assert!(whole("servers") >= 600, "{}", status["capacity"]);
    for number in [0, 1, 198, 199] {
        let (from, to) = (clients(address(number))[0], address(number).parse().unwrap());
        let frame = to_service(address(number), UDP, &ports(9, 1_000 + number));
        let name = format!("s{number}");
        sent(&bench, &name, &frame, (&name, address(number)), &sum(from, to, &[1_000 + number]), 11..14);
    }
}
