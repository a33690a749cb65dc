//! The map of interfaces that frames are redirected to.
//!
//! Trap: a server's packets are dropped if its interface is not in the map. So an interface is entered before a half
//! that may name it is published, and removed only when no program uses such a half any more.

use aya::maps::{Map, MapData, MapError, xdp::DevMapHash};

use crate::{
    datapath::{
        error::{Error, Result},
        store::{grace, instance::Writer},
    },
    net::Interface,
};

const NAME: &str = "DEVICES";

impl Writer {
    /// Enters interfaces; those already entered stay.
    ///
    /// # Errors
    ///
    /// There are more than [`lb_common::limits::MAX_INTERFACES`], or one is gone.
    pub fn enter_devices(&self, interfaces: &[Interface]) -> Result<()> {
        let mut devices = self.devices()?;
        for Interface { index, .. } in interfaces {
            devices.insert(*index, *index, None, 0)?;
        }
        Ok(())
    }

    /// Removes an interface that no half names any more.
    pub(in crate::datapath) fn remove_device(&self, interface: u32) -> Result<()> {
        grace::wait()?;
        match self.devices()?.remove(interface) {
            // The kernel itself removes interfaces that are gone.
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::Map(NAME, error)),
        }
    }

    fn devices(&self) -> Result<DevMapHash<MapData>> {
        let data = MapData::from_pin(self.pins.map(NAME)).map_err(|error| Error::Map(NAME, error))?;
        DevMapHash::try_from(Map::DevMapHash(data)).map_err(|error| Error::Map(NAME, error))
    }
}
