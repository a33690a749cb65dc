//! The addresses that prefix services leave alone, as the table in force has them.

use std::net::IpAddr;

use lb_common::{
    flow::{Address as _, V4, V6},
    key::{Kind, tag},
    table::ServiceCell,
};

use super::instance::Datapath;

impl Datapath {
    /// This host's addresses and its networks' broadcast addresses, as they were when the half in force was written.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        let cells = self.capacities.cells() as usize;
        let first = self.maps.control.load().half() as usize * cells;
        self.maps.cells.read(first, cells).iter().filter_map(address).collect()
    }
}

/// The address of a cell of [`Kind::Own`].
fn address(cell: &ServiceCell) -> Option<IpAddr> {
    let [high, low] = cell.address;
    if cell.tag == tag(V4::FAMILY, Kind::Own, 0, 0) {
        return Some(IpAddr::V4((low as u32).into()));
    }
    (cell.tag == tag(V6::FAMILY, Kind::Own, 0, 0))
        .then(|| IpAddr::V6((u128::from(high) << 64 | u128::from(low)).into()))
}
