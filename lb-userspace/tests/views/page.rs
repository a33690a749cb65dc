//! The status page: who may ask for it, and what a real browser makes of it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    ODD_NAME, chromium,
    listener::Listener,
    need_root, send, services,
    support::{bench::Bench, modlb::Modlb, namespace::Namespace},
};

#[test]
fn only_known_hosts_and_read_methods_are_served() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "--allow-host gw1.example.net");
    for path in ["/", "/status.json", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = listener.ask(&format!("--request {method}"), path);
            assert_eq!(answer.status, "405 Method Not Allowed", "{method} {path}");
            assert!(
                answer.headers.contains("allow: get,head") && answer.headers.contains("nosniff"),
                "{}",
                answer.headers
            );
        }
        let head = listener.ask("--head", path);
        assert_eq!((head.status.as_str(), head.body.as_str()), ("200 OK", ""), "{path}");
        for (host, status) in [
            ("attacker.example", "421 Misdirected Request"),
            ("localhost:1", "200 OK"),
            ("GW1.example.net:9652", "200 OK"),
            ("[::1]:9652", "200 OK"),
        ] {
            assert_eq!(listener.ask(&format!("--header Host:{host}"), path).status, status, "{host} {path}");
        }
    }
    assert_eq!(listener.ask("", "/etc/passwd").status, "404 Not Found");
    let page = listener.ask("", "/");
    for header in
        ["content-security-policy: default-src 'none'; script-src 'sha256-", "x-content-type-options: nosniff"]
    {
        assert!(page.headers.contains(header), "{}", page.headers);
    }
    assert!(!page.headers.contains("unsafe"), "{}", page.headers);
}

/// With thousands separators, as the page shows them.
fn whole(value: &Value) -> String {
    let digits = value.as_u64().unwrap().to_string();
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3).map(|group| std::str::from_utf8(group).unwrap());
    let mut all: Vec<_> = Some(&digits[..first]).into_iter().filter(|group| !group.is_empty()).collect();
    all.extend(groups);
    all.join(",")
}

#[test]
fn a_browser_shows_the_figures_of_stats() {
    need_root!();
    let bench = Bench::new(&services());
    let listener = Listener::new(&bench, "");
    (0..10).for_each(|_| send(&bench, 120));
    let odd = ODD_NAME.replace("\\\"", "\"");
    let open = odd.replace('&', "%26").replace('"', "%22").replace('<', "%3C").replace('>', "%3E");
    let dom = chromium::dom(&bench.gateway, &format!("http://{}/#open=web&open={open}", listener.address()));
    let (stats, status) = (bench.modlb.json("stats"), bench.modlb.json("status"));
    assert_eq!(chromium::text_of(&dom, "digest"), status["digest"].as_str().unwrap());
    assert_eq!(chromium::text_of(&dom, "state"), "active");
    assert_eq!(chromium::text_of(&dom, "instance"), bench.modlb.instance());
    assert!(chromium::is_hidden(&dom, "problem") && !chromium::is_hidden(&dom, "running"), "{dom}");
    for (outcome, value) in stats["outcomes"].as_object().unwrap() {
        let cells = chromium::cells(&dom, outcome);
        assert_eq!((&cells[0], cells.last()), (outcome, Some(&whole(&value["packets"]))), "{cells:?}");
    }
    for service in stats["services"].as_array().unwrap() {
        for server in service["servers"].as_array().unwrap() {
            let address = server["address"].as_str().unwrap();
            let cells = chromium::cells(&dom, address);
            let state = if address.ends_with("13") { "down" } else { "up" };
            assert_eq!((cells[0].as_str(), cells[1].as_str()), (address, state), "{cells:?}");
            assert_eq!(cells[4], whole(&server["packets"]), "{cells:?}");
        }
    }
    // A name is text, never markup.
    assert!(dom.contains("&lt;b&gt;\"&amp;amp;'x"), "{dom}");
    assert!(!dom.contains("<b>\"&amp;'x"), "{dom}");
}

#[test]
fn a_browser_shows_a_missing_instance() {
    need_root!();
    let bench = Bench::new("");
    let listener = Listener::new(&bench, "");
    let url = format!("http://{}/", listener.address());
    let dom = chromium::dom(&bench.gateway, &url);
    assert!(chromium::text_of(&dom, "none").starts_with("No services are configured."), "{dom}");
    bench.modlb.ok("detach");
    let dom = chromium::dom(&bench.gateway, &url);
    assert!(chromium::text_of(&dom, "problem").starts_with("no instance"), "{dom}");
    assert!(chromium::is_hidden(&dom, "running") && !chromium::is_hidden(&dom, "problem"), "{dom}");
}

/// 1,000 services of 100 servers: little is sent, and soon.
#[test]
fn many_services_are_paged() {
    need_root!();
    let gateway = Namespace::new("many");
    gateway.ip("link add eth0 address 02:00:00:00:00:01 type veth peer name peer0");
    let mut text = String::new();
    for service in 0..1_000 {
        let (high, low) = (service / 250, service % 250);
        text += &format!(
            "[[service]]\nname = \"s{service:03}\"\naddress = \"203.0.{high}.{low}\"\nprotocol = \"tcp\"\nport = 80\n"
        );
        for server in 0..100 {
            text +=
                &format!("[[service.server]]\naddress = \"10.{high}.{low}.{server}\"\nmac = \"02:00:00:00:02:01\"\n");
        }
    }
    let modlb = Modlb::new(&gateway);
    modlb.attach("eth0 --mode generic --max-servers 110000", &text);
    let listener = Listener::of(&modlb, &gateway, "");
    let start = Instant::now();
    let page: Value = serde_json::from_str(&listener.get("/status.json?open=s970&offset=970&sort=name")).unwrap();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    let rows = page["services"]["rows"].as_array().unwrap();
    assert_eq!(
        (page["services"]["total"].as_u64(), rows.len(), rows[0]["name"].as_str()),
        (Some(1_000), 50, Some("s950"))
    );
    assert_eq!(rows[20]["servers"]["rows"].as_array().unwrap().len(), 100);
    assert!(listener.get("/status.json").len() < 64_000);
    let metrics = listener.get("/metrics");
    assert!(
        metrics.contains("modlb_omitted{of=\"servers\"} 100000.0\n") && metrics.len() < 1_000_000,
        "{}",
        metrics.len()
    );
    let dom = chromium::dom(&gateway, &format!("http://{}/#filter=10.3.249.&open=s999", listener.address()));
    assert!(chromium::cells(&dom, "10.3.249.99")[1] == "up", "{dom}");
}
