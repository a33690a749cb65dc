//! Who sees a mounted BPF file system: judged from the tables of mounts (proc_pid_mountinfo(5)) of this process and of
//! the first one. Pure.
//!
//! Trap: /proc/1/ns/mnt and /proc/1/root are closed to a process with fewer capabilities than the first one, even if
//! it is root. The table of mounts is not.

use std::collections::BTreeSet;

/// The name of the file system in tables of mounts.
const KIND: &str = "bpf";

/// Who sees the BPF file system of this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum View {
    /// The first process as well, or its mounts are this process's: what is pinned stays.
    Shared,
    /// Only processes with this process's mounts, which the first process does not have.
    Private {
        /// Whether the first process has a BPF file system at the same place.
        there: bool,
    },
    /// The first process's mounts cannot be read.
    Unknown {
        /// Whether this process's BPF file system was mounted elsewhere and came here by propagation.
        propagated: bool,
    },
}

/// A line of a table of mounts.
struct Mount<'a> {
    /// No two mounts of a machine have the same, whoever sees them.
    id: &'a str,
    device: (u32, u32),
    point: &'a str,
    propagated: bool,
    kind: &'a str,
}

/// Judges. `device`: of the BPF file system that this process has at `point`, if it has one.
pub(super) fn view(own: &str, first: Option<&str>, point: &str, device: Option<(u32, u32)>) -> View {
    let own: Vec<_> = own.lines().filter_map(parse).collect();
    let Some(first) = first else {
        // A unit with `ReadWritePaths=/sys/fs/bpf` has it twice.
        let here = |mount: &Mount<'_>| mount.kind == KIND && Some(mount.device) == device;
        return View::Unknown { propagated: own.iter().any(|mount| here(mount) && mount.propagated) };
    };
    let first: Vec<_> = first.lines().filter_map(parse).collect();
    let ids: BTreeSet<_> = first.iter().map(|mount| mount.id).collect();
    let same = own.iter().any(|mount| ids.contains(mount.id));
    let mut theirs = first.iter().filter(|mount| mount.kind == KIND);
    if same || device.is_some_and(|device| theirs.clone().any(|mount| mount.device == device)) {
        return View::Shared;
    }
    View::Private { there: theirs.any(|mount| mount.point == point) }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: number, parent, device, root, point, options, any
/// number of tags, a hyphen, kind, source, options.
fn parse(line: &str) -> Option<Mount<'_>> {
    let (head, tail) = line.split_once(" - ")?;
    let mut fields = head.split(' ');
    let id = fields.next()?;
    let (major, minor) = fields.nth(1)?.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let point = fields.nth(1)?;
    let propagated = fields.skip(1).any(|tag| tag.starts_with("master:") || tag.starts_with("shared:"));
    Some(Mount { id, device, point, propagated, kind: tail.split(' ').next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str = "/sys/fs/bpf";
    const ROOT: &str = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw";
    const BPF: &str = "41 23 0:40 / /sys/fs/bpf rw,relatime shared:7 - bpf bpf rw,mode=700";

    fn judge(own: &[&str], first: Option<&[&str]>, device: Option<u32>) -> View {
        let first = first.map(|lines| lines.join("\n"));
        view(&own.join("\n"), first.as_deref(), POINT, device.map(|minor| (0, minor)))
    }

    #[test]
    fn the_first_process_has_the_same_mounts() {
        assert_eq!(judge(&[ROOT], Some(&[ROOT]), None), View::Shared);
        assert_eq!(judge(&[ROOT, BPF], Some(&[ROOT, BPF]), Some(40)), View::Shared);
    }

    /// A unit with private mounts has copies of all mounts, with other numbers.
    #[test]
    fn a_copied_mount_is_the_same_file_system() {
        let root = "127 1 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw";
        let bpf = "141 123 0:40 / /sys/fs/bpf rw,relatime master:7 - bpf bpf rw,mode=700";
        assert_eq!(judge(&[root, bpf], Some(&[ROOT, BPF]), Some(40)), View::Shared);
        // A bind mount elsewhere in a container.
        let bound = "99 23 0:40 / /var/lib/c/bpf rw - bpf bpf rw";
        assert_eq!(judge(&[root, bpf], Some(&[ROOT, bound]), Some(40)), View::Shared);
    }

    /// `ip netns exec` mounts /sys afresh, without anything in it.
    #[test]
    fn mounts_that_end_with_the_command_are_found() {
        let root = "127 1 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw";
        let own = "150 127 0:50 / /sys/fs/bpf rw,relatime - bpf bpf rw";
        assert_eq!(judge(&[root], Some(&[ROOT]), None), View::Private { there: false });
        assert_eq!(judge(&[root], Some(&[ROOT, BPF]), None), View::Private { there: true });
        assert_eq!(judge(&[root, own], Some(&[ROOT]), Some(50)), View::Private { there: false });
        assert_eq!(judge(&[root, own], Some(&[ROOT, BPF]), Some(50)), View::Private { there: true });
    }

    #[test]
    fn propagation_tells_where_the_first_process_is_hidden() {
        let root = "127 1 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw";
        let copy = "141 123 0:40 / /sys/fs/bpf rw,relatime master:7 - bpf bpf rw,mode=700";
        let own = "150 127 0:50 / /sys/fs/bpf rw,relatime - bpf bpf rw";
        assert_eq!(judge(&[root, copy], None, Some(40)), View::Unknown { propagated: true });
        assert_eq!(judge(&[root, copy, own], None, Some(50)), View::Unknown { propagated: false });
        assert_eq!(judge(&[root], None, None), View::Unknown { propagated: false });
    }

    #[test]
    fn other_lines_are_skipped() {
        assert_eq!(judge(&["", "garbage", "1 2 3"], Some(&["", "x - y"]), None), View::Private { there: false });
    }
}
