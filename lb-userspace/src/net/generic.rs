//! Generic netlink, which rtnetlink does not speak: one question, one attribute of the answer.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// From `linux/genetlink.h`.
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// The lengths of the headers of netlink, of generic netlink and of an attribute.
const HEADER: usize = 16;
const GENERIC: usize = 4;
const ATTRIBUTE: usize = 4;

/// A socket of the network namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Generic(OwnedFd);

impl Generic {
    /// Opens one in the current network namespace.
    pub fn open() -> io::Result<Self> {
        // SAFETY: takes numbers.
        let socket =
            unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_GENERIC) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made it for this process.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(socket) }))
    }

    /// The number of a family; `None`: the kernel does not have it.
    pub fn family(&self, name: &[u8]) -> io::Result<Option<u16>> {
        let answer = self.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, name, CTRL_ATTR_FAMILY_ID);
        match answer {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            other => Ok(other?.and_then(|id| Some(u16::from_ne_bytes(id.get(..2)?.try_into().ok()?)))),
        }
    }

    /// Sends a request with one attribute; returns one of the answer's.
    pub fn ask(&self, family: u16, command: u8, name: u16, value: &[u8], wanted: u16) -> io::Result<Option<Vec<u8>>> {
        let mut request = Vec::new();
        let length = HEADER + GENERIC + ATTRIBUTE + value.len().next_multiple_of(4);
        request.extend((length as u32).to_ne_bytes());
        request.extend(family.to_ne_bytes());
        request.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
        request.extend([0; 8]);
        request.extend([command, 1, 0, 0]);
        request.extend(((ATTRIBUTE + value.len()) as u16).to_ne_bytes());
        request.extend(name.to_ne_bytes());
        request.extend(value);
        request.resize(length, 0);
        let mut answer = vec![0_u8; 8_192];
        // SAFETY: both buffers have the given lengths. The kernel binds the netlink socket on the first request.
        let received = unsafe {
            if libc::send(self.0.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::recv(self.0.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)
        };
        answer.truncate(usize::try_from(received).map_err(|_| io::Error::last_os_error())?);
        attribute(&answer, wanted)
    }
}

/// An attribute of an answer; an answer may also be an error.
fn attribute(answer: &[u8], wanted: u16) -> io::Result<Option<Vec<u8>>> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "the answer is truncated");
    let kind = u16::from_ne_bytes(answer.get(4..6).ok_or_else(short)?.try_into().map_err(|_| short())?);
    let mut rest = answer.get(HEADER..).ok_or_else(short)?;
    if i32::from(kind) == libc::NLMSG_ERROR {
        let code = i32::from_ne_bytes(rest.get(..4).ok_or_else(short)?.try_into().map_err(|_| short())?);
        return Err(io::Error::from_raw_os_error(-code));
    }
    rest = rest.get(GENERIC..).ok_or_else(short)?;
    while let [a, b, c, d, ..] = *rest {
        let (length, name) = (usize::from(u16::from_ne_bytes([a, b])), u16::from_ne_bytes([c, d]));
        let value = rest.get(ATTRIBUTE..length).ok_or_else(short)?;
        if name == wanted {
            return Ok(Some(value.to_vec()));
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_answers_are_refused() {
        let mut answer = vec![0; HEADER + GENERIC];
        answer.extend([6, 0, 1, 0, 0x1c, 0, 0, 0]);
        assert_eq!(attribute(&answer, 1).unwrap(), Some(vec![0x1c, 0]));
        assert_eq!(attribute(&answer, 2).unwrap(), None);
        for length in 0..HEADER + GENERIC + 2 {
            assert!(attribute(&answer[..length], 1).map_or(true, |found| found.is_none()), "{length}");
        }
    }
}
