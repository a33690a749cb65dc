//! Turns an error of the kernel into why a check failed.

use std::io;

use crate::config::model::Failure;

/// What an error of the kernel means.
pub(super) fn failure(error: &io::Error) -> Failure {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::ConnectionRefused, _) => Failure::Refused,
        (io::ErrorKind::TimedOut, _) => Failure::Timeout,
        (io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable, _) => Failure::Unreachable,
        (_, Some(libc::EADDRNOTAVAIL | libc::ENETDOWN | libc::EHOSTDOWN)) => Failure::Unreachable,
        _ => Failure::Other,
    }
}
