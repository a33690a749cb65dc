//! Interface settings that do not end with a BPF link: multicast MACs, promiscuous mode, clsact filters.
//!
//! Trap: none of these ends with a command or with a pin. So each is recorded in the map `HELD` before it is
//! acquired, and removed from it after it is released: if a command is killed in between, the next `detach` releases
//! the setting. An interface's index is valid only in the network namespace in which the setting was acquired.

use std::{net::IpAddr, path::Path};

use aya::programs::TcAttachType;
use lb_common::{limits::MAX_NIC_STATES, mac::Mac, record::NicStateRecord};

use super::{nic::Nic, tc};
use crate::{
    config::model::Config,
    datapath::{
        error::{Error, Result},
        kill_point,
        store::{
            instance::{Datapath, Writer},
            maps::Mapped,
            pins::Pins,
        },
    },
    net::{Interface, multicast, namespaces},
};

/// A setting of an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NicState {
    Multicast(Mac),
    Promiscuous,
}

impl Writer {
    /// Acquires the settings that the configuration needs, and releases all others. Returns a line for each change.
    ///
    /// # Errors
    ///
    /// An interface refuses. Settings acquired so far stay on record.
    pub fn reconcile_nic_state(&mut self, interfaces: &[Interface], config: &Config) -> Result<Vec<String>> {
        let cookie = namespaces::cookie().unwrap_or_default();
        let mut lines = Vec::new();
        let mut wanted = Vec::new();
        for interface in interfaces {
            wanted.extend(needed(config).into_iter().map(|state| record(cookie, interface.index, state)));
        }
        let states = &mut self.datapath.maps.nic_states;
        let used = states.read(0, states.len()).iter().filter(|state| state.kind != 0).count();
        if used + wanted.len() > MAX_NIC_STATES as usize {
            return Err(Error::TooManyNicStates(used + wanted.len(), MAX_NIC_STATES));
        }
        for record in &wanted {
            lines.extend(acquire(states, record)?);
        }
        for index in 0..states.len() {
            let record = states.get(index);
            // Filters are released with their interface.
            let ours = matches!(record.kind, NicStateRecord::MULTICAST | NicStateRecord::PROMISCUOUS);
            if ours && record.netns_cookie == cookie && !wanted.contains(&record) {
                lines.extend(release(&record));
                states.write(index, &[NicStateRecord::default()]);
            }
        }
        Ok(lines)
    }

    /// Records a filter that is about to be added.
    pub(in crate::datapath) fn record_filter(
        &mut self,
        interface: u32,
        hook: TcAttachType,
        priority: u16,
        handle: u32,
    ) -> Result<()> {
        let netns_cookie = namespaces::cookie().unwrap_or_default();
        let kind = match hook {
            TcAttachType::Ingress => NicStateRecord::INGRESS_FILTER,
            TcAttachType::Egress | TcAttachType::Custom(_) => NicStateRecord::FILTER,
        };
        let record = NicStateRecord { netns_cookie, interface, kind, priority, handle, ..NicStateRecord::default() };
        add(&mut self.datapath.maps.nic_states, &record).map(drop)
    }
}

impl Datapath {
    /// For each setting that interfaces have lost: the interface's index, and what it no longer receives.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked.
    pub fn lost_nic_states(&self) -> Result<Vec<(u32, String)>> {
        let cookie = namespaces::cookie().unwrap_or_default();
        let states = self.maps.nic_states.read(0, self.maps.nic_states.len()).into_iter();
        let states: Vec<_> = states.filter(|state| state.kind != 0 && state.netns_cookie == cookie).collect();
        if states.is_empty() {
            return Ok(Vec::new());
        }
        let joined = multicast::joined().map_err(Error::io("reading the multicast MACs of interfaces"))?;
        let mut lost = Vec::new();
        for state in states {
            let Ok(nic) = Nic::open(state.interface) else { continue };
            match state.kind {
                NicStateRecord::MULTICAST if !joined.contains(&(state.interface, Mac(state.mac))) => {
                    lost.push((state.interface, format!("the multicast MAC {}", Mac(state.mac))));
                }
                NicStateRecord::PROMISCUOUS if !nic.is_promiscuous().unwrap_or(true) => {
                    lost.push((state.interface, "frames to others (promiscuous mode)".to_owned()));
                }
                _ => {}
            }
        }
        Ok(lost)
    }

