//! `status`, `services` and `servers`.

use std::{fmt::Write as _, net::IpAddr};

use lb_common::{keep::DEFAULT_MAX_HAND_ONS, mac::Mac};
use serde::{Serialize, Serializer};

use super::{
    agent::AgentView,
    capacity::CapacityView,
    render::{Render, serialize_mac, table},
};
use crate::config::{model::health, standing::Standing};

mod lists;
mod proof;
mod service;
mod sockets;
mod transition;

pub use lists::{ServerRow, ServersView, ServicesView};
pub use proof::ProofView;
pub use service::{ServerView, ServiceView};
pub use sockets::SocketsView;
pub use transition::TransitionView;

use lists::remarks;

/// An instance, as `modlb status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct StatusView {
    /// The version of this program.
    pub version: String,
    /// The version of the pinned maps.
    pub abi: u32,
    /// This host's role.
    pub role: String,
    /// Whether it is active or on standby.
    pub state: Activity,
    /// The digest of everything that decides where packets go: equal on balancers that agree.
    pub digest: String,
    /// Role `balancer`: what is proven of the datapath in this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofView>,
    /// Role `member`: which servers it is, and its group.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberView>,
    /// Role `keep`: which servers it is.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub keep: Option<KeepView>,
    /// A balancer's peers: what they send is not balanced again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerView>,
    /// A change that will be rolled back unless confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<UnconfirmedView>,
    /// Its agent, if one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentView>,
    /// The interfaces that it is attached to.
    pub interfaces: Vec<InterfaceView>,
    /// What is not as the instance has recorded it, a sentence for each.
    pub problems: Vec<String>,
    /// How much it holds, and can hold.
    pub capacity: CapacityView,
    /// The services, in the order of the configuration.
    pub services: Vec<ServiceView>,
}

/// A change that is not confirmed yet.
#[derive(Clone, Debug, Serialize)]
pub struct UnconfirmedView {
    /// Seconds until it is rolled back; `None`: its record cannot be read.
    pub rolls_back_in: Option<u64>,
    /// Whether a process that does so is alive.
    pub waiting: bool,
    /// Why the rollback has failed so far, or why the record cannot be read.
    pub problem: Option<String>,
}

impl UnconfirmedView {
    fn render(&self) -> String {
        match (&self.problem, self.rolls_back_in) {
            _ if !self.waiting => {
                "unconfirmed, and nothing rolls it back: the process that would is gone; `modlb confirm` keeps the \
                 change, `modlb confirm --undo` undoes it\n\n"
                    .to_owned()
            }
            (Some(problem), Some(_)) => format!("unconfirmed, and cannot be rolled back so far: {problem}\n\n"),
            (Some(problem), None) => {
                format!("unconfirmed, and rolled back although its record is unreadable: {problem}\n\n")
            }
            (None, left) => format!("unconfirmed, rolls back in {} s\n\n", left.unwrap_or_default()),
        }
    }
}

/// A host that balances the same services.
#[derive(Clone, Debug, Serialize)]
pub struct PeerView {
    /// Its address.
    pub address: IpAddr,
    /// The MAC of its frames, if known.
    #[serde(serialize_with = "serialize_mac")]
    pub mac: Option<Mac>,
    /// Whether it is this host.
    pub this_host: bool,
}

impl PeerView {
    fn render(&self) -> String {
        let Self { address, mac, this_host } = self;
        match mac {
            _ if *this_host => format!("{address} (this host)"),
            Some(mac) => format!("{address} at {mac}"),
            None => format!("{address} (no MAC found: what it sends is balanced again)"),
        }
    }
}

/// Which servers a member is, and its group.
#[derive(Clone, Debug, Serialize)]
pub struct MemberView {
    /// The servers of its services that this host is.
    #[serde(rename = "self")]
    pub own: Vec<IpAddr>,
    /// The MAC to which the group's packets are addressed.
    #[serde(serialize_with = "serialize_mac")]
    pub group_mac: Option<Mac>,
    /// Whether its interfaces are promiscuous.
    pub promiscuous: bool,
    /// Whether requests for a service's MAC are answered with the group's.
    pub answer_arp: bool,
}

impl MemberView {
    fn render(&self) -> String {
        let own: Vec<_> = self.own.iter().map(ToString::to_string).collect();
        let own = if own.is_empty() { "no server of any service".to_owned() } else { own.join(", ") };
        let mac = self.group_mac.map_or_else(String::new, |mac| format!(", group {mac}"));
        let promiscuous = if self.promiscuous { ", promiscuous" } else { "" };
        let answers = if self.answer_arp { ", answers for its services' addresses" } else { "" };
        format!("self: {own}{mac}{promiscuous}{answers}\n\n")
    }
}

/// Which servers a host that keeps connections is.
#[derive(Clone, Debug, Serialize)]
pub struct KeepView {
    /// The servers of its services that this host is.
    #[serde(rename = "self")]
    pub own: Vec<IpAddr>,
    /// The services that have no server on this host.
    pub no_server_of: Vec<String>,
    /// How many frames per second each CPU hands on at most.
    pub max_hand_ons: u32,
}

impl KeepView {
    fn render(&self) -> String {
        let own: Vec<_> = self.own.iter().map(ToString::to_string).collect();
        let own = match (&own[..], &self.no_server_of[..]) {
            ([], _) => "self: no server of any service".to_owned(),
            (own, []) => format!("self: {}", own.join(", ")),
            (own, others) => format!("self: {}; no server of {}", own.join(", "), others.join(", ")),
        };
        match self.max_hand_ons {
            DEFAULT_MAX_HAND_ONS => format!("{own}\n\n"),
            limit => format!("{own}\nhands on at most {limit} frames a second on each CPU\n\n"),
        }
    }
}

