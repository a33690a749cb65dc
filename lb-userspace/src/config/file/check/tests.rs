use super::*;
use crate::config::file::{parse, write};

const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 443\n";

fn check(text: &str) -> Check {
    parse(&format!("{SERVICE}[service.check]\n{text}")).unwrap().services.remove(0).check.unwrap()
}

fn problems(text: &str) -> Vec<String> {
    parse(text).expect_err(text).texts()
}

#[test]
fn defaults() {
    let expected = Check {
        kind: Kind::Tcp,
        port: None,
        path: "/".to_owned(),
        host: None,
        sni: None,
        method: Method::Get,
        body: None,
        expect: (200, 399),
        verify: false,
        interval: Duration::from_secs(2),
        timeout: Duration::from_millis(800),
        rise: 2,
        fall: 3,
        source: None,
        min_up: 1,
        initial: Initial::Up,
    };
    assert_eq!(check("kind = \"tcp\""), expected);
    assert_eq!(expected.summary(), "kind = \"tcp\"");
    assert_eq!(check("kind = \"tcp\"\ninterval = 0.5").timeout, Duration::from_millis(500));
}

#[test]
fn every_key_is_written_back() {
    let text = "kind = \"https\"\nport = 8443\nmethod = \"OPTIONS\"\npath = \"/up?x=1\"\n\
                host = \"www.example.org:80\"\nsni = \"tls.example.org\"\nexpect = \"200-204\"\nbody = \"ready, ü\"\n\
                verify = true\ninterval = 1.5\ntimeout = 1\nrise = 1\nfall = 5\nsource = \"10.0.0.1\"\nmin_up = 2\n\
                initial = \"down\"";
    let config = parse(&format!("{SERVICE}[service.check]\n{text}")).unwrap();
    let check = config.services[0].check.clone().unwrap();
    assert_eq!((check.expect, check.interval), ((200, 204), Duration::from_millis(1_500)));
    assert_eq!(check.summary(), text.replace('\n', ", "));
    assert_eq!(parse(&write(&config)).unwrap(), config);
}

#[test]
fn invalid_checks_are_refused() {
    for (text, problem) in [
        ("kind = \"udp\"", "kind \"udp\" is not known; it is \"tcp\" or \"http\" or \"https\" or \"icmp\""),
        ("kind = \"tcp\"\npath = \"/\"", "path means nothing with kind = \"tcp\""),
        ("kind = \"icmp\"\nport = 7", "port means nothing with kind = \"icmp\""),
        ("kind = \"http\"\nverify = true", "verify means nothing with kind = \"http\""),
        ("kind = \"tcp\"\ninterval = 0.01", "interval 0.01 is not from 0.1 to 3600 seconds"),
        ("kind = \"tcp\"\ninterval = nan", "interval NaN is not from 0.1 to 3600 seconds"),
        ("kind = \"tcp\"\ninterval = 1\ntimeout = 2", "timeout is longer than interval"),
        ("kind = \"tcp\"\nrise = 0", "rise 0 is not from 1 to 1000"),
        ("kind = \"http\"\nsni = \"a\"", "sni means nothing with kind = \"http\""),
        ("kind = \"icmp\"\nbody = \"a\"", "body means nothing with kind = \"icmp\""),
        ("kind = \"tcp\"\nmethod = \"GET\"", "method means nothing with kind = \"tcp\""),
        (
            "kind = \"http\"\nhost = \"a b\"",
            "host \"a b\" is no host: write www.example.org, 192.0.2.1 or [2001:db8::1], with or without a port as in \
             www.example.org:8443",
        ),
        (
            "kind = \"https\"\nsni = \"203.0.113.1\"",
            "sni \"203.0.113.1\" is not a DNS name of at most 128 bytes, such as www.example.org; TLS has no addresses there",
        ),
        ("kind = \"http\"\nmethod = \"get\"", "method \"get\" is not known; it is \"GET\" or \"HEAD\" or \"OPTIONS\""),
        (
            "kind = \"http\"\nmethod = \"HEAD\"\nbody = \"a\"",
            "body means nothing with method = \"HEAD\", whose answers have none",
        ),
        ("kind = \"http\"\nbody = \"\"", "body \"\" must have 1 to 128 bytes, and no zero among them"),
        ("kind = \"http\"\nbody = \"a\\u0000\"", "body \"a\\0\" must have 1 to 128 bytes, and no zero among them"),
        ("kind = \"tcp\"\ninitial = \"Up\"", "initial \"Up\" is not known; it is \"up\" or \"down\""),
        ("kind = \"tcp\"\nsource = \"fd00::1\"", "source fd00::1 is not of the servers' address family"),
    ] {
        let found = problems(&format!("{SERVICE}[service.check]\n{text}"));
        assert_eq!(found, [format!("service web: check: {problem}")], "{text}");
    }
    for expect in ["99", "600", "\"300-200\"", "\"ok\""] {
        assert_eq!(problems(&format!("{SERVICE}[service.check]\nkind = \"http\"\nexpect = {expect}")).len(), 1);
    }
    let portless = "[[service]]\nname = \"a\"\naddress = \"203.0.113.10\"\ncheck = { kind = \"tcp\" }";
    assert_eq!(problems(portless), ["service a: check: kind = \"tcp\" needs a port, as the service has none"]);
    let member = format!("role = \"member\"\n{SERVICE}check = {{ kind = \"tcp\" }}");
    assert_eq!(problems(&member), ["service web: check needs role = \"balancer\" or \"keep\", not \"member\""]);
}
