//! The multicast MACs that interfaces receive.

use std::{collections::HashSet, fs, io};

use lb_common::mac::Mac;

/// For each interface of the current network namespace, by index, the multicast MACs that it receives.
///
/// Trap: `/proc/net` is that of the process's first thread, which may be in another namespace.
///
/// # Errors
///
/// The file of the kernel cannot be read.
pub fn joined() -> io::Result<HashSet<(u32, Mac)>> {
    Ok(read(&fs::read_to_string("/proc/thread-self/net/dev_mcast")?))
}

/// Lines of index, name, users, users by netdevice(7), and the MAC without separators.
fn read(text: &str) -> HashSet<(u32, Mac)> {
    // A name may contain spaces, so the MAC is found from the end.
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, mac(words.next_back()?)?))
    };
    text.lines().filter_map(entry).collect()
}

fn mac(digits: &str) -> Option<Mac> {
    let mut bytes = [0; 6];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(Mac(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let text =
            "2    eth0            1     0     333300000001\n17   a name with    1     0     01005e000001\n3 x 1 0 00\n";
        let joined = read(text);
        assert!(joined.contains(&(2, Mac([0x33, 0x33, 0, 0, 0, 1]))));
        assert!(joined.contains(&(17, Mac([1, 0, 0x5e, 0, 0, 1]))));
        assert_eq!(joined.len(), 2, "{joined:?}");
    }
}
