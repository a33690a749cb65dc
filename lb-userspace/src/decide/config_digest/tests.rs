use super::*;
use crate::config::file::parse;

/// Two services, the second without a port; `edit` changes the text.
fn of(edit: impl Fn(String) -> String) -> Digest {
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
    of(|text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn what_decides_counts() {
    let mut seen = vec![of(|text| text)];
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
    ] {
        let digest = replaced(from, to);
        assert!(!seen.contains(&digest), "{from} → {to}: as something before");
        seen.push(digest);
    }
    // The order of servers is the formula's.
    let swapped =
        of(|text| text.replace("10.0.0.11", "first").replace("10.0.0.12", "10.0.0.11").replace("first", "10.0.0.12"));
    assert!(!seen.contains(&swapped));
    let empty = digest_of(&Config::default());
    assert!(!seen.contains(&empty));
}

#[test]
fn what_does_not_decide_does_not_count() {
    let plain = of(|text| text);
    assert_eq!(replaced("\"web\"", "\"other\""), plain, "a name");
    assert_eq!(replaced("02:00:00:00:00:11", "02:00:00:00:00:99"), plain, "a MAC");
    assert_eq!(of(|text| format!("interfaces = [\"eth7\"]\n{text}")), plain, "interfaces");
    let other_order = of(|text| {
        let (web, rest) = text.split_at(text.rfind("[[service]]").unwrap());
        format!("{rest}{web}")
    });
    assert_eq!(other_order, plain, "the order of services");
    assert_eq!(replaced("113.0/24\"", "113.0/24\"\nfragments = \"balance\""), plain, "fragments without a port");
}

/// Monitoring keeps them: they stay what they are from version to version.
#[test]
fn pinned() {
    assert_eq!(digest_of(&Config::default()).to_string(), "e3b0c44298fc1c14");
    assert_eq!(of(|text| text).to_string(), "068183df64b08525");
}

#[test]
fn text() {
    let digest = Digest(0x0123_4567_89ab_cdef);
    assert_eq!("0123456789abcdef".parse(), Ok(digest));
    assert_eq!("0123456789ABCDEF".parse(), Ok(digest));
    assert_eq!(digest.to_string().parse(), Ok(digest));
    for text in ["", "0123456789abcde", "0123456789abcdef0", "+123456789abcdef", "0x23456789abcdef", "0123456789abcdeg"]
    {
        assert!(text.parse::<Digest>().is_err(), "{text}");
    }
}
