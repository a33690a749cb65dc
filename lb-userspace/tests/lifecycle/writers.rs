//! Commands that meet.

use std::{process::Stdio, thread};

use crate::{Gateway, need_root, web};

/// Every change of many that come at once is made; none undoes another's.
#[test]
fn all_changes_are_made() {
    need_root!();
    let gateway = Gateway::new();
    let servers: Vec<u8> = (11..31).collect();
    gateway.modlb.attach("eth0", &web(&servers));
    thread::scope(|scope| {
        for server in &servers {
            let modlb = &gateway.modlb;
            scope.spawn(move || modlb.ok(&format!("server down web 10.0.0.{server}")));
            scope.spawn(move || modlb.ok(&format!("server add web 10.0.1.{server} --mac 02:00:00:00:03:{server:02x}")));
        }
        // Readers never wait, and never see half a change.
        for _ in 0..20 {
            let status = gateway.modlb.json("status");
            let service = &status["services"][0];
            assert_eq!(service["servers"].as_array().unwrap().len() as u64, service["n"].as_u64().unwrap());
        }
    });
    let status = gateway.modlb.json("status");
    let servers = status["services"][0]["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 40);
    for server in servers {
        let added = server["address"].as_str().unwrap().starts_with("10.0.1.");
        assert_eq!(server["state"], if added { "up" } else { "down" });
    }
}

/// While one command holds the instance, another waits for it.
#[test]
fn a_writer_waits_for_another() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0", &web(&[11, 12]));
    let directory = std::fs::File::open(gateway.modlb.pins()).unwrap();
    let lock = nix::fcntl::Flock::lock(directory, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let mut command = gateway.modlb.command("server down web 10.0.0.11");
    let mut waiting = command.stdout(Stdio::null()).spawn().unwrap();
    thread::sleep(std::time::Duration::from_millis(300));
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    assert_eq!(gateway.modlb.json("status")["services"][0]["servers"][0]["state"], "up");
    drop(lock);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(gateway.modlb.json("status")["services"][0]["servers"][0]["state"], "down");
}
