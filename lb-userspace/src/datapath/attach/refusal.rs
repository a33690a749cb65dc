//! Turns the kernel's refusal to attach into an error message.

use std::io;

use aya::{pin::PinError, programs::ProgramError};

use crate::{datapath::error::Error, net::Interface};

/// The errno of the system call underneath.
pub(in crate::datapath) fn errno(error: &ProgramError) -> Option<i32> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        source = error.source();
    }
    None
}

/// The innermost error.
pub(in crate::datapath) fn root_cause(error: &ProgramError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Why a program was not attached to an interface.
pub(in crate::datapath) fn refused(interface: &Interface, reason: &str) -> Error {
    Error::Attach { interface: interface.name.clone(), reason: reason.to_owned() }
}

/// Why something could not be pinned.
pub(in crate::datapath) fn pin_error(error: PinError) -> Error {
    Error::Io("pinning".to_owned(), io::Error::other(error))
}
