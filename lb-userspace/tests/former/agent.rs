//! The agent upgrades an instance when it starts.

use std::process::{Child, Stdio};

use crate::{
    Old, assert_same, assert_well, need_root, open,
    support::{modlb::Modlb, two_links::TwoLinks, wait::wait},
};

/// Killed on drop.
struct Agent(Child);

impl Agent {
    fn start(modlb: &Modlb, configuration: &str) -> Self {
        let file = modlb.file("agent.toml", &format!("interfaces = [\"eth0\", \"eth1\"]\n{configuration}"));
        let mut command = modlb.command(&format!("agent --listen none --mode generic --config {}", file.display()));
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What commands changed since the agent put its file in force stays, as after any restart.
#[test]
fn an_agent_that_starts_upgrades() {
    need_root!();
    let configuration = TwoLinks::configuration();
    let old = Old::new("eth0 eth1", &configuration, |links| {
        let agent = Agent::start(&links.modlb, &configuration);
        let datapath = open(&links.namespace, &links.modlb);
        wait(|| datapath.source() != 0, || "the agent does not put its file in force".to_owned());
        drop(agent);
        links.modlb.ok("server down six fd00:1::12");
    });
    old.links.probe(0);
    let former = old.totals();
    let agent = Agent::start(&old.links.modlb, &configuration);
    wait(|| old.links.modlb.output("status").status.success(), || "the agent does not upgrade".to_owned());
    let now = open(&old.links.namespace, &old.links.modlb);
    wait(
        || assert_well(&old.links.modlb)["services"][1]["servers"][1]["state"] == "down",
        || "the server is up again".to_owned(),
    );
    assert_same(&former, &now.totals().unwrap());
    assert_eq!(now.source(), former.snapshot.record.source);
    drop(agent);
}