/// Whether an instance is active or on standby.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// It forwards.
    Active,
    /// It passes every packet untouched.
    Standby,
}

impl Activity {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
        }
    }
}

/// An interface that an instance is attached to.
#[derive(Clone, Debug, Serialize)]
pub struct InterfaceView {
    /// Its name.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Where the program runs: `native`, `generic`, `egress` or `ingress`.
    pub mode: String,
    /// `attached`; `detached`: another program took modlb's off; `moved`: it is in another network namespace; `gone`.
    pub state: String,
    /// The MAC that the program takes for the interface's.
    #[serde(serialize_with = "serialize_port_mac")]
    pub mac: Mac,
    /// Whether it takes frames in several buffers, as native mode needs for an MTU beyond a page.
    pub multi_buffer: bool,
    /// Whether `modlb trace` or `modlb logs` has swapped in its program.
    pub traced: bool,
    /// The kind of link that holds the program.
    pub link: String,
    /// The program's id, as `bpftool prog` shows it.
    pub program_id: u32,
}

/// How many servers that are not simply up `status` names.
const MAX_NAMED: usize = 20;

impl From<StatusView> for ServicesView {
    fn from(status: StatusView) -> Self {
        Self(status.services)
    }
}

impl From<StatusView> for ServersView {
    fn from(status: StatusView) -> Self {
        let rows = status.services.into_iter().flat_map(|service| {
            let name = service.name;
            service.servers.into_iter().map(move |server| ServerRow { service: name.clone(), server })
        });
        Self(rows.collect())
    }
}

impl Render for StatusView {
    fn render(&self) -> String {
        let (role, state) = (&self.role, self.state.name());
        let mut text =
            format!("modlb {} (ABI {}): {role}, {state}, digest {}\n\n", self.version, self.abi, self.digest);
        text += &self.proof.as_ref().map_or_else(String::new, ProofView::render);
        text += &self.member.as_ref().map_or_else(String::new, MemberView::render);
        text += &self.keep.as_ref().map_or_else(String::new, KeepView::render);
        if !self.peers.is_empty() {
            let peers: Vec<_> = self.peers.iter().map(PeerView::render).collect();
            let _ = write!(text, "peers: {}\n\n", peers.join(", "));
        }
        text += &self.agent.as_ref().map_or_else(String::new, AgentView::render);
        text += &self.unconfirmed.as_ref().map_or_else(String::new, UnconfirmedView::render);
        if self.interfaces.is_empty() {
            text += "not attached to any interface\n\n";
        } else {
            let mut interfaces = table(&["interface", "index", "mode", "link", "program"], &["index", "program"]);
            for i in &self.interfaces {
                let mode = i.mode.clone()
                    + if i.state == "attached" { "" } else { ", " }
                    + if i.state == "attached" { "" } else { &i.state }
                    + if i.multi_buffer { ", multi-buffer" } else { "" }
                    + if i.traced { ", traced" } else { "" };
                interfaces.add_row([&i.name, &i.index.to_string(), &mode, &i.link, &i.program_id.to_string()]);
            }
            let _ = write!(text, "{}\n\n", interfaces.trim_fmt());
        }
        text += &self.render_problems();
        text += &self.capacity.render();
        text + &self.render_services()
    }
}

impl StatusView {
    fn render_problems(&self) -> String {
        if self.problems.is_empty() {
            return String::new();
        }
        let more = self.problems.len().saturating_sub(MAX_NAMED);
        let mut lines: Vec<_> =
            self.problems.iter().take(MAX_NAMED).map(|problem| format!("wrong: {problem}")).collect();
        if more > 0 {
            lines.push(format!("and {more} more of the same"));
        }
        format!("{}\n`modlb apply FILE` mends this, and so does the agent\n\n", lines.join("\n"))
    }

    fn render_services(&self) -> String {
        if self.services.is_empty() {
            return "no services".to_owned();
        }
        let mut services = table(&["service", "destination", "up", "N", "slots", "digest"], &["up", "N", "slots"]);
        for s in &self.services {
            let (n, slots) = (s.n.to_string(), s.slots.to_string());
            services.add_row([&s.name, &s.destination(), &s.up_text(), &n, &slots, &s.digest]);
        }
        let now = health::now();
        let mut text = services.trim_fmt();
        let servers =
            self.services.iter().flat_map(|service| service.servers.iter().map(move |server| (service, server)));
        let mut others = servers.filter(|(_, server)| server.state != Standing::Up);
        for (place, (service, server)) in others.by_ref().take(MAX_NAMED).enumerate() {
            let remark = server.remark(now).map_or_else(String::new, |remark| format!(", {remark}"));
            let line = if place == 0 { "\n\n" } else { "\n" };
            // Trap: scripts find a service's line by its first word.
            let _ = write!(text, "{line}{}: {} {}{remark}", server.state.name(), service.name, server.address);
        }
        match others.count() {
            0 => {}
            more => {
                let _ = write!(text, "\nand {more} more; `modlb servers` lists all");
            }
        }
        text + &remarks(&self.services)
    }
}

fn serialize_port_mac<S: Serializer>(mac: &Mac, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(mac)
}

#[cfg(test)]
mod tests;
