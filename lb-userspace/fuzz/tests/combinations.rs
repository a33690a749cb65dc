//! Feeds the parser on the host every combination of headers, truncated at every length down to 0. The kernel's test
//! runs refuse frames shorter than an Ethernet header.

#[path = "../../tests/oracle/combinations.rs"]
mod combinations;
#[path = "../../tests/support"]
mod support {
    #![expect(dead_code, reason = "the tests of the loaded program build more kinds of frames")]

    pub mod frame;
}

use combinations::Way;

#[test]
fn every_combination_of_headers_at_every_length() {
    let way = |client: &str, service: &str| Way {
        client: client.parse().unwrap(),
        service: service.parse().unwrap(),
        port: 443,
    };
    for way in [way("198.51.100.7", "203.0.113.10"), way("2001:db8::7", "2001:db8:f00::10")] {
        combinations::all(way, |frame| {
            for length in 0..=frame.len() {
                // A copy, so that nothing follows its last byte.
                let cut: Box<[u8]> = frame[..length].into();
                lb_fuzz::targets::parse(&cut);
            }
        });
    }
}
