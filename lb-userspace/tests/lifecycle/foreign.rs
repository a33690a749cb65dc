//! Pins of another version, of another program, or of an unfinished instance.

use std::os::fd::AsFd as _;

use aya::maps::{Array, Map, MapData};

use crate::{Gateway, need_root, web};

/// Writes the map `INSTANCE`, as another version or a killed command would have left it.
fn overwrite(gateway: &Gateway, change: impl Fn(&mut [u8; 40])) {
    let data = MapData::from_pin(gateway.modlb.pins().join("INSTANCE")).unwrap();
    assert!(data.fd().as_fd().try_clone_to_owned().is_ok());
    let mut array: Array<_, [u8; 40]> = Map::Array(data).try_into().unwrap();
    let mut record = array.get(&0, 0).unwrap();
    change(&mut record);
    array.set(0, record, 0).unwrap();
}

#[test]
fn another_abi_is_refused() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0", &web(&[11]));
    let file = gateway.modlb.file("web.toml", &web(&[11, 12]));
    overwrite(&gateway, |record| record[8] = 200);
    for arguments in [
        "status",
        "stats",
        "export",
        "attach eth0",
        "upgrade",
        "server down web 10.0.0.11",
        "standby",
        &format!("apply {}", file.display()),
    ] {
        let error = gateway.modlb.fails(arguments);
        assert!(
            error.contains(&format!("does not understand (ABI 200, this is {})", lb_common::abi::ABI))
                && error.contains("detach"),
            "{arguments}: {error}"
        );
    }
    gateway.modlb.ok("detach");
    assert!(!gateway.modlb.pins().exists());
}

#[test]
fn a_map_of_another_program_is_refused() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0", &web(&[11]));
    overwrite(&gateway, |record| record[0] = b'x');
    let error = gateway.modlb.fails("status");
    assert!(error.contains("its map INSTANCE is not a record of modlb"), "{error}");
}

/// A command that is killed while it makes an instance does not get in the way of the next.
#[test]
fn an_unfinished_instance_counts_as_none() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0", &web(&[11]));
    overwrite(&gateway, |record| record[..8].fill(0));
    assert!(gateway.modlb.fails("status").starts_with("no instance"));
    gateway.modlb.attach("eth0 --max-services 9", &web(&[11, 12]));
    assert_eq!(gateway.modlb.json("status")["services"][0]["n"], 2);
}
