//! Plain packets: TCP and UDP without IPv4 options, IPv6 extension headers and fragments. All that is read of them is
//! at places that do not depend on the packet.

use crate::{
    domain::Domain as _,
    specification::stage::{Family, Stage},
    symbolic::Symbolic,
    term::Term,
};

/// A packet whose IP header starts there is plain.
pub fn conditions(domain: &mut Symbolic, stage: &Stage) -> Vec<Term> {
    let Stage::Network { family, place } = *stage else { return Vec::new() };
    match family {
        Family::V4 => {
            let mut conditions = vec![is(domain, place, 0xff, 0x45)];
            // Neither more fragments nor an offset.
            conditions.extend([is(domain, place + 6, 0x3f, 0), is(domain, place + 7, 0xff, 0)]);
            conditions.push(is_plain_protocol(domain, place + 9));
            conditions
        }
        Family::V6 => vec![is_plain_protocol(domain, place + 6)],
    }
}

/// Some bits of a byte of the frame have this value.
fn is(domain: &mut Symbolic, place: u64, mask: u64, value: u64) -> Term {
    let byte = domain.packet_byte(place);
    let bits = domain.terms.slice(byte, 0, mask.trailing_ones());
    let value = domain.terms.constant(value, domain.terms.width(bits));
    domain.terms.equal(bits, value)
}

fn is_plain_protocol(domain: &mut Symbolic, place: u64) -> Term {
    const TCP: u64 = 6;
    const UDP: u64 = 17;
    let cases = [TCP, UDP].map(|protocol| is(domain, place, 0xff, protocol));
    domain.terms.any(&cases)
}
