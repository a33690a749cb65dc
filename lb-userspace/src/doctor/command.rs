//! Commands for the right network namespace and instance.

use std::borrow::Cow;

use crate::net::{namespaces::path_of, shell::quoted};

/// The network namespace and the instance that printed commands must name.
#[derive(Clone, Debug, Default)]
pub struct CommandContext {
    /// The value of `--netns`.
    pub netns: Option<String>,
    /// The value of `--instance`.
    pub instance: String,
}

impl CommandContext {
    /// A command for this network namespace.
    pub fn here(&self, command: &str) -> String {
        self.netns.as_deref().map_or_else(|| command.to_owned(), |netns| within(netns, command))
    }

    /// A command that changes settings of this network namespace.
    pub fn sysctl(&self, settings: &[String]) -> String {
        let settings: Vec<Cow<'_, str>> = settings.iter().map(|setting| quoted(setting)).collect();
        self.here(&format!("sysctl -w {}", settings.join(" ")))
    }

    /// A call of `modlb` for this instance.
    pub fn modlb(&self, arguments: &str) -> String {
        let netns = self.netns.as_ref().map_or_else(String::new, |netns| format!(" --netns {}", quoted(netns)));
        let instance = match self.instance.as_str() {
            "default" => String::new(),
            name => format!(" --instance {name}"),
        };
        format!("modlb{netns}{instance} {arguments}")
    }
}

/// A command for a network namespace. Unlike `ip netns exec`, it keeps the mounts.
pub fn within(netns: &str, command: &str) -> String {
    format!("nsenter --net={} -- {command}", quoted(&path_of(netns).display().to_string()))
}

/// A setting of IPv4 of an interface, for [`CommandContext::sysctl`]. Trap: sysctl(8) takes a dot in a name for the end
/// of that name, unless slashes are the separators.
pub fn setting(interface: &str, name: &str, value: u32) -> String {
    if interface.contains('.') {
        format!("net/ipv4/conf/{interface}/{name}={value}")
    } else {
        format!("net.ipv4.conf.{interface}.{name}={value}")
    }
}
