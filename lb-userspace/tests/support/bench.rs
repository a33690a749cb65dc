//! A gateway whose program runs frames by `BPF_PROG_TEST_RUN`. The modlb command attaches it; counters are read from
//! its maps.

use std::{collections::BTreeMap, fmt::Write as _};

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions, Xdp};
use aya_obj::programs::XdpAttachType;
use lb_common::{outcome::Outcome, table::Counter};
use lb_userspace::{config::model::Role, datapath::Datapath};

use super::{frame, modlb::Modlb, namespace::Namespace};

pub const XDP_DROP: u32 = 1;
pub const XDP_PASS: u32 = 2;
pub const XDP_TX: u32 = 3;
pub const XDP_REDIRECT: u32 = 4;

/// Name, MAC and addresses of the gateway's interfaces; most gateways have only the first.
const INTERFACES: [[&str; 4]; 2] = [
    ["eth0", "02:00:00:00:00:01", "10.0.0.1/24", "fd00::1/64"],
    ["eth1", "02:00:00:00:02:01", "10.1.0.1/24", "fd01::1/64"],
];
pub const TC_NEXT: u32 = u32::MAX;
pub const TC_DROP: u32 = 2;

/// The gateway.
pub struct Bench {
    // Before the namespace, so that it is detached first.
    pub modlb: Modlb,
    pub gateway: Namespace,
    datapath: Datapath,
    program: Program,
}

/// The program of a role.
enum Program {
    Xdp(Xdp),
    Steer(SchedClassifier),
}

/// What must become of a frame.
#[derive(Clone, Copy, Debug)]
pub enum Expect<'a> {
    /// Sent to the server with this MAC.
    Sent {
        /// The service's name.
        service: &'a str,
        /// The server's address.
        server: &'a str,
        /// The server's MAC.
        mac: [u8; 6],
    },
    /// Sent to a server in another way: verdict and frame are given in full.
    Out {
        /// The service's name.
        service: &'a str,
        /// The server's address.
        server: &'a str,
        /// The verdict.
        action: u32,
        /// The frame as it leaves.
        frame: &'a [u8],
    },
    /// Passed to this host, with its MAC: it is the member that the formula names.
    Accepted {
        /// The service's name.
        service: &'a str,
        /// The server's address.
        server: &'a str,
    },
    /// Dropped, because another member accepts it.
    Others {
        /// The service's name.
        service: &'a str,
        /// The server's address.
        server: &'a str,
    },
    /// Sent by this host to the router with this MAC.
    Steered {
        /// The service's name.
        service: &'a str,
        /// The router's address.
        server: &'a str,
        /// The router's MAC.
        mac: [u8; 6],
    },
    /// Answered with this frame.
    Answered(&'a [u8]),
    /// Passed because the server is this host.
    Local {
        /// The service's name.
        service: &'a str,
        /// The server's address.
        server: &'a str,
    },
    /// Passed.
    Passed(Outcome),
    /// Dropped.
    Dropped(Outcome),
}

/// Every counter, by "outcome X", "service X" or "server X of Y".
pub type Counters = BTreeMap<String, Counter>;

impl Bench {
    /// Attaches to an interface with the MAC [`frame::GATEWAY`]. It stays down, so that only the test's frames are
    /// counted.
    pub fn new(configuration: &str) -> Self {
        Self::with("--mode generic", configuration)
    }

    /// The same with these options.
    pub fn with(options: &str, configuration: &str) -> Self {
        Self::on(&INTERFACES[..1], 1_500, options, configuration)
    }

    /// The same with the program for frames in several buffers.
    pub fn jumbo(configuration: &str) -> Self {
        Self::on(&INTERFACES[..1], 9_000, "--mode native", configuration)
    }

    /// The same with this MTU and these options.
    pub fn one(mtu: u16, options: &str, configuration: &str) -> Self {
        Self::on(&INTERFACES[..1], mtu, options, configuration)
    }

    /// The same with a second interface, eth1, whose MAC is 02:00:00:00:02:01. Frames are given to eth0's program.
    pub fn two(mtu: u16, mode: &str, configuration: &str) -> Self {
        Self::on(&INTERFACES, mtu, &format!("--mode {mode}"), configuration)
    }

    /// The same with the capacities of an instance for which nobody named any.
    pub fn with_default_capacities(configuration: &str) -> Self {
        Self::of_size(&INTERFACES[..1], 1_500, "--mode generic", configuration)
    }

