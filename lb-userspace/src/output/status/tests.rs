use lb_common::formula::Formula;

use super::*;
use crate::{
    config::model::{Direction, Failing, Failure, Missing, Selection, Unresolved},
    output::{UseView, testing::interface},
};

fn server(address: &str, mac: Option<Mac>, state: Standing) -> ServerView {
    ServerView {
        address: address.parse().unwrap(),
        mac,
        vlan: None,
        weight: 1,
        state,
        since: state.since(),
        reason: state.reason(|index| format!("eth{index}")),
        by_hand: None,
        until: None,
    }
}

fn status() -> StatusView {
    let web = ServiceView {
        name: "web".into(),
        address: "203.0.113.10".into(),
        protocol: Some("tcp".into()),
        port: Some(443),
        formula: Formula::ThreeTuple,
        direction: Direction::Forward,
        selection: Selection::Modulo,
        n: 2,
        slots: 4096,
        digest: "0123456789abcdef".into(),
        servers: vec![
            server("10.0.0.11", Some(Mac([2, 0, 0, 0, 0, 0x11])), Standing::Up),
            server("10.0.0.12", None, Standing::Down { since: 0, by_hand: None }),
        ],
        sockets: None,
        transition: None,
    };
    let all = ServiceView {
        name: "all".into(),
        address: "2001:db8:f00::/48".into(),
        protocol: None,
        port: None,
        formula: Formula::FiveTuple,
        direction: Direction::Both,
        selection: Selection::Resilient { slots: 16_381 },
        n: 0,
        slots: 0,
        digest: "fedcba9876543210".into(),
        servers: vec![],
        sockets: None,
        transition: None,
    };
    StatusView {
        version: "0.1.0".into(),
        abi: 1,
        role: "balancer".into(),
        state: Activity::Active,
        digest: "00112233445566ff".into(),
        proof: None,
        member: None,
        keep: None,
        peers: Vec::new(),
        unconfirmed: None,
        agent: None,
        interfaces: vec![interface()],
        problems: Vec::new(),
        capacity: CapacityView {
            services: UseView::new(2, 4_096),
            slots: UseView::new(4_096, 262_144),
            servers: UseView::new(2, 65_536),
            memory_bytes: 47 << 20,
            refined_slots: 4_096,
            left_out: 0,
        },
        services: vec![web, all],
    }
}

const WEB: &str = r#"{"name":"web","address":"203.0.113.10","protocol":"tcp","port":443,"formula":"3-tuple","direction":"forward","selection":"modulo","n":2,"slots":4096,"digest":"0123456789abcdef","servers":[{"address":"10.0.0.11","mac":"02:00:00:00:00:11","vlan":null,"weight":1,"state":"up","since":null,"reason":null},{"address":"10.0.0.12","mac":null,"vlan":null,"weight":1,"state":"down","since":null,"reason":null}]}"#;
const ALL: &str = r#"{"name":"all","address":"2001:db8:f00::/48","protocol":null,"port":null,"formula":"5-tuple","direction":"both","selection":"resilient","n":0,"slots":0,"digest":"fedcba9876543210","servers":[]}"#;

const CAPACITY: &str = r#"{"services":{"used":2,"free":4094},"slots":{"used":4096,"free":258048},"servers":{"used":2,"free":65534},"memory_bytes":49283072,"refined_slots":4096,"left_out":0}"#;

#[test]
fn the_json_of_status_and_services_keeps_its_shape() {
    let expected = format!(
        r#"{{"version":"0.1.0","abi":1,"role":"balancer","state":"active","digest":"00112233445566ff","interfaces":[{{"name":"eth0","index":2,"mode":"native","state":"attached","mac":"02:00:00:00:00:01","multi_buffer":false,"traced":false,"link":"bpf_link","program_id":57}}],"problems":[],"capacity":{CAPACITY},"services":[{WEB},{ALL}]}}"#
    );
    assert_eq!(serde_json::to_string(&status()).unwrap(), expected);
    assert_eq!(serde_json::to_string(&ServicesView::from(status())).unwrap(), format!("[{WEB},{ALL}]"));
}

