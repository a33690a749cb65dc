//! Commands for the right network namespace and instance.

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
        self.here(&format!("sysctl -w {}", settings.join(" ")))
    }

    /// A call of `modlb` for this instance.
    pub fn modlb(&self, arguments: &str) -> String {
        let netns = self.netns.as_ref().map_or_else(String::new, |netns| format!(" --netns {netns}"));
        let instance = match self.instance.as_str() {
            "default" => String::new(),
            name => format!(" --instance {name}"),
        };
        format!("modlb{netns}{instance} {arguments}")
    }
}

/// A command for a network namespace. Unlike `ip netns exec`, it keeps the mounts.
pub fn within(netns: &str, command: &str) -> String {
    let path = if netns.contains('/') { netns.to_owned() } else { format!("/run/netns/{netns}") };
    format!("nsenter --net={path} -- {command}")
}
