//! Starts an engine for each configuration.

use lb_common::mac::Mac;

use super::{engine::Engine, error::Error, host::HostEngine, kernel::KernelEngine, setting::Method};
use crate::datapath::{Placed, trial::PrivateBpffs};

/// Starts an engine for each configuration.
pub fn start(method: Method, placed: &[Placed], mac: Mac) -> Result<Vec<Box<dyn Engine + '_>>, Error> {
    match method {
        Method::Host => Ok(placed.iter().map(|placed| Box::new(HostEngine::new(placed)) as Box<dyn Engine>).collect()),
        Method::Kernel => {
            let mut laboratory = PrivateBpffs::enter()?;
            let mut engine = |placed| -> Result<Box<dyn Engine>, Error> {
                Ok(Box::new(KernelEngine::new(laboratory.start(placed, mac)?, placed)))
            };
            placed.iter().map(&mut engine).collect()
        }
    }
}
