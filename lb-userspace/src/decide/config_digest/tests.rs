use super::*;
use crate::config::file::parse;

/// The digest of two services, the second without a port. `edit` changes the text.
fn digest_with(edit: impl Fn(String) -> String) -> Digest {
    let server =
        |number| format!("[[service.server]]\naddress = \"10.0.0.{number}\"\nmac = \"02:00:00:00:00:{number}\"\n");
    let web = format!(
        "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 443\n{}{}",
        server(11),
        server(12)
    );
    let rest = format!("[[service]]\nname = \"rest\"\naddress = \"203.0.113.0/24\"\n{}", server(13));
    digest_of(&parse(&edit(web + &rest)).unwrap())
}

fn replaced(from: &'static str, to: &'static str) -> Digest {
    digest_with(|text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn everything_that_decides_is_covered() {
    let mut seen = vec![digest_with(|text| text)];
    for (from, to) in [
        ("203.0.113.10", "203.0.113.11"),
        ("port = 443", "port = 444"),
        ("port = 443", ""),
        ("protocol = \"tcp\"", "protocol = \"udp\""),
        ("protocol = \"tcp\"\nport = 443", ""),
        ("protocol = \"tcp\"\nport = 443", "protocol = \"0\""),
        ("port = 443", "port = 443\nformula = \"5-tuple\""),
        ("port = 443", "port = 443\nfragments = \"balance\""),
        ("port = 443", "port = 443\nselection = \"resilient\""),
        ("113.0/24", "113.0/25"),
        ("address = \"10.0.0.11\"", "address = \"10.0.0.11\"\nstate = \"down\""),
        ("address = \"10.0.0.11\"", "address = \"10.0.0.11\"\nweight = 2"),
        ("10.0.0.11", "10.0.0.14"),
        ("10.0.0.13", "10.0.0.14"),
        ("port = 443", "port = 443\nprevious = [[\"10.0.0.11\", \"10.0.0.12\"]]"),
        ("port = 443", "port = 443\nprevious = [[\"10.0.0.11\"], [\"10.0.0.12\"]]"),
        ("port = 443", "port = 443\nprevious = [[\"10.0.0.12\", \"10.0.0.11\"]]"),
        ("port = 443", "port = 443\nprevious = [[\"10.0.0.12\", \"10.0.0.11 down\"]]"),
        ("port = 443", "port = 443\nprevious = [[\"10.0.0.12 weight 2\", \"10.0.0.11\"]]"),
    ] {
        let digest = replaced(from, to);
        assert!(!seen.contains(&digest), "{from} → {to}: the digest was seen before");
        seen.push(digest);
    }
    // The formula depends on the order of servers.
    let swapped = digest_with(|text| {
        text.replace("10.0.0.11", "first").replace("10.0.0.12", "10.0.0.11").replace("first", "10.0.0.12")
    });
    assert!(!seen.contains(&swapped));
    let empty = digest_of(&Config::default());
    assert!(!seen.contains(&empty));
}

#[test]
fn nothing_else_is_covered() {
    let plain = digest_with(|text| text);
    assert_eq!(replaced("\"web\"", "\"other\""), plain, "a name");
    assert_eq!(replaced("02:00:00:00:00:11", "02:00:00:00:00:99"), plain, "a MAC");
    let previous = replaced("port = 443", "port = 443\nprevious = [[\"10.0.0.11\"]]");
    let with_mac = replaced("port = 443", "port = 443\nprevious = [[\"10.0.0.11 mac 02:00:00:00:00:11\"]]");
    assert_eq!(with_mac, previous, "a MAC of a previous list");
    assert_eq!(digest_with(|text| format!("interfaces = [\"eth7\"]\n{text}")), plain, "interfaces");
    let other_order = digest_with(|text| {
        let (web, rest) = text.split_at(text.rfind("[[service]]").unwrap());
        format!("{rest}{web}")
    });
    assert_eq!(other_order, plain, "the order of services");
    assert_eq!(replaced("113.0/24\"", "113.0/24\"\nfragments = \"balance\""), plain, "fragments without a port");
}

/// Monitoring stores digests, so they must not change from version to version.
#[test]
fn digests_stay_the_same() {
    assert_eq!(digest_of(&Config::default()).to_string(), "e3b0c44298fc1c14");
    assert_eq!(digest_with(|text| text).to_string(), "068183df64b08525");
}

#[test]
fn digests_as_text() {
    let digest = Digest(0x0123_4567_89ab_cdef);
    assert_eq!("0123456789abcdef".parse(), Ok(digest));
    assert_eq!("0123456789ABCDEF".parse(), Ok(digest));
    assert_eq!(digest.to_string().parse(), Ok(digest));
    for text in ["", "0123456789abcde", "0123456789abcdef0", "+123456789abcdef", "0x23456789abcdef", "0123456789abcdeg"]
    {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}
