#!/bin/sh
# Becomes the init of a machine: Debian unpacked into memory, systemd, everything in namespaces of its own. To be run in new
# mount, PID, network, UTS, IPC and cgroup namespaces; whatever is mounted here goes with the last process.
#
# Usage: boot.sh TARBALL DIRECTORY
set -eu
base=$1 root=$2

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
tar --extract --numeric-owner --file "$base" --directory "$root"

mount -t proc proc "$root/proc"
# Systemd would set what belongs to the whole host.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
# As systemd does where it is not in a container: root's alone.
mount -t bpf -o mode=700 bpf "$root/sys/fs/bpf"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=755 tmpfs "$root/run"

# What is the whole host's, and none of a package's business.
for unit in systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
echo modlb-deb >"$root/etc/hostname"

mkdir "$root/.host"
cd "$root"
pivot_root . .host
umount --lazy /.host
rmdir /.host
# As on any machine: what is mounted is seen by services.
mount --make-rshared /
exec env -i container=modlb-deb PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init --log-target=journal --show-status=no
