//! Previous lists of servers: in force, exported, shown, and ended.

use crate::{Gateway, need_root, web};

/// The service with these previous lists.
fn with_previous(servers: &[u8], lists: &str) -> String {
    web(servers).replace("port = 80\n", &format!("port = 80\nprevious = {lists}\n"))
}

#[test]
fn a_transition_lasts_until_it_is_ended() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0", &web(&[11, 12, 13]));
    let digest = modlb.ok("status --field digest");
    let old = modlb.file("old.toml", &modlb.ok("export")).display().to_string();
    let new = modlb.file("new.toml", &web(&[11, 12, 13, 14])).display().to_string();
    let said = modlb.ok(&format!("apply {new} --dry-run"));
    let uncovered =
        "N 3 → 4, about 75 % of the flows move to another server; there is no `previous` list that covers them";
    assert!(said.ends_with(&format!("! service web: {uncovered}\n")), "{said}");

    let next = modlb.file("next.toml", &modlb.ok(&format!("transition {old} {new}"))).display().to_string();
    let said = modlb.ok(&format!("apply {next}"));
    assert!(said.contains("~ service web: previous lists changed (0 → 1)\n"), "{said}");
    assert!(said.contains("about 75 % of the flows move to another server; `previous` covers all of them\n"), "{said}");
    let list = "previous = [[\"10.0.0.11 mac 02:00:00:00:02:0b\", \"10.0.0.12 mac 02:00:00:00:02:0c\", \"10.0.0.13 mac 02:00:00:00:02:0d\"]]\n";
    assert!(modlb.ok("export").contains(list), "{}", modlb.ok("export"));
    let transition = || modlb.json("services")[0]["transition"].clone();
    let begun = transition();
    assert_eq!(begun["previous_lists"], 1);
    assert!(begun["since"].as_u64().unwrap() > 1_700_000_000);
    assert!(modlb.ok("status").contains("\ntransition: web, since "), "{}", modlb.ok("status"));
    assert_ne!(modlb.ok("status --field digest"), digest);

    // Other changes do not end it, nor do they give it another date.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    modlb.ok("server down web 10.0.0.11");
    assert_eq!(transition(), begun);
    assert!(modlb.ok("export").contains(list));
    modlb.ok("server up web 10.0.0.11");
    assert_eq!(modlb.ok(&format!("apply {next}")), "nothing to change\n");

    let ended = modlb.file("ended.toml", &modlb.ok(&format!("transition --end {next}"))).display().to_string();
    assert_eq!(modlb.ok(&format!("apply {ended}")), "~ service web: previous lists changed (1 → 0)\n");
    assert!(transition().is_null() && !modlb.ok("export").contains("previous"));
    // The table of four servers alone, as if there had been no transition.
    let verdict: serde_json::Value = modlb.json(&format!("check {new}"));
    assert_eq!(modlb.ok("status --field digest").trim_end(), verdict["digest"]);
}

#[test]
fn a_change_that_is_rolled_back_leaves_no_lists() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    let before = with_previous(&[11, 12], "[[\"10.0.0.11\", \"10.0.0.12 down\"], [\"10.0.0.9 weight 3\"]]");
    modlb.attach("eth0", &before);
    let exported = modlb.ok("export");
    assert!(
        exported.contains("previous = [[\"10.0.0.11\", \"10.0.0.12 down\"], [\"10.0.0.9 weight 3\"]]\n"),
        "{exported}"
    );
    let other = modlb.file("other.toml", &with_previous(&[11], "[[\"10.0.0.11\"]]")).display().to_string();
    modlb.ok(&format!("apply {other} --confirm 60"));
    assert_eq!(modlb.json("services")[0]["transition"]["previous_lists"], 1);
    modlb.ok("confirm --undo");
    assert_eq!(modlb.ok("export"), exported);
}

#[test]
fn lists_have_as_much_room_as_servers() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0 --max-servers 2", &with_previous(&[11], "[[\"10.0.0.11\"], [\"10.0.0.12\"]]"));
    let many = with_previous(&[11], "[[\"10.0.0.11\"], [\"10.0.0.12\", \"10.0.0.13\"]]");
    let file = modlb.file("many.toml", &many).display().to_string();
    let exported = modlb.ok("export");
    let error = modlb.fails(&format!("apply {file}"));
    let way_out = "End transitions that are over (`modlb transition --end FILE`)";
    assert!(error.starts_with("servers of previous lists: 3 are needed, the instance holds 2"), "{error}");
    assert!(error.contains(way_out) && error.contains("`--max-servers 3`"), "{error}");
    assert_eq!(modlb.ok("export"), exported);
    let check = modlb.json(&format!("check {file}"));
    let warning = check["warnings"][0].as_str().unwrap();
    assert!(warning.contains("servers of previous lists") && warning.contains("--max-servers 3"), "{warning}");
}
