use super::*;

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn ask(target: &str, source: Option<&str>) -> Vec<u8> {
    frame(MAC, &Question { target: target.parse().unwrap(), source: source.map(|source| source.parse().unwrap()) })
}

/// By a parser that knows nothing of this one.
#[test]
fn solicitations_are_well_formed() {
    for source in [None, Some("fd00::1")] {
        let frame = ask("2001:db8::a:b0c", source);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x0a, 0x0b, 0x0c]);
        let packet = etherparse::PacketHeaders::from_ethernet_slice(&frame).unwrap();
        let Some(etherparse::NetHeaders::Ipv6(ip, _)) = &packet.net else { panic!("{packet:?}") };
        assert_eq!((ip.hop_limit, ip.destination_addr().to_string()), (255, "ff02::1:ff0a:b0c".to_owned()));
        let Some(etherparse::TransportHeader::Icmpv6(icmp)) = &packet.transport else { panic!("{packet:?}") };
        let sum = icmp.icmp_type.calc_checksum(ip.source, ip.destination, packet.payload.slice()).unwrap();
        assert_eq!(icmp.checksum, sum);
        assert_eq!(frame.len(), ICMP + 24 + if source.is_some() { 8 } else { 0 });
    }
}

#[test]
fn requests_are_well_formed() {
    let frame = ask("10.0.0.11", None);
    assert_eq!(frame.len(), 42);
    assert_eq!(frame[..14], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6]);
    assert_eq!(frame[28..32], [0; 4], "a probe has no source");
    assert_eq!(frame[38..], [10, 0, 0, 11]);
    assert_eq!(ask("10.0.0.11", Some("10.0.0.1"))[28..32], [10, 0, 0, 1]);
}

#[test]
fn answers_are_recognised() {
    let mut reply = ask("10.0.0.1", Some("10.0.0.11"));
    assert_eq!(answer(&reply), None, "a question is none");
    reply[21] = 2;
    assert_eq!(answer(&reply), Some(("10.0.0.11".parse().unwrap(), MAC)));
    let mut advertisement = ask("fd00::11", Some("fd00::1"));
    advertisement[ICMP] = ADVERTISEMENT;
    advertisement[ICMP + 24] = 2;
    advertisement[ICMP + 31] = 0x77;
    assert_eq!(answer(&advertisement), Some(("fd00::11".parse().unwrap(), Mac([2, 0, 0, 0, 0, 0x77]))));
    for length in 0..ICMP + 24 {
        assert_eq!(answer(&advertisement[..length]), None);
    }
    assert_eq!(answer(&advertisement[..ICMP + 24]), Some(("fd00::11".parse().unwrap(), MAC)), "without the option");
}
