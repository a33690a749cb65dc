use super::*;
use crate::config::file;

const WHOLE: bool = false;
const FRAGMENT: bool = true;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Services with these keys and one server each.
fn services(tables: &[&str]) -> Vec<Service> {
    let table = |(number, text): (usize, &&str)| {
        format!("[[service]]\nname = \"{number}\"\n{text}\n[[service.server]]\naddress = \"10.0.0.1\"\n")
    };
    let text: String = tables.iter().enumerate().map(table).collect();
    file::parse(&text).unwrap().services
}

fn tuple(destination: &str, protocol: u8, fragment: bool) -> Tuple {
    let ports = if fragment { (0, 0) } else { (40_000, 80) };
    Tuple {
        source: [198, 51, 100, 7].into(),
        destination: destination.parse().unwrap(),
        source_port: ports.0,
        destination_port: ports.1,
        protocol,
        fragment,
    }
}

const ADDRESS: &str = "address = \"203.0.113.10\"";
const TCP_80: &str = "address = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 80";
const TCP_80_BALANCE: &str = "address = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 80\nfragments = \"balance\"";
const TCP_ANY: &str = "address = \"203.0.113.10\"\nprotocol = \"tcp\"";
const NET: &str = "address = \"203.0.113.0/24\"";
const WORLD_80: &str = "address = \"0.0.0.0/0\"\nprotocol = \"tcp\"\nport = 80";

fn judge(tables: &[&str], own: &[IpAddr], tuple: &Tuple) -> Result<usize, Outcome> {
    Judge::new(&services(tables), own).service(tuple).map(|(index, _)| index)
}

/// In any order of services.
#[test]
fn fragments_go_to_the_service_that_balances_them() {
    let tcp = tuple("203.0.113.10", TCP, FRAGMENT);
    for (tables, found) in [
        (&[TCP_80_BALANCE, TCP_ANY, ADDRESS][..], Ok(0)),
        (&[ADDRESS, TCP_ANY, TCP_80_BALANCE], Ok(2)),
        (&[TCP_80_BALANCE, ADDRESS], Ok(0)),
        (&[TCP_80, TCP_ANY, ADDRESS], Ok(1)),
        (&[ADDRESS, TCP_80, TCP_ANY], Ok(2)),
        (&[TCP_80, ADDRESS], Ok(1)),
        (&[TCP_80, NET], Err(Outcome::Fragment)),
        (&[TCP_80], Err(Outcome::Fragment)),
        (&[NET, WORLD_80], Ok(0)),
        (&[WORLD_80], Err(Outcome::Fragment)),
        (&[], Err(Outcome::NoService)),
    ] {
        assert_eq!(judge(tables, &[], &tcp), found, "{tables:?}");
    }
    let udp = tuple("203.0.113.10", UDP, FRAGMENT);
    assert_eq!(judge(&[TCP_80_BALANCE, TCP_ANY], &[], &udp), Err(Outcome::NoService));
    assert_eq!(judge(&[TCP_80_BALANCE, NET], &[], &udp), Ok(1));
}

#[test]
fn packets_go_to_the_most_specific_service() {
    let tcp = tuple("203.0.113.10", TCP, WHOLE);
    for (tables, found) in [
        (&[ADDRESS, TCP_ANY, TCP_80][..], Ok(2)),
        (&[TCP_ANY, ADDRESS, NET], Ok(0)),
        (&[WORLD_80, NET, ADDRESS], Ok(2)),
        (&[WORLD_80, NET], Ok(1)),
        (&[WORLD_80], Ok(0)),
    ] {
        assert_eq!(judge(tables, &[], &tcp), found, "{tables:?}");
    }
    let udp = tuple("203.0.113.10", UDP, WHOLE);
    assert_eq!(judge(&[TCP_80, WORLD_80], &[], &udp), Err(Outcome::NoService));
    assert_eq!(judge(&[TCP_80, NET, WORLD_80], &[], &udp), Ok(1));
}

#[test]
fn prefixes_leave_out_own_and_special_addresses() {
    let own: [IpAddr; 1] = [[203, 0, 113, 10].into()];
    let at = |destination| tuple(destination, TCP, WHOLE);
    assert_eq!(judge(&[NET, WORLD_80], &own, &at("203.0.113.10")), Err(Outcome::NoService));
    // A service for exactly this address takes it.
    assert_eq!(judge(&[NET, ADDRESS], &own, &at("203.0.113.10")), Ok(1));
    assert_eq!(judge(&[NET, WORLD_80], &own, &at("203.0.113.11")), Ok(0));
    for special in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "169.254.1.1"] {
        assert_eq!(judge(&[WORLD_80], &[], &at(special)), Err(Outcome::NoService), "{special}");
    }
}

#[test]
fn all_bits_of_an_ipv6_address_count() {
    let flow = Flow {
        source: V6([0x2001_0db8, 0, 0, 7]),
        destination: V6([u32::MAX; 4]),
        source_port: 1,
        destination_port: 2,
        protocol: UDP,
        fragment: false,
    };
    let tuple = Tuple::from(&flow);
    assert_eq!(tuple.source, "2001:db8::7".parse::<IpAddr>().unwrap());
    let sum: BigUint = addends(Formula::FiveTuple, &tuple).map(|(_, number)| BigUint::from(number)).sum();
    // 2^128 - 1 + 2001:db8::7 + 1 + 2 + 17
    let expected = (BigUint::from(1_u8) << 128) + BigUint::from(0x2001_0db8_u32) * (BigUint::from(1_u8) << 96) + 26_u8;
    assert_eq!(sum, expected);
}

/// With services in both directions, the packet's destination is looked up first, and its source only if no service is
/// found.
#[test]
fn the_destination_comes_before_the_source() {
    let mut services = services(&[TCP_80, "address = \"198.51.100.0/24\""]);
    services.iter_mut().for_each(|service| service.direction = Direction::Both);
    let own = ["198.51.100.7".parse().unwrap()];
    let there = tuple("203.0.113.10", TCP, WHOLE);
    assert_eq!(Judge::new(&services, &[]).service(&there), Ok((0, Direction::Forward)));
    assert_eq!(Judge::new(&services, &[]).service(&there.swapped()), Ok((1, Direction::Forward)));
    // No prefix takes this host's own address, so this is a packet from the first service.
    assert_eq!(Judge::new(&services, &own).service(&there.swapped()), Ok((0, Direction::Reply)));
    services[0].direction = Direction::Forward;
    assert_eq!(Judge::new(&services, &own).service(&there.swapped()), Err(Outcome::NoService));
}
