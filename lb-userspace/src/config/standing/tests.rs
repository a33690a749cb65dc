use super::*;
use crate::config::{
    file,
    model::{Failure, Missing, State},
};

const FAILING: Failing = Failing { since: 7, why: Failure::Refused };
const UNRESOLVED: Unresolved = Unresolved { since: 9, why: Missing::NoAnswer, on: 3 };

/// A service of four servers.
fn service(min_up: u32) -> Service {
    let mut text =
        "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 80\n".to_owned();
    text += &format!("check = {{ kind = \"tcp\", min_up = {min_up} }}\n");
    for number in 11..15 {
        text += &format!("[[service.server]]\naddress = \"10.0.0.{number}\"\n");
    }
    file::parse(&text).unwrap().services.remove(0)
}

fn names(service: &Service) -> Vec<&'static str> {
    service.standings().map(|standing| standing.name()).collect()
}

#[test]
fn each_reason_takes_a_server_out() {
    let mut service = service(1);
    assert_eq!(service.takes_flows(), [true; 4]);
    service.servers[0].health.failing = Some(FAILING);
    service.servers[1].health.unresolved = Some(UNRESOLVED);
    service.servers[2].state = State::Down;
    assert_eq!(names(&service), ["failing", "unresolved", "down", "up"]);
    assert_eq!(service.takes_flows(), [false, false, false, true]);
}

/// What was taken down by hand for longer than a file lasts is down whatever the file says.
#[test]
fn a_hold_comes_before_the_configured_state() {
    let mut service = service(1);
    for (by_hand, name) in [(ByHand::ServerUp, "down"), (ByHand::Until(9), "down"), (ByHand::NextFile, "up")] {
        service.servers[0].health.by_hand = Some(by_hand);
        assert_eq!(names(&service)[0], name, "{by_hand:?}");
        assert_eq!(service.takes_flows()[0], name == "up", "{by_hand:?}");
    }
}

#[test]
fn the_configured_state_comes_first() {
    let mut service = service(0);
    service.servers[0].state = State::Down;
    service.servers[0].health =
        Health { down_since: 5, by_hand: None, failing: Some(FAILING), unresolved: Some(UNRESOLVED) };
    let first = |service: &Service| service.standings().next().unwrap();
    assert_eq!(first(&service), Standing::Down { since: 5, by_hand: None });
    service.servers[0].state = State::Up;
    assert_eq!(first(&service), Standing::Unresolved(UNRESOLVED));
    service.servers[0].health.unresolved = None;
    assert_eq!(first(&service), Standing::Failing(FAILING));
}

/// When too many servers fail, the check is more likely at fault than they are.
#[test]
fn checks_do_not_count_when_too_many_fail() {
    let mut service = service(2);
    service.servers[3].state = State::Down;
    service.servers[0].health.failing = Some(FAILING);
    assert_eq!(service.takes_flows(), [false, true, true, false]);
    service.servers[1].health.failing = Some(FAILING);
    // Only one would remain. The server that is taken down stays down.
    assert_eq!(service.takes_flows(), [true, true, true, false]);
    assert_eq!(service.standings().next().unwrap(), Standing::Kept(FAILING));
    service.check.as_mut().unwrap().min_up = 0;
    service.servers[2].health.failing = Some(FAILING);
    assert_eq!(service.takes_flows(), [false; 4]);
}

#[test]
fn reasons() {
    let name = |index: u32| format!("eth{index}");
    assert_eq!(Standing::Unresolved(UNRESOLVED).reason(name).unwrap(), "no answer on eth3");
    assert_eq!(Standing::Failing(FAILING).reason(name).unwrap(), "connection refused");
    let down = |by_hand| Standing::Down { since: 0, by_hand };
    assert_eq!((Standing::Up.reason(name), down(None).reason(name), down(None).since()), (None, None, None));
    let by_hand = |by_hand| down(Some(by_hand)).reason(name).unwrap();
    assert_eq!(by_hand(ByHand::NextFile), "by hand");
    assert_eq!(by_hand(ByHand::ServerUp), "by hand, until `modlb server up`");
    assert_eq!(by_hand(ByHand::Until(5)), "by hand, for another 0 s");
    assert_eq!(ByHand::Until(7_205).lasts(5), "by hand, for another 2 h");
}
