use super::*;

fn server(last: u8, state: &'static str, weight: u32, packets: u64) -> ReplayServer {
    let total = Traffic { packets, bytes: packets * 100 };
    let address = [10, 0, 0, last].into();
    ReplayServer { address, state, weight, total, flows: packets / 10, share: 0.0, fair_share: 0.0 }
}

fn view() -> ReplayView {
    let total = Traffic { packets: 1_000, bytes: 100_000 };
    let (some, none) = (Traffic { packets: 2, bytes: 200 }, Traffic::default());
    let moves = |all, moved| MovesView { all, moved, moved_of_others: 0, unserved: 0 };
    let servers = vec![server(11, "up", 1, 300), server(12, "up", 2, 700), server(13, "down", 1, 0)];
    let service = |name: &str, total, servers| ReplayService {
        name: name.into(),
        target: "203.0.113.10:443/tcp".into(),
        total,
        flows: 100,
        imbalance: None,
        servers,
    };
    let mut view = ReplayView {
        file: "a.pcap".into(),
        judged_by: JudgedView { kernel: none, host: total },
        own_macs: vec!["02:00:00:00:00:01".into()],
        own_macs_found: true,
        total: Traffic { packets: 1_002, bytes: 100_200 },
        cut: CutView { judged: none, undecided: some },
        error: None,
        outcomes: OutcomesView::new(|outcome| if outcome == Outcome::Forwarded { total } else { none }),
        services: vec![service("web", total, servers), service("idle", none, Vec::new())],
        worst: None,
        changes: vec![ChangeView {
            down: Some([10, 0, 0, 11].into()),
            against: None,
            flows: moves(100, 30),
            packets: moves(1_000, 300),
            packets_taken_anew: 0,
        }],
    };
    view.conclude();
    view
}

#[test]
fn shares_and_the_worst_imbalance_are_computed() {
    let view = view();
    let shares: Vec<_> = view.services[0].servers.iter().map(|server| (server.share, server.fair_share)).collect();
    assert_eq!(shares, [(0.3, 0.333333), (0.7, 0.666667), (0.0, 0.0)]);
    // 0.7 of 2/3; the other one takes less than its share, the third is down.
    assert_eq!(view.services[0].imbalance, Some(1.05));
    assert_eq!(view.services[1].imbalance, None);
    let worst = view.worst.unwrap();
    assert_eq!((worst.service.as_str(), worst.server, worst.imbalance), ("web", [10, 0, 0, 12].into(), 1.05));
}

#[test]
fn the_text_keeps_its_shape() {
    let text = view().render();
    let head = "\
a.pcap: 1002 packets, 100200 bytes
judged by this command, without the kernel
frames to 02:00:00:00:00:01 are the balancer's: most frames for services go there
2 of them (200 bytes) were truncated too early to be judged, and are left out below

outcome           packets   bytes
forwarded            1000  100000
local ";
    assert!(text.starts_with(head), "{text}");
    let rest = "\
web (203.0.113.10:443/tcp): 1000 packets, 100000 bytes, 100 flows
server            packets  bytes  flows   share    fair
10.0.0.11             300  30000     30  30.0 %  33.3 %  ###########
10.0.0.12             700  70000     70  70.0 %  66.7 %  ########################
10.0.0.13 (down)        0      0      0   0.0 %   0.0 %

idle (203.0.113.10:443/tcp): 0 packets, 0 bytes, 100 flows

worst imbalance: 10.0.0.12 of web takes 1.05 times its fair share, the part of the service's packets that its weight entitles it to

change          flows  moved  of others  unserved  packets  packets moved  taken anew
10.0.0.11 down    100     30          0         0     1000            300           0";
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert!(lines(&text).ends_with(&lines(rest)), "{text}");
}

#[test]
fn the_json_keeps_its_shape() {
    let json = serde_json::to_value(view()).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 12, "{keys:?}");
    assert_eq!(json["cut"]["undecided"], serde_json::json!({"packets": 2, "bytes": 200}));
    assert_eq!((&json["packets"], &json["bytes"], &json["error"]), (&1_002.into(), &100_200.into(), &().into()));
    assert_eq!(
        json["services"][0]["servers"][1],
        serde_json::json!({"address": "10.0.0.12", "state": "up", "weight": 2, "packets": 700, "bytes": 70_000,
                           "flows": 70, "share": 0.7, "fair_share": 0.666667})
    );
    assert_eq!(
        json["changes"][0],
        serde_json::json!({"down": "10.0.0.11", "against": null,
            "flows": {"all": 100, "moved": 30, "moved_of_others": 0, "unserved": 0},
            "packets": {"all": 1_000, "moved": 300, "moved_of_others": 0, "unserved": 0}, "packets_taken_anew": 0})
    );
}

#[test]
fn bars_show_any_packet() {
    assert_eq!([bar(0, 10), bar(1, 1_000_000), bar(5, 10)], [String::new(), "#".into(), "#".repeat(12)]);
    assert_eq!(bar(u64::MAX, u64::MAX).len(), BAR);
}
