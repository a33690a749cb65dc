//! How commands are to be written so that they reach what is meant.

/// How commands are to be written so that they reach the network namespace and the instance that are meant.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// As `--netns` was given.
    pub netns: Option<String>,
    /// As `--instance` was given.
    pub instance: String,
}

impl Ways {
    /// A command for this network namespace.
    pub fn here(&self, command: &str) -> String {
        self.netns.as_deref().map_or_else(|| command.to_owned(), |netns| within(netns, command))
    }

    /// Settings of this network namespace.
    pub fn sysctl(&self, settings: &[String]) -> String {
        self.here(&format!("sysctl -w {}", settings.join(" ")))
    }

    /// A call of this command, for the instance.
    pub fn modlb(&self, arguments: &str) -> String {
        let netns = self.netns.as_ref().map_or_else(String::new, |netns| format!(" --netns {netns}"));
        let instance = match self.instance.as_str() {
            "default" => String::new(),
            name => format!(" --instance {name}"),
        };
        format!("modlb{netns}{instance} {arguments}")
    }
}

/// A command for a network namespace. File systems stay, unlike with `ip netns exec`.
pub fn within(netns: &str, command: &str) -> String {
    let path = if netns.contains('/') { netns.to_owned() } else { format!("/run/netns/{netns}") };
    format!("nsenter --net={path} -- {command}")
}
