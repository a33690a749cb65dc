//! Whose fault it is that an attempt failed: the server's, or this host's.
//!
//! Trap: the same error number means either. `connect` itself returns EHOSTUNREACH for an `unreachable` route of this
//! host; the socket reports it later when the server does not answer ARP or a router sends an ICMP error. So errors of
//! a call are told from errors that arrive.

use std::io;

use nix::errno::Errno;

use crate::{config::model::Failure, observe::local_error::LocalError};

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It counts against the server.
    Server(Failure),
    /// It says nothing about the server.
    Local(LocalError),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Server(failure)
    }
}

/// What an error means that `socket`, `connect` or `send` returned at once.
pub(super) fn of_call(error: Errno) -> Fault {
    of_call_number(error as i32)
}

/// The same for an error of the standard library.
pub(super) fn of_io(error: &io::Error) -> Fault {
    of_call_number(error.raw_os_error().unwrap_or_default())
}

fn of_call_number(error: i32) -> Fault {
    Fault::Local(match error {
        libc::ECONNREFUSED => return Fault::Server(Failure::Refused),
        libc::ETIMEDOUT => return Fault::Server(Failure::Timeout),
        // A blackhole route gives EINVAL.
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL => LocalError::NoRoute,
        libc::ENETDOWN => LocalError::LinkDown,
        libc::EADDRNOTAVAIL | libc::EADDRINUSE => LocalError::Ports,
        libc::EMFILE | libc::ENFILE => LocalError::Files,
        libc::ENOBUFS | libc::ENOMEM => LocalError::Memory,
        libc::EACCES | libc::EPERM => LocalError::Denied,
        _ => LocalError::Other,
    })
}

/// What an error means that `bind` to a check's source returned.
pub(super) fn of_bind(error: Errno) -> Fault {
    match matches!(error, Errno::EADDRNOTAVAIL | Errno::EINVAL) {
        true => Fault::Local(LocalError::Source),
        false => of_call(error),
    }
}

/// What an error means that arrived at a socket later.
pub(super) fn of_arrival(error: &io::Error) -> Fault {
    match error.raw_os_error().unwrap_or_default() {
        libc::ECONNREFUSED => Fault::Server(Failure::Refused),
        libc::ETIMEDOUT => Fault::Server(Failure::Timeout),
        // A router's `administratively prohibited` is EACCES with IPv6.
        libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::EACCES => Fault::Server(Failure::Unreachable),
        libc::ENETDOWN => Fault::Local(LocalError::LinkDown),
        libc::ENOBUFS | libc::ENOMEM => Fault::Local(LocalError::Memory),
        libc::EPERM => Fault::Local(LocalError::Denied),
        _ => Fault::Server(Failure::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_this_host_are_not_the_servers() {
        use LocalError::{Denied, Files, Memory, NoRoute, Ports, Source};
        for (error, reason) in [
            (Errno::EADDRNOTAVAIL, Ports),
            (Errno::EMFILE, Files),
            (Errno::ENFILE, Files),
            (Errno::ENOBUFS, Memory),
            (Errno::ENOMEM, Memory),
            (Errno::EACCES, Denied),
            (Errno::EPERM, Denied),
            (Errno::ENETUNREACH, NoRoute),
            (Errno::EHOSTUNREACH, NoRoute),
            (Errno::EINVAL, NoRoute),
            (Errno::ENETDOWN, LocalError::LinkDown),
            (Errno::EAFNOSUPPORT, LocalError::Other),
        ] {
            assert_eq!(of_call(error), Fault::Local(reason), "{error}");
        }
        assert_eq!(of_bind(Errno::EADDRNOTAVAIL), Fault::Local(Source));
        assert_eq!(of_bind(Errno::EMFILE), Fault::Local(Files));
        assert_eq!(of_call(Errno::ECONNREFUSED), Fault::Server(Failure::Refused));
    }

    #[test]
    fn errors_that_arrive_are_the_servers() {
        for (error, failure) in [
            (Errno::EHOSTUNREACH, Failure::Unreachable),
            (Errno::ENETUNREACH, Failure::Unreachable),
            (Errno::EACCES, Failure::Unreachable),
            (Errno::ECONNREFUSED, Failure::Refused),
            (Errno::ECONNRESET, Failure::Other),
        ] {
            assert_eq!(of_arrival(&error.into()), Fault::Server(failure), "{error}");
        }
        assert_eq!(of_arrival(&Errno::ENOBUFS.into()), Fault::Local(LocalError::Memory));
    }
}
