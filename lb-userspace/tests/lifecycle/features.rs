//! What the kernel says about the XDP features of interfaces.

use lb_userspace::net::{Error, Net, features::XdpFeatures};

use crate::{
    need_root,
    support::{namespace::Namespace, wait::wait},
};

/// The features of an interface in a namespace; `None`: the kernel is too old to know.
fn features(namespace: &Namespace, name: &str) -> Option<XdpFeatures> {
    ask(namespace, async |net| net.xdp_features(net.interface(name).await.unwrap().index).unwrap())
}

fn ask<T: Send>(namespace: &Namespace, question: impl AsyncFnOnce(&Net) -> T + Send) -> T {
    namespace.within(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { question(&Net::open().unwrap()).await })
    })
}

/// Frames can be redirected to a veth only while its peer can take them: with GRO on, or with a program.
#[test]
fn a_veth_is_a_target_while_its_peer_takes_frames() {
    need_root!();
    let namespace = Namespace::new("features");
    namespace.ip("link add eth0 type veth peer name peer0");
    namespace.ip("link set eth0 up");
    namespace.ip("link set peer0 up");
    let Some(plain) = features(&namespace, "eth0") else { return };
    assert!(plain.native() && plain.redirects() && plain.several_buffers() && !plain.target(), "{plain:?}");
    namespace.run("ethtool", "-K peer0 gro on");
    let becomes = |name: &str, target| {
        let now = || features(&namespace, name).unwrap();
        let is = |now: XdpFeatures| now.target() == target && now.target_of_several_buffers() == target;
        wait(|| is(now()), || format!("{name}: {:?}, wanted as a target: {target}", now()));
    };
    // The kernel notes it on both ends or on one, depending on its version; the end that frames go to counts.
    becomes("eth0", true);
    namespace.run("ethtool", "-K peer0 gro off");
    becomes("eth0", false);
}

#[test]
fn virtual_interfaces_without_native_programs_say_so() {
    need_root!();
    let namespace = Namespace::new("features");
    namespace.ip("link add br0 type bridge");
    namespace.ip("link add eth0 type veth peer name peer0");
    namespace.ip("link add mac0 link eth0 type macvlan mode bridge");
    if features(&namespace, "br0").is_none() {
        return;
    }
    for name in ["br0", "mac0", "lo"] {
        let found = features(&namespace, name).unwrap();
        assert!(!found.native() && !found.target(), "{name}: {found:?}");
    }
    namespace.ip("tuntap add tap0 mode tap");
    let tap = features(&namespace, "tap0").unwrap();
    assert!(tap.native() && tap.redirects() && tap.target() && !tap.several_buffers(), "{tap:?}");
}

/// A removed interface is an error that names it, and so is one of another namespace.
#[test]
fn an_interface_that_is_not_here_has_no_features() {
    need_root!();
    let (here, there) = (Namespace::new("here"), Namespace::new("there"));
    here.ip("link add eth0 index 77 type veth peer name peer0 index 78");
    if features(&here, "eth0").is_none() {
        return;
    }
    let missing = |index: u32| {
        let error = ask(&there, async |net| net.xdp_features(index).unwrap_err());
        assert!(matches!(error, Error::NoInterfaceIndex(culprit) if culprit == index), "{error}");
    };
    missing(77);
    here.ip(&format!("link set eth0 netns {}", there.name()));
    assert!(features(&there, "eth0").is_some());
    there.ip("link del eth0");
    missing(77);
    missing(0);
}
