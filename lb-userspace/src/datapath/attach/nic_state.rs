//! What an instance holds of interfaces beside its links: multicast MACs, promiscuous mode, filters of clsact.
//!
//! Trap: none of these ends with a command or with a pin, so each is written down in the map `HELD` before it is taken
//! and struck out after it is given back. Whatever a command is killed at, the next `detach` finds it. The interface's
//! number means something only in the network namespace that it was taken in.

use std::{net::IpAddr, path::Path};

use lb_common::{limits::MAX_NIC_STATES, mac::Mac, record::NicStateRecord};

use super::{egress, nic::Nic};
use crate::{
    config::model::Config,
    datapath::{
        error::{Error, Result},
        store::{
            instance::{Datapath, Writer},
            maps::Mapped,
            pins::Pins,
        },
    },
    net::{Interface, namespaces},
};

/// Something held of an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NicState {
    Multicast(Mac),
    Promiscuous,
}

impl Writer {
    /// Makes the interfaces receive what the configuration needs, and no longer what it does not. A line for each
    /// change.
    ///
    /// # Errors
    ///
    /// An interface refuses; what was taken before is still on record.
    pub fn hold(&mut self, interfaces: &[Interface], config: &Config) -> Result<Vec<String>> {
        let cookie = namespaces::cookie().unwrap_or_default();
        let mut lines = Vec::new();
        let mut wanted = Vec::new();
        for interface in interfaces {
            wanted.extend(wants(config).into_iter().map(|held| record(cookie, interface.index, held)));
        }
        let used =
            self.maps.nic_states.read(0, self.maps.nic_states.len()).iter().filter(|held| held.kind != 0).count();
        if used + wanted.len() > MAX_NIC_STATES as usize {
            return Err(Error::TooManyNicStates(used + wanted.len(), MAX_NIC_STATES));
        }
        let held = &mut self.datapath.maps.nic_states;
        for record in &wanted {
            lines.extend(acquire(held, record)?);
        }
        for place in 0..held.len() {
            let record = held.get(place);
            let ours = matches!(record.kind, NicStateRecord::MULTICAST | NicStateRecord::PROMISCUOUS);
            if ours && record.netns_cookie == cookie && !wanted.contains(&record) {
                lines.extend(release(&record));
                held.write(place, &[NicStateRecord::default()]);
            }
        }
        Ok(lines)
    }

    /// Writes down a filter that is about to be made.
    pub(in crate::datapath) fn note_filter(&mut self, interface: u32, priority: u16, handle: u32) -> Result<()> {
        let netns_cookie = namespaces::cookie().unwrap_or_default();
        let kind = NicStateRecord::FILTER;
        let record = NicStateRecord { netns_cookie, interface, kind, priority, handle, ..NicStateRecord::default() };
        note(&mut self.datapath.maps.nic_states, &record).map(drop)
    }
}

impl Datapath {
    /// The interfaces with a filter of clsact, by index, with the filter's priority and handle.
    pub(in crate::datapath) fn filters(&self) -> Vec<(u32, u16, u32)> {
        let all = self.maps.nic_states.read(0, self.maps.nic_states.len()).into_iter();
        all.filter(|held| held.kind == NicStateRecord::FILTER)
            .map(|held| (held.interface, held.priority, held.handle))
            .collect()
    }
}

/// Gives everything back that an instance holds, or what it holds of one interface.
pub(in crate::datapath) fn release_all(pins: &Pins, interface: Option<u32>) -> Result<()> {
    if !Path::new(&pins.map("HELD")).exists() {
        return Ok(());
    }
    let mut held = match Mapped::<NicStateRecord>::open(pins, "HELD") {
        Ok(held) => held,
        // Another version's, which cannot be read; it must not keep anybody from removing the pins.
        Err(error) => {
            log::warn!("what the instance holds of interfaces is not given back: {error}");
            return Ok(());
        }
    };
    for place in 0..held.len() {
        let record = held.get(place);
        if record.kind != 0 && interface.is_none_or(|index| index == record.interface) {
            release(&record);
            held.write(place, &[NicStateRecord::default()]);
        }
    }
    Ok(())
}

/// What each interface of a member has to receive.
fn wants(config: &Config) -> Vec<NicState> {
    let group = &config.group;
    if group.promiscuous {
        return vec![NicState::Promiscuous];
    }
    let mut macs: Vec<_> = group.mac.into_iter().filter(|mac| mac.is_group()).collect();
    if group.answer_arp {
        let asked = config.services.iter().filter(|service| service.is_announced());
        macs.extend(asked.filter_map(|service| solicited_node(service.address.addr())));
    }
    macs.sort_unstable();
    macs.dedup();
    macs.into_iter().map(NicState::Multicast).collect()
}