#[test]
fn the_json_of_servers_keeps_its_shape() {
    let expected = r#"[{"service":"web","address":"10.0.0.11","mac":"02:00:00:00:00:11","vlan":null,"weight":1,"state":"up","since":null,"reason":null},{"service":"web","address":"10.0.0.12","mac":null,"vlan":null,"weight":1,"state":"down","since":null,"reason":null}]"#;
    assert_eq!(serde_json::to_string(&ServersView::from(status())).unwrap(), expected);
}

#[test]
fn the_text_lists_interfaces_and_services() {
    assert_eq!(
        status().render(),
        "\
modlb 0.1.0 (ABI 1): balancer, active, digest 00112233445566ff

interface  index  mode    link      program
eth0           2  native  bpf_link       57

in use: 2 of 4096 services, 4096 of 262144 slots, 2 of 65536 server entries; 47 MiB of memory

service  destination            up  N  slots  digest
web      203.0.113.10:443/tcp  1/2  2   4096  0123456789abcdef
all      2001:db8:f00::/48     0/0  0      0  fedcba9876543210

down: web 10.0.0.12"
    );
    assert_eq!(
        ServicesView::from(status()).render(),
        "\
service  destination           formula  selection   up  N  slots
web      203.0.113.10:443/tcp  3-tuple  modulo     1/2  2   4096
all      2001:db8:f00::/48     5-tuple  resilient  0/0  0      0"
    );
    assert_eq!(
        ServersView::from(status()).render(),
        "\
service  server     mac                vlan  weight  state
web      10.0.0.11  02:00:00:00:00:11     -       1  up
web      10.0.0.12  -                     -       1  down"
    );
}

