//! Lines that say what was attached.

use anyhow::Result;

use crate::{
    datapath::{Port, PortMode, Writer, ports},
    net::{Interface, Net},
};

/// A line for each interface that was attached, and for those that it had if their programs were replaced.
pub async fn report(writer: &Writer, net: &Net, old: &[Interface], replaced: bool) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for port in ports(writer, net).await? {
        let is_old = old.iter().any(|old| old.index == port.index);
        let Some(interface) = port.attached().filter(|_| !is_old || replaced) else { continue };
        let verb = if is_old { "replaced on" } else { "attached to" };
        lines.push(format!("{verb} {} ({})", interface.name, how(writer, &port)));
    }
    Ok(lines)
}

fn how(writer: &Writer, port: &Port) -> String {
    let buffers = if writer.is_multi_buffer(port.index) { ", multi-buffer" } else { "" };
    match port.mode {
        PortMode::Native | PortMode::Generic => format!("{} mode{buffers}", port.mode.name()),
        PortMode::Tcx | PortMode::Clsact => format!("{}, by {}", writer.role().tc_hook(), port.mode.name()),
    }
}