    /// The clsact filters: interface index, priority and handle.
    pub(in crate::datapath) fn filters(&self) -> Vec<(u32, u16, u32)> {
        let all = self.maps.nic_states.read(0, self.maps.nic_states.len()).into_iter();
        all.filter(|state| matches!(state.kind, NicStateRecord::FILTER | NicStateRecord::INGRESS_FILTER))
            .map(|state| (state.interface, state.priority, state.handle))
            .collect()
    }
}

impl Writer {
    /// Clears the records of an interface that is gone or elsewhere, and whose settings went with it.
    pub(in crate::datapath) fn forget_nic_states(&mut self, interface: u32) {
        let states = &mut self.datapath.maps.nic_states;
        for index in 0..states.len() {
            if states.get(index).interface == interface {
                states.write(index, &[NicStateRecord::default()]);
            }
        }
    }
}

/// Releases all settings of an instance, or those of one interface.
pub(in crate::datapath) fn release_all(pins: &Pins, interface: Option<u32>) -> Result<()> {
    if !Path::new(&pins.map("HELD")).exists() {
        return Ok(());
    }
    let mut states = match Mapped::<NicStateRecord>::open(pins, "HELD") {
        Ok(states) => states,
        // A map of another version cannot be read, which must not keep `detach` from removing the pins.
        Err(error) => {
            log::warn!(
                "multicast MACs, promiscuous mode and clsact filters of interfaces are left as they are: {error}"
            );
            return Ok(());
        }
    };
    for index in 0..states.len() {
        let record = states.get(index);
        if record.kind != 0 && interface.is_none_or(|interface| interface == record.interface) {
            release(&record);
            states.write(index, &[NicStateRecord::default()]);
        }
    }
    Ok(())
}

/// The settings that each interface of a member needs.
fn needed(config: &Config) -> Vec<NicState> {
    let group = &config.group;
    if group.promiscuous {
        return vec![NicState::Promiscuous];
    }
    let mut macs: Vec<_> = group.mac.into_iter().filter(|mac| mac.is_group()).collect();
    if group.answer_arp {
        let announced = config.services.iter().filter(|service| service.is_announced());
        macs.extend(announced.filter_map(|service| solicited_node(service.address.addr())));
    }
    macs.sort_unstable();
    macs.dedup();
    macs.into_iter().map(NicState::Multicast).collect()
}

/// The MAC of an IPv6 address's solicited-node multicast group (RFC 4291, 2.7.1; RFC 2464, 7).
fn solicited_node(address: IpAddr) -> Option<Mac> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => {
            let [.., x, y, z] = v6.octets();
            Some(Mac([0x33, 0x33, 0xff, x, y, z]))
        }
    }
}

fn record(netns_cookie: u64, interface: u32, state: NicState) -> NicStateRecord {
    let (kind, mac) = match state {
        NicState::Multicast(mac) => (NicStateRecord::MULTICAST, mac),
        NicState::Promiscuous => (NicStateRecord::PROMISCUOUS, Mac::ZERO),
    };
    NicStateRecord { netns_cookie, interface, kind, mac: mac.0, ..NicStateRecord::default() }
}

/// Adds a record unless it is there. `true`: it is new.
fn add(states: &mut Mapped<NicStateRecord>, record: &NicStateRecord) -> Result<bool> {
    let indices = || 0..states.len();
    if indices().any(|index| states.get(index) == *record) {
        return Ok(false);
    }
    let free = indices().find(|index| states.get(*index).kind == 0);
    let free = free.ok_or(Error::TooManyNicStates(states.len() + 1, MAX_NIC_STATES))?;
    states.write(free, &[*record]);
    Ok(true)
}

