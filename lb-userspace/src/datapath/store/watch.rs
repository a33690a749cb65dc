//! What is polled of an instance that is otherwise left alone.
//!
//! Trap: every page of a map that is mapped counts as memory of the process, tens of megabytes for a usual instance. So
//! a process that stays maps the large ones only while it reads them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use lb_common::record::PortRecord;

use super::{
    instance::Datapath,
    maps::{ControlWord, Mapped},
    pins::{Pins, Stamp},
};
use crate::datapath::error::Result;

/// The control word and the interfaces of an instance.
#[derive(Debug)]
pub struct Watch {
    pins: Pins,
    control: ControlWord,
    ports: Mapped<PortRecord>,
}

impl Watch {
    /// As [`Datapath::generation`].
    pub fn generation(&self) -> u64 {
        self.control.load().generation()
    }

    /// Changes when interfaces come and go, and when another instance replaces this one; `None`: it is gone.
    pub fn stamp(&self) -> Option<Stamp> {
        let mut hash = DefaultHasher::new();
        self.ports.read(0, self.ports.len()).hash(&mut hash);
        self.pins.stamp(hash.finish())
    }

    /// Opens the instance of this name: the same one, unless another has replaced it.
    ///
    /// # Errors
    ///
    /// Those of [`Datapath::open`].
    pub fn open(&self) -> Result<Datapath> {
        Datapath::open(self.pins.instance())
    }
}

impl Datapath {
    /// Keeps only what is polled.
    pub fn watch(self) -> Watch {
        Watch { pins: self.pins, control: self.maps.control, ports: self.maps.ports }
    }
}
