//! Queues: enough for the CPUs, and not more than native programs leave room for.

use crate::{
    doctor::{
        command::CommandContext,
        facts::{HostFacts, Nic},
        finding::{Finding, Level},
    },
    net::queues::{Beyond, Limit, Queues},
};

/// The queues of an interface whose driver reports them.
pub fn of(nic: &Nic) -> Option<Queues> {
    Some(Queues::new(nic.driver.as_deref().unwrap_or_default(), nic.channels?))
}

/// If there are so many queues that the driver refuses native programs: the queues, and the limit. A program that runs
/// natively shows that the rule does not hold here.
pub fn excess(nic: &Nic, host: &HostFacts) -> Option<(Queues, Limit)> {
    let queues = of(nic)?;
    let limit = queues.excess(host.cpus).filter(|_| !nic.is_native())?;
    Some((queues, limit))
}

/// All checks. Too many queues are `mode`'s to report.
pub fn all(nic: &Nic, host: &HostFacts, context: &CommandContext) -> Option<Finding> {
    let queues = of(nic)?;
    let (name, cpus, have) = (&nic.name, host.cpus, queues.receiving());
    let seen = format!("{have} receive queue{} for {cpus} CPU{}", plural(have), plural(cpus));
    let limit = queues.limit(cpus);
    let most = limit.map_or_else(|| queues.possible(), |limit| limit.most.min(queues.possible()));
    let change = |number: u32, seen: String, meaning: &str| {
        let finding = Finding::bad(Level::Warning, "queues", name, seen, meaning);
        let command = context.here(&queues.set(name, number));
        if nic.is_native() && queues.frozen_by_program() {
            return finding.cure(format!(
                "the driver changes queues only while no program is attached: detach, then `{command}`, then attach again"
            ));
        }
        finding.run(command)
    };
    if limit.is_some_and(|limit| limit.beyond == Beyond::Shared && have > limit.most) {
        let meaning = "no queue is left for each CPU to send by: programs share them, and wait for each other";
        return Some(change(most, format!("{seen}, and none to send by"), meaning));
    }
    if have >= cpus.min(most) {
        return Some(Finding::ok("queues", name, seen));
    }
    let meaning = "a queue is served by one CPU at a time: the other CPUs do not forward";
    Some(change(cpus.min(most), seen, meaning))
}

const fn plural(number: u32) -> &'static str {
    if number == 1 { "" } else { "s" }
}
