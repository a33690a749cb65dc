//! Members of a group on one segment, behind a switch that floods the group's MAC.
//!
//! ```text
//!              br0 in `switch`
//!    ┌────────────┬────────────┬───── …
//!  client     member 1     member 2, …, each with the services' addresses on lo
//!  10.0.0.2   10.0.0.11    10.0.0.12
//! ```

use std::net::IpAddr;

use super::{
    modlb::Modlb,
    namespace::Namespace,
    network::{Host, SERVICES, client_address, host, name, server_address},
};

/// The group's MAC.
pub const GROUP: &str = "01:00:5e:7f:00:09";

/// A group.
pub struct Cluster {
    /// Each member's command.
    pub members: Vec<Modlb>,
    pub client: Namespace,
    pub hosts: Vec<Host>,
    pub switch: Namespace,
    clients: u8,
}

impl Cluster {
    /// Builds one with this many members, and this many client addresses in each family.
    pub fn new(members: u8, clients: u8) -> Self {
        let switch = Namespace::new("switch");
        // With snooping the bridge floods only as long as no querier is on the segment; a test must not depend on that.
        switch.ip("link add br0 type bridge mcast_snooping 0");
        switch.ip("link set br0 up");
        let client = host(&switch, "client", 2);
        for number in 0..clients {
            client.ip(&format!("addr add {}/24 dev eth0", client_address(false, number)));
            client.ip(&format!("addr add {}/64 dev eth0 nodad", client_address(true, number)));
        }
        for service in SERVICES {
            client.ip(&format!("route add {service} dev eth0"));
        }
        let hosts: Vec<_> = (0..members).map(|number| Host::new(&switch, number)).collect();
        let members = hosts.iter().map(|host| Modlb::new(&host.namespace)).collect();
        Self { members, client, hosts, switch, clients }
    }

    /// Attaches on every member.
    pub fn attach(&self, mode: &str, configuration: &str) {
        for member in &self.members {
            member.attach(&format!("eth0 --mode {mode}"), configuration);
        }
    }

    /// The members' configuration: `head`, and a service for each address.
    pub fn configuration(&self, head: &str, what: &str) -> String {
        let mut text = format!("role = \"member\"\n{head}\n");
        for service in SERVICES {
            text += &format!("[[service]]\nname = \"{}\"\naddress = \"{service}\"\n{what}\n", name(service));
            for number in 0..self.members.len() {
                text +=
                    &format!("[[service.server]]\naddress = \"{}\"\n", server_address(service.is_ipv6(), number as u8));
            }
        }
        text
    }

    /// The client's addresses of a service's family.
    pub fn client_addresses(&self, service: IpAddr) -> Vec<IpAddr> {
        (0..self.clients).map(|number| client_address(service.is_ipv6(), number)).collect()
    }

    /// Runs a command on every member, one after the other.
    pub fn on_all(&self, arguments: &str) {
        self.members.iter().for_each(|member| drop(member.ok(arguments)));
    }
}