    fn on(interfaces: &[[&str; 4]], mtu: u16, options: &str, configuration: &str) -> Self {
        let small = ["--max-services 64", "--max-slots 70000", "--max-servers 1024"];
        let given = |default: &&str| default.split(' ').next().is_some_and(|option| options.contains(option));
        let capacity = small.into_iter().filter(|default| !given(default)).collect::<Vec<_>>().join(" ");
        Self::of_size(interfaces, mtu, &format!("{options} {capacity}"), configuration)
    }

    fn of_size(interfaces: &[[&str; 4]], mtu: u16, options: &str, configuration: &str) -> Self {
        let gateway = Namespace::new("bench");
        for [name, mac, four, six] in interfaces {
            gateway.ip(&format!("link add {name} address {mac} mtu {mtu} type veth peer name peer-{name} mtu {mtu}"));
            gateway.ip(&format!("addr add {four} dev {name}"));
            gateway.ip(&format!("addr add {six} dev {name} nodad"));
        }
        let modlb = Modlb::new(&gateway);
        let names = interfaces.iter().map(|[name, ..]| *name).collect::<Vec<_>>().join(" ");
        modlb.attach(&format!("{names} {options}"), configuration);
        let datapath = gateway.within(|| Datapath::open(modlb.instance()).unwrap());
        let program = program(&modlb, datapath.role(), "eth0");
        Self { modlb, gateway, datapath, program }
    }

    /// Changes the configuration.
    pub fn apply(&self, configuration: &str) {
        self.modlb.apply(configuration);
    }

    /// Switches to the program that eth0 has now, which may differ from the pinned one.
    pub fn follow(&mut self) {
        let status = self.modlb.json("status");
        let id = status["interfaces"][0]["program_id"].as_u64().unwrap();
        let mut programs = aya::programs::loaded_programs().map(Result::unwrap);
        let info = programs.find(|info| u64::from(info.id()) == id).unwrap();
        self.program = match self.datapath.role() {
            Role::Balancer | Role::Member => {
                Program::Xdp(Xdp::from_program_info(info, "followed".into(), XdpAttachType::Interface).unwrap())
            }
            Role::Steer | Role::Keep => {
                Program::Steer(SchedClassifier::from_program_info(info, "followed".into()).unwrap())
            }
        };
    }

    /// Switches back to the pinned program.
    pub fn follow_pin(&mut self) {
        self.program = program(&self.modlb, self.datapath.role(), "eth0");
    }

