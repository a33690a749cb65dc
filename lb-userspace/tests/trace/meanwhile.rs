//! Other commands, while one traces.

use crate::{
    SERVICES, Tracing, events, is_traced, need_root, program_id,
    support::{
        bench::Bench,
        frame::{TCP, ip, ports, to_gateway},
    },
};

#[test]
fn only_one_trace_at_a_time() {
    need_root!();
    let bench = Bench::new(SERVICES);
    let program = program_id(&bench.modlb);
    let tracing = Tracing::start(&bench.modlb, "trace");
    for command in ["trace", "logs"] {
        let error = bench.modlb.fails(command);
        assert!(error.contains("is being traced by another `modlb trace` or `modlb logs`"), "{error}");
    }
    // What is refused changes nothing, a file of an earlier trace included.
    let file = bench.modlb.file("earlier.pcapng", "an earlier capture");
    bench.modlb.fails(&format!("trace --pcap {}", file.display()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "an earlier capture");
    assert!(is_traced(&bench.modlb) && program_id(&bench.modlb) != program);
    tracing.end(&bench.modlb);
    assert_eq!(program_id(&bench.modlb), program);
    // A file that cannot be made ends the trace; the regular program is back.
    assert!(bench.modlb.fails("trace --pcap /no/such/directory/a.pcapng").contains("/no/such/directory/a.pcapng"));
    assert_eq!(program_id(&bench.modlb), program);
    Tracing::start(&bench.modlb, "logs").end(&bench.modlb);
    assert_eq!(program_id(&bench.modlb), program);
}

/// `status` says so; text and JSON.
#[test]
fn status_shows_a_trace() {
    need_root!();
    let bench = Bench::new(SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace");
    assert!(bench.modlb.ok("status").contains("generic, traced"));
    tracing.end(&bench.modlb);
    assert!(!bench.modlb.ok("status").contains("traced"));
}

/// They change the reports, but do not end them.
#[test]
fn a_trace_survives_a_change_of_configuration() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace --json");
    bench.follow();
    let frame = to_gateway(&ip([198, 51, 100, 7].into(), [203, 0, 113, 10].into(), TCP, &ports(1, 80)));
    bench.run(&frame);
    bench.modlb.ok("standby");
    bench.run(&frame);
    bench.modlb.ok("activate");
    for server in ["10.0.0.11", "10.0.0.12", "10.0.0.13"] {
        bench.modlb.ok(&format!("server down web4 {server}"));
    }
    bench.run(&frame);
    assert!(is_traced(&bench.modlb));
    let (out, _) = tracing.end(&bench.modlb);
    let outcomes: Vec<_> = events(&out).iter().map(|event| event["outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["forwarded", "standby", "no_server"]);
}

/// Who replaces the program ends the trace of that interface, and what they put in stays.
#[test]
fn a_replaced_program_ends_its_trace() {
    need_root!();
    let bench = Bench::new(SERVICES);
    for command in ["upgrade", "attach eth0"] {
        let tracing = Tracing::start(&bench.modlb, "trace");
        bench.modlb.ok(command);
        let program = program_id(&bench.modlb);
        assert!(!is_traced(&bench.modlb), "{command}");
        let (_, said) = tracing.ended(&bench.modlb);
        assert!(said.contains("eth0: another command replaced the program or detached it"), "{command}: {said}");
        assert_eq!(program_id(&bench.modlb), program, "{command}");
    }
}

#[test]
fn detaching_ends_a_trace() {
    need_root!();
    let bench = Bench::new(SERVICES);
    let mut tracing = Tracing::start(&bench.modlb, "trace");
    bench.modlb.ok("detach");
    assert!(tracing.child.wait().unwrap().success());
    assert!(!bench.modlb.pins().exists());
    let beside = std::path::Path::new("/sys/fs/bpf/modlb-trace").join(bench.modlb.instance());
    assert!(!beside.exists());
}

/// On one of two interfaces; the other one is left alone.
#[test]
fn one_interface_can_be_traced_alone() {
    need_root!();
    let bench = Bench::two(1_500, "generic", SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace --interface eth1");
    let traced = |name: &str| {
        let status = bench.modlb.json("status");
        let mut interfaces = status["interfaces"].as_array().unwrap().iter();
        interfaces.find(|interface| interface["name"] == name).unwrap()["traced"].as_bool().unwrap()
    };
    assert!(!traced("eth0") && traced("eth1"));
    tracing.end(&bench.modlb);
}