/// Where neighbours ask for an IPv6 address (RFC 4291, 2.7.1; RFC 2464, 7).
fn solicited_node(address: IpAddr) -> Option<Mac> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => {
            let [.., x, y, z] = v6.octets();
            Some(Mac([0x33, 0x33, 0xff, x, y, z]))
        }
    }
}

fn record(netns_cookie: u64, interface: u32, held: NicState) -> NicStateRecord {
    let (kind, mac) = match held {
        NicState::Multicast(mac) => (NicStateRecord::MULTICAST, mac),
        NicState::Promiscuous => (NicStateRecord::PROMISCUOUS, Mac::ZERO),
    };
    NicStateRecord { netns_cookie, interface, kind, mac: mac.0, ..NicStateRecord::default() }
}

/// Writes something down unless it stands there. `true`: it is new.
fn note(held: &mut Mapped<NicStateRecord>, record: &NicStateRecord) -> Result<bool> {
    let places = || 0..held.len();
    if places().any(|place| held.get(place) == *record) {
        return Ok(false);
    }
    let free = places().find(|place| held.get(*place).kind == 0);
    let free = free.ok_or(Error::TooManyNicStates(held.len() + 1, MAX_NIC_STATES))?;
    held.write(free, &[*record]);
    Ok(true)
}

/// Takes something, again if it was noted before: a command may have been killed in between.
fn acquire(held: &mut Mapped<NicStateRecord>, record: &NicStateRecord) -> Result<Option<String>> {
    let nic = Nic::open(record.interface).map_err(Error::io(format!("interface {}", record.interface)))?;
    let failed = |what: &str| Error::io(format!("{}: {what}", nic.name()));
    if record.kind == NicStateRecord::PROMISCUOUS {
        let noted = (0..held.len()).any(|place| held.get(place) == *record);
        if !noted && nic.is_promiscuous().map_err(failed("asking for its mode"))? {
            return Ok(Some(format!("{} is promiscuous already, and stays so", nic.name())));
        }
        let new = note(held, record)?;
        nic.set_promiscuous(true).map_err(failed("making it promiscuous"))?;
        return Ok(new.then(|| format!("{} takes every frame now (promiscuous mode)", nic.name())));
    }
    let mac = Mac(record.mac);
    let new = note(held, record)?;
    nic.join(mac).map_err(failed(&format!("joining {mac}")))?;
    Ok(new.then(|| format!("{} receives {mac} now", nic.name())))
}

/// Gives something back. What is not there any more needs no giving back, and nothing here keeps a `detach` from
/// ending.
fn release(record: &NicStateRecord) -> Option<String> {
    let cookie = namespaces::cookie().unwrap_or_default();
    if record.netns_cookie != cookie {
        log::warn!(
            "interface {} of another network namespace is left as it is; remove what is stale there",
            record.interface
        );
        return None;
    }
    let nic = Nic::open(record.interface).ok()?;
    let (result, line) = match record.kind {
        NicStateRecord::MULTICAST => {
            let mac = Mac(record.mac);
            (nic.leave(mac), format!("{} receives {mac} no longer", nic.name()))
        }
        NicStateRecord::PROMISCUOUS => {
            (nic.set_promiscuous(false), format!("{} takes every frame no longer", nic.name()))
        }
        _ => (
            egress::remove_filter(nic.name(), record.priority, record.handle),
            format!("{}: the filter is removed", nic.name()),
        ),
    };
    match result {
        Ok(()) => Some(line),
        Err(error) => {
            log::debug!("{}: giving back: {error}", nic.name());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    fn held(text: &str) -> Vec<NicState> {
        wants(&file::parse(text).unwrap())
    }

    #[test]
    fn what_members_receive() {
        let service = "[[service]]\nname = \"a\"\naddress = \"2001:db8::1:203\"\n[[service]]\nname = \"b\"\naddress = \
                       \"203.0.113.10\"\n[[service]]\nname = \"c\"\naddress = \"2001:db8:5::/48\"";
        let member = "role = \"member\"\n";
        let group = Mac([1, 0, 0x5e, 0, 0, 9]);
        assert_eq!(held(&format!("{member}{service}")), []);
        let mac = format!("{member}group_mac = \"{group}\"\n");
        assert_eq!(held(&format!("{mac}{service}")), [NicState::Multicast(group)]);
        let asked = NicState::Multicast(Mac([0x33, 0x33, 0xff, 1, 2, 3]));
        assert_eq!(held(&format!("{mac}answer_arp = true\n{service}")), [NicState::Multicast(group), asked]);
        assert_eq!(held(&format!("{mac}promiscuous = true\nanswer_arp = true\n{service}")), [NicState::Promiscuous]);
    }
}
