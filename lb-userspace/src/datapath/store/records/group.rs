//! A member's settings ↔ [`GroupRecord`].

use std::net::{IpAddr, Ipv6Addr};

use lb_common::{mac::Mac, record::GroupRecord};

use crate::config::model::Group;

/// The record.
pub(in crate::datapath) fn group_record(group: &Group) -> GroupRecord {
    let Group { own, mac, promiscuous, answer_arp } = group;
    let mut record = GroupRecord { own_count: own.len() as u32, ..GroupRecord::default() };
    for (slot, address) in record.own.iter_mut().zip(own) {
        *slot = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
    }
    record.mac = mac.unwrap_or_default().0;
    for (flag, on) in [(GroupRecord::PROMISCUOUS, *promiscuous), (GroupRecord::ANSWER_ARP, *answer_arp)] {
        record.flags |= if on { flag } else { 0 };
    }
    record
}

/// The reverse.
pub(in crate::datapath) fn group(record: &GroupRecord) -> Group {
    let GroupRecord { own, own_count, flags, mac, reserved: _ } = record;
    let own = own.iter().take(*own_count as usize);
    Group {
        own: own.map(|octets| Ipv6Addr::from(*octets).to_canonical()).collect(),
        mac: Some(Mac(*mac)).filter(|mac| *mac != Mac::ZERO),
        promiscuous: flags & GroupRecord::PROMISCUOUS != 0,
        answer_arp: flags & GroupRecord::ANSWER_ARP != 0,
    }
}
