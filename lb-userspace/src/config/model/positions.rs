//! Where servers are in a list.

use std::{cell::OnceCell, collections::HashMap, net::IpAddr};

use super::service::Service;

/// The positions of servers in a list, by address. Most lists are as they were, and then nobody needs the index, which
/// takes longer to make than everything else takes that is done with a server.
#[derive(Debug)]
pub struct Positions {
    addresses: Vec<IpAddr>,
    index: OnceCell<HashMap<IpAddr, usize>>,
}

impl Positions {
    /// Those of a list with these addresses, each of them once.
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { addresses: addresses.into_iter().collect(), index: OnceCell::new() }
    }

    /// Those of a service's servers.
    pub fn of(service: &Service) -> Self {
        Self::new(service.servers.iter().map(|server| server.address))
    }

    /// The position of a server, which is often at `likely`.
    pub fn find(&self, address: IpAddr, likely: usize) -> Option<usize> {
        if self.addresses.get(likely) == Some(&address) {
            return Some(likely);
        }
        let index = || self.addresses.iter().enumerate().map(|(position, address)| (*address, position)).collect();
        self.index.get_or_init(index).get(&address).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_found_wherever_they_are() {
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let positions = Positions::new([3, 1, 2].map(address));
        for likely in [0, 1, 2, 3, 100] {
            let found = [1, 2, 3, 4].map(|last| positions.find(address(last), likely));
            assert_eq!(found, [Some(1), Some(2), Some(0), None], "{likely}");
        }
        assert_eq!(Positions::new([]).find(address(1), 0), None);
    }
}
