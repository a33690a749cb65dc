//! The process and the host.

use crate::{
    need_root,
    support::{modlb::Modlb, namespace::Namespace},
};

/// Without the capabilities there is nothing to attach, and that is said rather than failed at.
#[test]
fn missing_capabilities_are_found() {
    need_root!();
    let namespace = Namespace::new("host");
    namespace.ip("link add eth0 type veth peer name peer0");
    let modlb = Modlb::new(&namespace);
    let mut command = namespace.command("setpriv");
    command.args(["--bounding-set=-bpf,-perfmon,-sys_admin", "--inh-caps=-all", env!("CARGO_BIN_EXE_modlb")]);
    command.args(["--instance", modlb.instance(), "doctor", "eth0", "--json"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(
            r#""check":"capabilities","subject":"host","level":"failure","seen":"CAP_BPF, CAP_PERFMON missing""#
        ),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
