//! Whether the instance has room for its tables, also if a server goes down everywhere.

use crate::doctor::{
    command::CommandContext,
    facts::{Room, Site},
    finding::{Finding, Level},
};

/// How to get more room.
const CURE: &str = "let another balancer take over (`modlb standby`), then `modlb detach`, and attach again with a larger \
                    `--max-slots`, or with a configuration that needs more: a new instance is sized for twice its need";

/// All checks.
pub fn all(site: &Site, context: &CommandContext) -> Vec<Finding> {
    let Some(Room { shortages, coarser, left_out }) = &site.room else { return Vec::new() };
    let bad = |level, seen: String, meaning: &str| {
        Finding::bad(level, "room", context.instance.clone(), seen, meaning).cure(CURE)
    };
    let mut findings = Vec::new();
    if *left_out > 0 {
        let meaning = "they do not take flows, or are somewhere else, and packets go to them nevertheless";
        findings.push(bad(Level::Failure, format!("no room for the state of {left_out} servers"), meaning));
    }
    if let Some(coarser) = coarser {
        let meaning = "the servers that are up share the flows of those that are down less evenly";
        findings.push(bad(Level::Warning, coarser.clone(), meaning));
    }
    let meaning = "the worst failure of a single server, counted beforehand";
    findings.extend(shortages.iter().map(|shortage| bad(Level::Warning, shortage.clone(), meaning)));
    if findings.is_empty() {
        findings.push(Finding::ok("room", context.instance.clone(), "any server can go down in all its services"));
    }
    findings
}
