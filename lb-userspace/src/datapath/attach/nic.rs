//! Controls which frames an interface receives, by netdevice(7).

use std::{
    ffi::CStr,
    io,
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::net::UnixDatagram,
    },
};

use lb_common::mac::Mac;
use nix::errno::Errno;

/// An interface of the current network namespace.
pub(in crate::datapath) struct Nic {
    // Any kind of socket takes these ioctls.
    socket: UnixDatagram,
    name: String,
}

impl Nic {
    /// The interface with this index.
    pub fn open(index: u32) -> io::Result<Self> {
        let mut buffer = [0_u8; libc::IF_NAMESIZE];
        // SAFETY: the buffer is as long as the longest name.
        if unsafe { libc::if_indextoname(index, buffer.as_mut_ptr().cast()) }.is_null() {
            return Err(io::Error::last_os_error());
        }
        let name = CStr::from_bytes_until_nul(&buffer).map_err(io::Error::other)?;
        Ok(Self { socket: UnixDatagram::unbound()?, name: name.to_string_lossy().into_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Receives a multicast MAC. Joining twice is the same as once.
    pub fn join(&self, mac: Mac) -> io::Result<()> {
        self.multicast(libc::SIOCADDMULTI, mac)
    }

    /// No longer receives it, unless something else joined it.
    pub fn leave(&self, mac: Mac) -> io::Result<()> {
        self.multicast(libc::SIOCDELMULTI, mac)
    }

    /// Whether it has been set to receive every frame.
    pub fn is_promiscuous(&self) -> io::Result<bool> {
        Ok(self.flags()? & libc::IFF_PROMISC != 0)
    }

    /// Starts or stops receiving every frame.
    pub fn set_promiscuous(&self, on: bool) -> io::Result<()> {
        let flags = self.flags()?;
        let mut request = self.request();
        let wanted = if on { flags | libc::IFF_PROMISC } else { flags & !libc::IFF_PROMISC };
        request.ifr_ifru.ifru_flags = wanted as libc::c_short;
        self.call(libc::SIOCSIFFLAGS, &mut request)
    }

    fn flags(&self) -> io::Result<libc::c_int> {
        let mut request = self.request();
        self.call(libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: the call filled in the flags.
        Ok(unsafe { request.ifr_ifru.ifru_flags }.into())
    }

    fn multicast(&self, ioctl: libc::c_ulong, mac: Mac) -> io::Result<()> {
        let mut request = self.request();
        let mut address = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
        for (place, byte) in address.sa_data.iter_mut().zip(mac.0) {
            *place = byte as libc::c_char;
        }
        request.ifr_ifru.ifru_hwaddr = address;
        self.call(ioctl, &mut request)
    }

    fn request(&self) -> libc::ifreq {
        // SAFETY: an `ifreq` of zeros is valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (place, byte) in request.ifr_name.iter_mut().zip(self.name.bytes()) {
            *place = byte as libc::c_char;
        }
        request
    }

    fn call(&self, ioctl: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
        let fd: RawFd = self.socket.as_raw_fd();
        // SAFETY: the kernel reads and writes an `ifreq`, which outlives the call.
        let result = unsafe { libc::ioctl(fd, ioctl as _, std::ptr::from_mut(request)) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    }
}
