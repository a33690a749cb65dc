//! Makes an instance of ABI 6: one of this version, whose maps, programs and record are replaced while it runs.

use std::{fs, path::Path};

use aya::programs::{
    ProgramInfo, SchedClassifier, TcAttachType, Xdp,
    links::{FdLink, PinnedLink},
    tc::{SchedClassifierLink, TcHandle},
    xdp::XdpLink,
};
use lb_common::{
    abi::Instance,
    limits::OUTCOME_COUNTERS,
    record::{DrainingRecord, HalfRecord, NicStateRecord, PortRecord, ServerRecord, ServiceRecord},
    table::Counter,
};

use super::{
    maps::{bytes, replace, replace_by, values},
    programs::{self, Constants, OUTCOMES, wide},
    shapes,
};
use crate::support::{modlb::Modlb, namespace::Namespace};

/// The capacities of instances of tests.
pub const SMALL: &str = "--max-services 64 --max-slots 70000 --max-servers 1024";

/// Makes a running instance one of ABI 6. Its interfaces keep their links. `group`: the MAC of a member's group.
pub fn make_former(namespace: &Namespace, modlb: &Modlb, group: Option<[u8; 6]>) {
    let pins = modlb.pins();
    let pin = |name: &str| pins.join(name);
    let ports: Vec<PortRecord> = values(&pin("PORTS"));
    let [mut instance] = values::<Instance>(&pin("INSTANCE"))[..] else { panic!("one record") };

    let halves: Vec<HalfRecord> = values(&pin("HALVES"));
    replace(&pin("HALVES"), &halves.iter().map(shapes::half).collect::<Vec<_>>());
    let servers: Vec<ServerRecord> = values(&pin("SERVERS"));
    replace(&pin("SERVERS"), &servers.iter().map(shapes::server).collect::<Vec<_>>());
    let draining: Vec<DrainingRecord> = values(&pin("RETIRED"));
    replace(&pin("RETIRED"), &draining.iter().map(shapes::draining).collect::<Vec<_>>());
    let services: Vec<ServiceRecord> = values(&pin("SERVICES"));
    replace(&pin("SERVICES"), &services.iter().map(shapes::service).collect::<Vec<_>>());
    fs::remove_file(pin("PORTS")).unwrap();
    // That version had fewer outcomes, so each CPU had fewer counters.
    let outcomes = bytes(&pin("OUTCOMES"));
    let former: Vec<u8> = outcomes
        .chunks(OUTCOME_COUNTERS as usize * size_of::<Counter>())
        .flat_map(|cpu| &cpu[..OUTCOMES * size_of::<Counter>()])
        .copied()
        .collect();
    replace_by(&pin("OUTCOMES"), former.len(), &former);

    for port in ports.iter().filter(|port| port.interface != 0) {
        let constants = Constants { interface: port.interface, mac: port.mac, group: group.map_or(0, wide) };
        namespace.within(|| exchange(&pins, &instance, &constants));
    }
    instance.abi = 6;
    replace(&pin("INSTANCE"), &[instance]);
}

/// Puts the program of ABI 6 on an interface.
fn exchange(pins: &Path, instance: &Instance, constants: &Constants) {
    let pinned = ProgramInfo::from_pin(pins.join(format!("program-{}", constants.interface))).unwrap();
    let several = pinned.name_as_str().unwrap().ends_with("_frags");
    let names = if several { ["balancer_frags", "member_frags", "-"] } else { ["balancer", "member", "steer"] };
    let name = names[instance.role as usize];
    let mut ebpf = programs::load(pins, instance, constants, name);
    let pin = |what: &str| pins.join(format!("{what}-{}", constants.interface));
    let link = || FdLink::from(PinnedLink::from_pin(pin("link")).unwrap());
    fs::remove_file(pin("program")).unwrap();
    let program = ebpf.program_mut(name).unwrap();
    if let Ok(xdp) = <&mut Xdp>::try_from(&mut *program) {
        xdp.attach_to_link(XdpLink::try_from(link()).unwrap()).unwrap();
        xdp.pin(pin("program")).unwrap();
    } else {
        let steer = <&mut SchedClassifier>::try_from(program).unwrap();
        let states: Vec<NicStateRecord> = values(&pins.join("HELD"));
        match states.iter().find(|state| state.kind == NicStateRecord::FILTER) {
            Some(NicStateRecord { priority, handle, .. }) => {
                let (egress, handle) = (TcAttachType::Egress, TcHandle::from(*handle));
                let filter = SchedClassifierLink::attached("eth0", egress, *priority, handle, None).unwrap();
                let id = steer.attach_to_link(filter).unwrap();
                // Dropping it would remove the filter.
                std::mem::forget(steer.take_link(id).unwrap());
            }
            None => drop(steer.attach_to_link(SchedClassifierLink::try_from(link()).unwrap()).unwrap()),
        }
        steer.pin(pin("program")).unwrap();
    }
}
