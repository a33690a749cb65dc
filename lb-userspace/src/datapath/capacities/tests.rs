use lb_common::limits::MAX_VALUE_BYTES;

use super::*;

const OLD_KERNEL: u32 = 4 << 20;

fn limits(cpus: u32) -> HostLimits {
    HostLimits { cpus, value_bytes: MAX_VALUE_BYTES }
}

fn sized(need: Need, limits: HostLimits) -> Capacities {
    InstanceOptions { need, ..InstanceOptions::default() }.capacities(limits).unwrap()
}

#[test]
fn counters_of_all_cpus_are_one_value_and_share_no_line() {
    const LINE: u32 = 64;
    for servers in 1..=100 {
        let counters = Capacities { servers, ..Capacities::default() }.counters();
        assert!((counters * size_of::<PackedCounter>() as u32).is_multiple_of(LINE), "{servers} servers: {counters}");
    }
    for value_bytes in [MAX_VALUE_BYTES, OLD_KERNEL] {
        for cpus in [1, 2, 7, 64, 171, 256, 4_096] {
            let limits = HostLimits { cpus, value_bytes };
            let servers = limits.most().servers;
            let asked = |servers| InstanceOptions { servers: Some(servers), ..InstanceOptions::default() };
            let capacities = asked(servers).capacities(limits).unwrap();
            let bytes = u64::from(capacities.counters()) * u64::from(cpus) * size_of::<Counter>() as u64;
            assert!(bytes <= u64::from(value_bytes), "{cpus} CPUs: {bytes}");
            assert!(asked(servers + 1).capacities(limits).is_err());
        }
    }
}

#[test]
fn an_instance_takes_less_than_128_mib_unless_more_is_needed() {
    for cpus in [1, 2, 16, 64, 128, 240, 512, 1_024] {
        let capacities = sized(Need::default(), limits(cpus));
        let memory = capacities.memory(cpus);
        assert!(memory <= 128 << 20, "{cpus} CPUs: {capacities:?} take {memory} bytes");
        assert!(capacities.servers >= 1_024, "{cpus} CPUs: {capacities:?}");
    }
    assert_eq!(sized(Need::default(), limits(16)), Capacities::default());
    // 4,000 services on 50 servers. With more CPUs, their counters exceed the longest value of a map.
    let need = Need { services: 4_000, slots: 4_100, servers: 200_000, previous: 0 };
    for cpus in [2, 40] {
        let capacities = sized(need, limits(cpus));
        assert_eq!((capacities.services, capacities.slots), (8_000, DEFAULT_SLOTS));
        assert!(capacities.servers >= 250_000, "{cpus} CPUs: {capacities:?}");
    }
}

#[test]
fn an_instance_has_room_for_what_its_configuration_needs() {
    let small = Need { services: 10, slots: 100, servers: 50, previous: 50 };
    assert_eq!(sized(small, limits(2)), Capacities::default());
    let slots = sized(Need { slots: 300_000, ..small }, limits(2)).slots;
    assert_eq!(slots, 600_000);
    // Just below a default there would be no room to grow.
    let near = Need { services: DEFAULT_SERVICES, slots: DEFAULT_SLOTS, servers: DEFAULT_SERVERS, previous: 0 };
    let capacities = sized(near, limits(2));
    assert_eq!((capacities.services, capacities.slots), (2 * DEFAULT_SERVICES, 2 * DEFAULT_SLOTS));
    assert!(capacities.servers > with_room(DEFAULT_SERVERS));
    // Previous lists have as much room as the servers.
    let capacities = sized(Need { previous: 200_000, ..small }, limits(2));
    assert!(capacities.previous() >= 250_000, "{capacities:?}");
    // What was asked for counts, even if it is too little.
    let asked = InstanceOptions { slots: Some(7), need: near, ..InstanceOptions::default() };
    assert_eq!(asked.capacities(limits(2)).unwrap().slots, 7);
    // More than is possible is left to the error that says so.
    let huge = sized(Need { services: u32::MAX, slots: u32::MAX, servers: u32::MAX, previous: u32::MAX }, limits(2));
    assert_eq!(huge, limits(2).most());
}

/// Linux below 6.0 refuses values above 4 MiB.
#[test]
fn on_an_old_kernel_every_table_fits_in_its_value() {
    for cpus in [1, 2, 8, 64, 255] {
        let old = HostLimits { cpus, value_bytes: OLD_KERNEL };
        for need in [Need::default(), Need { services: 9_999, slots: 999_999, servers: 99_999, previous: 0 }] {
            let capacities = sized(need, old);
            let tables = [
                2 * u64::from(capacities.cells()) * size_of::<ServiceCell>() as u64,
                2 * u64::from(capacities.slots) * size_of::<Slot>() as u64,
                u64::from(cpus) * u64::from(capacities.counters()) * size_of::<Counter>() as u64,
            ];
            assert!(tables.iter().all(|bytes| *bytes <= OLD_KERNEL.into()), "{cpus} CPUs: {capacities:?}, {tables:?}");
            assert!(capacities.services > 1_900 && capacities.slots >= DEFAULT_SLOTS && capacities.servers >= 300);
        }
    }
    let asked = InstanceOptions { slots: Some(DEFAULT_SLOTS + 1), ..InstanceOptions::default() };
    let error = asked.capacities(HostLimits { cpus: 1, value_bytes: OLD_KERNEL }).unwrap_err().to_string();
    assert!(error.contains("`--max-slots 262145`") && error.contains("262144 or less"), "{error}");
}
