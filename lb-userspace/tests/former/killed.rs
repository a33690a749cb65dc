//! Upgrades that are killed after each of their steps, with packets on the way.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
};

use crate::{
    Old, assert_well, need_root, open,
    support::{two_links::TwoLinks, wait::wait},
    under_load,
};

/// More steps than an upgrade makes.
const MOST_STEPS: u32 = 200;

/// Kills an upgrade after each step. The next one succeeds; no packet is lost before, between and after, and each is
/// counted once.
#[test]
fn the_next_upgrade_goes_on() {
    need_root!();
    for steps in 1..MOST_STEPS {
        let old = Old::new("eth0 eth1", &TwoLinks::configuration(), |_| {});
        let modlb = &old.links.modlb;
        let mut sent = 0;
        let mut upgrade = |steps: u32| {
            let mut command = modlb.command("upgrade");
            command.env("MODLB_TEST_KILL_AFTER_STEP", steps.to_string());
            let (output, fates) = under_load(&old.links, [0, 1], &mut command);
            for fate in fates {
                assert_eq!((fate.wrong, fate.lost), (0, 0), "after step {steps}: {fate:?}");
                sent += fate.right as u64;
            }
            let killed = output.status.signal() == Some(libc::SIGKILL);
            assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            killed
        };
        let killed = upgrade(steps);
        if killed {
            let output = modlb.output("status");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() || said.contains(" upgrade`"), "after step {steps}: {said}");
            upgrade(0);
        }
        assert_well(modlb);
        let now = open(&old.links.namespace, modlb).totals().unwrap();
        let counted = now.services.iter().map(|service| service.total.packets).sum::<u64>();
        assert_eq!(counted, sent, "after step {steps}");
        assert!(!beside(&old).exists(), "after step {steps}");
        if !killed {
            assert!(steps > 10, "an upgrade made only {steps} steps");
            return;
        }
    }
    panic!("an upgrade does not end");
}

/// `detach` leaves nothing of it.
#[test]
fn detach_cleans_up() {
    need_root!();
    for steps in [1, 4, 8, 12, 16, 20, 24, 28] {
        let old = Old::new("eth0 eth1", &TwoLinks::configuration(), |_| {});
        let modlb = &old.links.modlb;
        let mut command = modlb.command("upgrade");
        command.env("MODLB_TEST_KILL_AFTER_STEP", steps.to_string());
        assert_eq!(command.output().unwrap().status.signal(), Some(libc::SIGKILL));
        modlb.ok("detach");
        assert!(!modlb.pins().exists() && !beside(&old).exists(), "after step {steps}");
        // The kernel detaches programs a moment after their links are removed.
        let show = || old.links.namespace.run("ip", "link show");
        wait(|| !show().contains("xdp"), show);
    }
}

fn beside(old: &Old) -> PathBuf {
    Path::new("/sys/fs/bpf/modlb-upgrade").join(old.links.modlb.instance())
}
