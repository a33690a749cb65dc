//! Attaches the program that passes every packet. A veth delivers frames that XDP sends only if its peer has a program.

use aya::EbpfLoader;

use super::{
    link,
    mode::Mode,
    names::PASS,
    object,
    refusal::{pin_error, refused},
    variant::attach,
};
use crate::{
    datapath::{
        error::Result,
        store::pins::{self, Pins},
    },
    net::{Interface, namespaces},
};

/// The directory in which the links of [`pass`] are pinned.
const PASS_DIRECTORY: &str = "modlb-pass";

/// Attaches the program that passes every packet to an interface, or detaches it.
///
/// # Errors
///
/// [`Error::Attach`] says why and what helps.
pub fn pass(interface: &Interface, remove: bool) -> Result<()> {
    let pins = Pins::outside(PASS_DIRECTORY);
    let _lock = pins.create()?;
    remove_gone(&pins)?;
    let pin = pins.pass(namespaces::cookie().unwrap_or_default(), interface.index);
    if remove {
        let found = pin.exists();
        pins.remove_pin(&pin)?;
        pins.remove_if_empty();
        return found.then_some(()).ok_or_else(|| refused(interface, "`modlb dev pass` did not attach anything to it"));
    }
    pins.remove_pin(&pin)?;
    let mut ebpf = object::read_without_tables(&mut EbpfLoader::new())?;
    attach(&mut ebpf, PASS, interface, Mode::Native)?.link.pin(pin).map(drop).map_err(pin_error)
}

/// The programs that modlb attached, by id, with their instances' names; `None`: by [`pass`].
pub fn link_programs() -> Vec<(Option<String>, u32)> {
    let links = |pins: &Pins| -> Vec<u32> {
        let names = pins.entries().unwrap_or_default().into_iter();
        let links = names.filter(|name| name.starts_with("link-") || pins.instance() == PASS_DIRECTORY);
        links.filter_map(|name| link::query(&pins.map(&name)).ok().flatten()).map(|link| link.program).collect()
    };
    let pass = links(&Pins::outside(PASS_DIRECTORY)).into_iter().map(|program| (None, program));
    let instances = pins::instances().into_iter();
    instances
        .flat_map(|name| links(&Pins::new(&name)).into_iter().map(move |program| (Some(name.clone()), program)))
        .chain(pass)
        .collect()
}

/// Removes the pins of links whose interface is gone.
fn remove_gone(pins: &Pins) -> Result<()> {
    for name in pins.entries()? {
        let path = pins.map(&name);
        if link::query(&path)?.is_some_and(|link| link.interface.is_none()) {
            pins.remove_pin(&path)?;
        }
    }
    Ok(())
}
