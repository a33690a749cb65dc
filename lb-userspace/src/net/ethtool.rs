//! Asks a driver for its name, features and queues, like `ethtool -i`, `-k` and `-l`.
//!
//! Trap: the ioctls go to the network namespace of the calling thread.

use std::{
    collections::BTreeMap,
    io,
    os::{fd::AsRawFd as _, unix::net::UnixDatagram},
};

use nix::errno::Errno;

/// `SIOCETHTOOL` and its commands, from `linux/sockios.h` and `linux/ethtool.h`.
const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_GCHANNELS: u32 = 0x3c;

/// The set of strings that names the features, and the length of one.
const ETH_SS_FEATURES: u32 = 4;
const ETH_GSTRING_LEN: usize = 32;

/// How many queues there are, and how many are possible.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Channels {
    /// Queues that only receive.
    pub rx: u32,
    /// At most.
    pub max_rx: u32,
    /// Queues that only send.
    pub tx: u32,
    /// At most.
    pub max_tx: u32,
    /// Queues that receive and send.
    pub combined: u32,
    /// At most.
    pub max_combined: u32,
}

/// An interface, to ask its driver.
#[derive(Debug)]
pub struct Ethtool {
    socket: UnixDatagram,
    name: String,
}

impl Ethtool {
    /// The interface of this name in the current network namespace.
    pub fn new(name: &str) -> io::Result<Self> {
        Ok(Self { socket: UnixDatagram::unbound()?, name: name.to_owned() })
    }

    /// The driver's name.
    pub fn driver(&self) -> io::Result<String> {
        // `struct ethtool_drvinfo`: the command, then the name.
        const SIZE: usize = 196;
        let mut words = [0_u32; SIZE / 4];
        words[0] = ETHTOOL_GDRVINFO;
        self.call(&mut words)?;
        Ok(text(&bytes(&words)[4..4 + ETH_GSTRING_LEN]))
    }

    /// Whether each feature is on.
    pub fn features(&self) -> io::Result<BTreeMap<String, bool>> {
        let names = self.feature_names()?;
        let blocks = names.len().div_ceil(32);
        // `struct ethtool_gfeatures`: the command, how many blocks, and blocks of four words, of which the third is
        // active.
        let mut words = vec![0; 2 + blocks * 4];
        (words[0], words[1]) = (ETHTOOL_GFEATURES, blocks as u32);
        self.call(&mut words)?;
        let active = |index: usize| words[2 + index / 32 * 4 + 2] >> (index % 32) & 1 == 1;
        Ok(names.into_iter().enumerate().map(|(index, name)| (name, active(index))).collect())
    }

    fn feature_names(&self) -> io::Result<Vec<String>> {
        // `struct ethtool_sset_info`: the command, a hole, a mask of 64 bits, and a number for each bit of it.
        let mut info = [ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0, 0];
        self.call(&mut info)?;
        let count = info[4] as usize;
        // `struct ethtool_gstrings`: the command, the set, the number of strings, and the strings.
        let mut words = vec![0; 3 + count * ETH_GSTRING_LEN / 4];
        (words[0], words[1], words[2]) = (ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count as u32);
        self.call(&mut words)?;
        Ok(bytes(&words)[12..].chunks(ETH_GSTRING_LEN).map(text).collect())
    }

    /// The queues.
    pub fn channels(&self) -> io::Result<Channels> {
        // `struct ethtool_channels`: the command, four maxima (receive, send, other, both), four numbers.
        let mut words = [ETHTOOL_GCHANNELS, 0, 0, 0, 0, 0, 0, 0, 0];
        self.call(&mut words)?;
        let [_, max_rx, max_tx, _, max_combined, rx, tx, _, combined] = words;
        Ok(Channels { rx, max_rx, tx, max_tx, combined, max_combined })
    }

    /// Makes the ioctl with a buffer that starts with a command and has room for its answer.
    fn call(&self, words: &mut [u32]) -> io::Result<()> {
        // SAFETY: an `ifreq` of zeros is valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (target, byte) in request.ifr_name.iter_mut().zip(self.name.bytes().take(libc::IFNAMSIZ - 1)) {
            *target = byte as libc::c_char;
        }
        request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
        // SAFETY: the kernel writes no more than the command's structure, which `words` has room for and outlives the
        // call.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_features_and_no_queues_to_set() {
        let lo = Ethtool::new("lo").unwrap();
        let features = lo.features().unwrap();
        assert!(features["rx-gro"] && !features["rx-lro"], "{features:?}");
        assert!(lo.channels().is_err());
        assert!(Ethtool::new("no-such").unwrap().features().is_err());
    }
}
