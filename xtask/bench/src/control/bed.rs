//! What most measurements of this part begin with: an instance on an interface without traffic, and its services.

use std::fmt::Write as _;

use anyhow::Result;

use crate::{frame::INTERFACE, modlb::Modlb, namespace::Namespace, options::Options};

/// The instance, or a place for it.
pub struct Bed {
    /// The command.
    pub modlb: Modlb,
    /// After the instance, so that it is detached first.
    pub namespace: Namespace,
}

impl Bed {
    /// An interface `eth0` that nothing is attached to yet; `label` only helps to recognise the namespace.
    pub fn bare(options: &Options, label: &str) -> Result<Self> {
        let namespace = Namespace::new(label)?;
        namespace.ip(&format!("link add eth0 address {INTERFACE} type veth peer name peer0"))?;
        let modlb = Modlb::new(&options.modlb, &namespace)?;
        Ok(Self { modlb, namespace })
    }

    /// The same with an instance that has this configuration.
    pub fn new(options: &Options, label: &str, configuration: &str) -> Result<Self> {
        Self::with(options, label, "", configuration)
    }

    /// The same, attached with more options.
    pub fn with(options: &Options, label: &str, arguments: &str, configuration: &str) -> Result<Self> {
        let bed = Self::bare(options, label)?;
        bed.modlb.attach(&format!("eth0 --mode generic {arguments}"), configuration)?;
        Ok(bed)
    }
}

/// Services with these servers. Two `variant`s differ in every server's MAC.
pub fn configuration(services: u32, servers: u32, weight: u32, variant: u8) -> String {
    let mut text = String::new();
    for service in 0..services {
        let [.., high, low] = service.to_be_bytes();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[[service]]\nname = \"s{service}\"\naddress = \"198.18.{high}.{low}\"");
        text += "protocol = \"tcp\"\nport = 443\nserver = [";
        for server in 0..servers {
            let [.., c, d] = server.to_be_bytes();
            let _ = write!(
                text,
                "{{address=\"10.1.{c}.{d}\",mac=\"02:{variant:02x}:{high:02x}:{low:02x}:{c:02x}:{d:02x}\",weight={weight}}},"
            );
        }
        text += "]\n";
    }
    text
}
