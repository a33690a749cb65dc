//! The map of interfaces that frames are redirected to.
//!
//! Trap: a server's packets are dropped if its interface is not in the map. So an interface is entered before a half
//! that may name it is published, and removed only when no program uses such a half any more.

use std::collections::HashSet;

use aya::maps::{HashMap, Map, MapData, MapError};

use crate::{
    datapath::{
        error::{Error, Result},
        kill_point,
        store::{Datapath, Writer, grace, table::DEVICES},
    },
    net::Interface,
};

impl Writer {
    /// Enters interfaces; those already entered stay.
    ///
    /// # Errors
    ///
    /// There are more than [`lb_common::limits::MAX_INTERFACES`], or one is gone.
    pub fn enter_devices(&self, interfaces: &[Interface]) -> Result<()> {
        let mut devices = self.devices()?;
        for Interface { index, .. } in interfaces {
            devices.insert(*index, *index, 0).map_err(|error| Error::Map(DEVICES, error))?;
            kill_point::step();
        }
        Ok(())
    }

    /// Removes an interface that no half names any more.
    pub(in crate::datapath) fn remove_device(&self, interface: u32) -> Result<()> {
        grace::wait()?;
        match self.devices()?.remove(&interface) {
            // The kernel itself removes interfaces that are gone.
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::Map(DEVICES, error)),
        }
    }
}

impl Datapath {
    /// Those of the given interfaces that frames are not redirected to.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn lacking_devices<'a>(&self, interfaces: &'a [Interface]) -> Result<Vec<&'a Interface>> {
        let entered = self.devices()?.keys().collect::<std::result::Result<HashSet<u32>, _>>();
        let entered = entered.map_err(|error| Error::Map(DEVICES, error))?;
        Ok(interfaces.iter().filter(|interface| !entered.contains(&interface.index)).collect())
    }

    /// Trap: aya's own type for this map insists on the longer values that the map avoids; see
    /// [`make_devices`](crate::datapath::store::table::make_devices). To system calls it is a hash table as any other.
    fn devices(&self) -> Result<HashMap<MapData, u32, u32>> {
        let data = MapData::from_pin(self.pins.map(DEVICES)).map_err(|error| Error::Map(DEVICES, error))?;
        HashMap::try_from(Map::HashMap(data)).map_err(|error| Error::Map(DEVICES, error))
    }
}