#[test]
fn a_transition_is_shown() {
    let mut status = status();
    status.services[1].transition = Some(TransitionView { since: 1_796_040_000, previous_lists: 2 });
    let line = "\n\ntransition: all, since 2026-11-30 12:00 UTC (2 previous lists)";
    assert!(status.render().ends_with(line), "{}", status.render());
    assert!(ServicesView::from(status.clone()).render().ends_with(line));
    let json = serde_json::to_string(&status.services[1]).unwrap();
    assert!(json.ends_with(r#","servers":[],"transition":{"since":1796040000,"previous_lists":2}}"#), "{json}");
    status.services[1].transition = Some(TransitionView { since: 1_796_040_000, previous_lists: 1 });
    assert!(status.render().ends_with("(1 previous list)"));
}

#[test]
fn sockets_elsewhere_are_shown() {
    let mut status = status();
    status.services[0].sockets = Some(SocketsView { netns: "blue".to_owned(), id: Some(3) });
    let line = "\n\nsockets: web, in network namespace blue (id 3)";
    assert!(status.render().ends_with(line), "{}", status.render());
    assert!(ServicesView::from(status.clone()).render().ends_with(line));
    let json = serde_json::to_string(&status.services[0]).unwrap();
    assert!(json.contains(r#","sockets":{"netns":"blue","id":3},"#), "{json}");
    status.services[0].sockets = Some(SocketsView { netns: "pid:7".to_owned(), id: None });
    assert!(status.render().ends_with("in network namespace pid:7 (not found)"));
}

#[test]
fn servers_of_earlier_lists_are_former() {
    let mut status = status();
    status.keep =
        Some(KeepView { own: vec![[10, 0, 0, 11].into()], no_server_of: vec!["all".into()], max_hand_ons: 200_000 });
    status.services[0].servers[1] = ServerView { weight: 0, ..server("10.0.0.12", None, Standing::Former) };
    let text = status.render();
    assert!(text.contains("\nself: 10.0.0.11; no server of all\n"), "{text}");
    assert!(text.contains("203.0.113.10:443/tcp  1/1  2") && text.ends_with("\nformer: web 10.0.0.12"), "{text}");
    let json = serde_json::to_string(&status).unwrap();
    assert!(json.contains(r#""self":["10.0.0.11"],"no_server_of":["all"]"#) && !json.contains("group_mac"), "{json}");
    let text = ServersView::from(status).render();
    assert!(text.ends_with("web      10.0.0.12  -                     -       -  former"), "{text}");
}

#[test]
fn lack_of_room_is_shown() {
    let mut status = status();
    (status.capacity.refined_slots, status.capacity.left_out) = (512, 3);
    let text = status.render();
    assert!(text.contains("\nno room: tables with a server down have at least 512 slots instead of 4096"), "{text}");
    assert!(text.contains("\nno room: the state of 3 servers is not in force"), "{text}");
}

#[test]
fn vlans_and_several_buffers_are_shown() {
    let mut status = status();
    status.interfaces[0].multi_buffer = true;
    status.services[0].servers[0].vlan = Some(20);
    status.services[0].servers[1].vlan = Some(0);
    assert!(status.render().contains("native, multi-buffer  bpf_link"), "{}", status.render());
    assert_eq!(
        ServersView::from(status).render(),
        "\
service  server     mac                    vlan  weight  state
web      10.0.0.11  02:00:00:00:00:11        20       1  up
web      10.0.0.12  -                  untagged       1  down"
    );
}

#[test]
fn a_member_shows_its_servers_and_group() {
    let member = MemberView {
        own: vec!["10.0.0.11".parse().unwrap()],
        group_mac: Some(Mac([1, 0, 0x5e, 0, 0, 9])),
        promiscuous: false,
        answer_arp: true,
    };
    let status = StatusView { role: "member".into(), member: Some(member), ..status() };
    let json = serde_json::to_string(&status).unwrap();
    let expected = r#""state":"active","digest":"00112233445566ff","self":["10.0.0.11"],"group_mac":"01:00:5e:00:00:09","promiscuous":false,"answer_arp":true,"interfaces""#;
    assert!(json.contains(expected), "{json}");
    let expected = "\n\nself: 10.0.0.11, group 01:00:5e:00:00:09, answers for its services' addresses\n\ninterface";
    assert!(status.render().contains(expected), "{}", status.render());
}

#[test]
fn an_unconfirmed_change_is_shown() {
    let unconfirmed = |waiting, problem: Option<&str>| {
        let view = UnconfirmedView { rolls_back_in: Some(12), waiting, problem: problem.map(str::to_owned) };
        StatusView { unconfirmed: Some(view), ..status() }
    };
    let text = unconfirmed(true, None).render();
    assert!(text.contains("digest 00112233445566ff\n\nunconfirmed, rolls back in 12 s\n\ninterface"), "{text}");
    let text = unconfirmed(true, Some("it is locked")).render();
    assert!(text.contains("unconfirmed, and cannot be rolled back so far: it is locked\n"), "{text}");
    let text = unconfirmed(false, None).render();
    assert!(text.contains("nothing rolls it back") && text.contains("`modlb confirm --undo`"), "{text}");
    let json = serde_json::to_string(&unconfirmed(true, None)).unwrap();
    let expected = r#""unconfirmed":{"rolls_back_in":12,"waiting":true,"problem":null},"interfaces""#;
    assert!(json.contains(expected), "{json}");
}

/// A server that is not up says since when and why, in text and in JSON.
#[test]
fn servers_without_flows_are_listed_with_reasons() {
    let unresolved = Standing::Unresolved(Unresolved { since: 1_000, why: Missing::NoAnswer, on: 2 });
    let silent = server("10.0.0.12", None, unresolved);
    assert_eq!(silent.remark(1_007).unwrap(), "for 7 s: no answer on eth2");
    assert_eq!(silent.remark(1_000 + 3_600).unwrap(), "for 60 min: no answer on eth2");
    let json = serde_json::to_value(&silent).unwrap();
    assert_eq!(
        (&json["state"], &json["since"], &json["reason"]),
        (&"unresolved".into(), &1_000.into(), &"no answer on eth2".into())
    );
    let failing = Failing { since: 500, why: Failure::Status(503) };
    let refused = server("10.0.0.12", None, Standing::Failing(failing));
    assert_eq!(refused.remark(90_000_500).unwrap(), "for 1041 days: status 503");
    let kept = serde_json::to_value(server("10.0.0.12", None, Standing::Kept(failing))).unwrap();
    assert_eq!((&kept["state"], &kept["since"]), (&"up".into(), &500.into()));
    assert_eq!(server("10.0.0.12", None, Standing::Up).remark(7), None);
}

#[test]
fn a_proven_datapath_is_shown() {
    let proof = ProofView { digest: "0a".into(), proven: true };
    let status = StatusView { proof: Some(proof), ..status() };
    assert!(status.render().contains("\n\ndatapath proven (docs/PROOF.md), digest 0a\n\ninterface"));
    let json = serde_json::to_string(&status).unwrap();
    assert!(json.contains(r#""proof":{"digest":"0a","proven":true}"#), "{json}");
}