/// Records and acquires a setting. It is acquired even if it is on record: a command may have been killed in between.
fn acquire(states: &mut Mapped<NicStateRecord>, record: &NicStateRecord) -> Result<Option<String>> {
    let nic = Nic::open(record.interface).map_err(Error::io(format!("interface {}", record.interface)))?;
    let failed = |what: &str| Error::io(format!("{}: {what}", nic.name()));
    if record.kind == NicStateRecord::PROMISCUOUS {
        let recorded = (0..states.len()).any(|index| states.get(index) == *record);
        if !recorded && nic.is_promiscuous().map_err(failed("reading its flags"))? {
            return Ok(Some(format!("{} is promiscuous already, and stays so", nic.name())));
        }
        let new = add(states, record)?;
        nic.set_promiscuous(true).map_err(failed("making it promiscuous"))?;
        kill_point::step();
        return Ok(new.then(|| format!("{} takes every frame now (promiscuous mode)", nic.name())));
    }
    let mac = Mac(record.mac);
    let new = add(states, record)?;
    nic.join(mac).map_err(failed(&format!("joining {mac}")))?;
    kill_point::step();
    Ok(new.then(|| format!("{} receives {mac} now", nic.name())))
}

/// Releases a setting. Failures are only logged, so that they do not keep `detach` from finishing.
fn release(record: &NicStateRecord) -> Option<String> {
    let cookie = namespaces::cookie().unwrap_or_default();
    if record.netns_cookie != cookie {
        log::warn!(
            "interface {} is in another network namespace, where its multicast MAC, promiscuous mode or clsact filter stays; \
             remove it there",
            record.interface
        );
        return None;
    }
    let nic = Nic::open(record.interface).ok()?;
    let (result, line) = match record.kind {
        NicStateRecord::MULTICAST => {
            let mac = Mac(record.mac);
            (nic.leave(mac), format!("{} no longer receives {mac}", nic.name()))
        }
        NicStateRecord::PROMISCUOUS => {
            (nic.set_promiscuous(false), format!("{} no longer takes every frame", nic.name()))
        }
        kind => {
            let ingress = kind == NicStateRecord::INGRESS_FILTER;
            let hook = if ingress { TcAttachType::Ingress } else { TcAttachType::Egress };
            let removed = tc::remove_filter(nic.name(), hook, record.priority, record.handle);
            (removed, format!("{}: the filter is removed", nic.name()))
        }
    };
    match result {
        Ok(()) => Some(line),
        Err(error) => {
            log::debug!("{}: restoring a setting: {error}", nic.name());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    fn needed(text: &str) -> Vec<NicState> {
        super::needed(&file::parse(text).unwrap())
    }

    #[test]
    fn members_receive_what_they_need() {
        let service = "[[service]]\nname = \"a\"\naddress = \"2001:db8::1:203\"\n[[service]]\nname = \"b\"\naddress = \
                       \"203.0.113.10\"\n[[service]]\nname = \"c\"\naddress = \"2001:db8:5::/48\"";
        let member = "role = \"member\"\n";
        let group = Mac([1, 0, 0x5e, 0, 0, 9]);
        assert_eq!(needed(&format!("{member}{service}")), []);
        let mac = format!("{member}group_mac = \"{group}\"\n");
        assert_eq!(needed(&format!("{mac}{service}")), [NicState::Multicast(group)]);
        let solicited = NicState::Multicast(Mac([0x33, 0x33, 0xff, 1, 2, 3]));
        assert_eq!(needed(&format!("{mac}answer_arp = true\n{service}")), [NicState::Multicast(group), solicited]);
        assert_eq!(needed(&format!("{mac}promiscuous = true\nanswer_arp = true\n{service}")), [NicState::Promiscuous]);
    }
}