    /// Runs the program on a frame; returns its verdict and the frame afterwards.
    pub fn run(&self, frame: &[u8]) -> (u32, Vec<u8>) {
        let mut out = vec![0; frame.len() + 64];
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut out);
        let result = match &self.program {
            Program::Xdp(program) => program.test_run(options),
            Program::Steer(program) => program.test_run(options),
        };
        let result = result.unwrap_or_else(|error| panic!("{frame:02x?}: {error}"));
        out.truncate(result.data_size_out as usize);
        (result.return_value, out)
    }

    /// Runs the program on a frame, then on its own output, `times` times in all.
    pub fn repeat(&self, frame: &[u8], times: u32) {
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.repeat = times;
        let Program::Xdp(program) = &self.program else { panic!("only XDP programs repeat") };
        program.test_run(options).unwrap();
    }

    /// Runs the program on a packet that the kernel will send as `frames` frames.
    pub fn run_segments(&self, packet: &[u8], frames: u32) {
        /// The offset of `gso_segs` in `struct __sk_buff`.
        const SEGMENTS: usize = 164;
        let context = [&[0; SEGMENTS], &frames.to_ne_bytes()[..]].concat();
        let mut options = TestRunOptions::new();
        options.data_in = Some(packet);
        options.ctx_in = Some(&context);
        let Program::Steer(program) = &self.program else {
            panic!("only sent packets are segmented behind the program")
        };
        program.test_run(options).unwrap_or_else(|error| panic!("{frames} frames: {error}"));
    }

    /// Runs the program on a frame with `metadata` bytes of metadata before it; `None` if the kernel refuses that many.
    pub fn run_with_metadata(&self, frame: &[u8], metadata: usize) -> Option<(u32, Vec<u8>)> {
        let data = [&vec![0; metadata], frame].concat();
        // `struct xdp_md`: where the frame starts and ends in the data, and four more fields.
        let context: Vec<u8> =
            [metadata as u32, data.len() as u32, 0, 0, 0, 0].iter().flat_map(|field| field.to_ne_bytes()).collect();
        let mut out = vec![0; data.len() + 64];
        let mut options = TestRunOptions::new();
        options.data_in = Some(&data);
        options.ctx_in = Some(&context);
        options.data_out = Some(&mut out);
        let Program::Xdp(program) = &self.program else { panic!("only XDP has metadata") };
        let result = program.test_run(options).ok()?;
        out.truncate(result.data_size_out as usize);
        Some((result.return_value, out))
    }

    /// Runs the program on a frame and checks the verdict, every byte, and every counter.
    pub fn check(&self, what: &str, frame: &[u8], expect: Expect<'_>) {
        let before = self.counters();
        let (action, out) = self.run(frame);
        let after = self.counters();
        let (pass, drop) = match self.program {
            Program::Xdp(_) => (XDP_PASS, XDP_DROP),
            Program::Steer(_) => (TC_NEXT, TC_DROP),
        };
        let (action_wanted, frame_wanted, moved) = match expect {
            Expect::Accepted { service, server } => {
                (XDP_PASS, frame::addressed_to(frame::GATEWAY, frame), counted("accepted", service, server))
            }
            Expect::Others { service, server } => (XDP_DROP, frame.to_vec(), counted("others", service, server)),
            Expect::Steered { service, server, mac } => {
                (TC_NEXT, frame::addressed_to(mac, frame), counted("forwarded", service, server))
            }
            Expect::Answered(answer) => (XDP_TX, answer.to_vec(), vec!["outcome answered".to_owned()]),
            Expect::Sent { service, server, mac } => {
                (XDP_TX, frame::sent_to(mac, frame), counted("forwarded", service, server))
            }
            Expect::Out { service, server, action, frame } => {
                (action, frame.to_vec(), counted("forwarded", service, server))
            }
            Expect::Local { service, server } => (pass, frame.to_vec(), counted("local", service, server)),
            Expect::Passed(outcome) => (pass, frame.to_vec(), vec![format!("outcome {outcome}")]),
            Expect::Dropped(outcome) => (drop, frame.to_vec(), vec![format!("outcome {outcome}")]),
        };
        let found = difference(&before, &after);
        assert_eq!(action, action_wanted, "{what}: verdict; counted: {found}");
        assert_eq!(out, frame_wanted, "{what}: frame");
        let one = Counter { packets: 1, bytes: frame.len() as u64 };
        let wanted: Counters = moved.into_iter().map(|name| (name, one)).collect();
        assert_eq!(found, difference(&Counters::new(), &wanted), "{what}: counters");
    }

    /// All counters as they are now.
    pub fn counters(&self) -> Counters {
        let totals = self.datapath.totals().unwrap();
        let mut counters = Counters::new();
        for (outcome, counter) in Outcome::ALL.iter().zip(&totals.outcomes) {
            counters.insert(format!("outcome {outcome}"), *counter);
        }
        for (service, totals) in totals.snapshot.config.services.iter().zip(&totals.services) {
            counters.insert(format!("service {}", service.name), totals.total);
            for (server, counter) in service.servers.iter().zip(&totals.servers) {
                counters.insert(format!("server {} of {}", server.address, service.name), *counter);
            }
        }
        counters
    }
}

fn counted(outcome: &str, service: &str, server: &str) -> Vec<String> {
    vec![format!("outcome {outcome}"), format!("service {service}"), format!("server {server} of {service}")]
}

/// The counters that changed, and by how much.
fn difference(before: &Counters, after: &Counters) -> String {
    let mut text = String::new();
    for (name, now) in after {
        let was = before.get(name).copied().unwrap_or_default();
        if *now != was {
            let _ = writeln!(text, "{name}: {} packets, {} bytes", now.packets - was.packets, now.bytes - was.bytes);
        }
    }
    text
}

/// The program that modlb attached to an interface, by its pin.
fn program(modlb: &Modlb, role: Role, interface: &str) -> Program {
    let status = modlb.json("status");
    let mut interfaces = status["interfaces"].as_array().unwrap().iter();
    let index = &interfaces.find(|found| found["name"] == interface).unwrap()["index"];
    let pin = modlb.pins().join(format!("program-{index}"));
    match role {
        Role::Balancer | Role::Member => Program::Xdp(Xdp::from_pin(pin, XdpAttachType::Interface).unwrap()),
        Role::Steer | Role::Keep => Program::Steer(SchedClassifier::from_pin(pin).unwrap()),
    }
}
