//! The interfaces that frames are redirected to.
//!
//! Trap: a half that names an interface which is not in the map drops that server's packets. So an interface is entered
//! before a half that may name it is published, and taken out only when no program uses a half that did.

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
    /// Enters interfaces; those that are in already stay.
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

    /// Takes an interface out that no half names any more.
    pub(in crate::datapath) fn remove_device(&self, interface: u32) -> Result<()> {
        grace::wait()?;
        match self.devices()?.remove(interface) {
            // The kernel forgets interfaces that are gone by itself.
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
