#!/bin/sh
# Makes this host a server for direct server return: it holds the services' addresses and accepts packets for them, but
# never announces them on the network.
set -eu
umask 077

usage() {
    cat <<'USAGE'
Usage: server-setup.sh [--undo] [--dry-run] [--netns NAME] ADDRESS...

Puts each service ADDRESS (IPv4 or IPv6) on the loopback interface, and for IPv4 keeps the kernel from answering or
announcing ARP for it (net.ipv4.conf.all.arp_ignore=1, arp_announce=2). IPv6 needs no setting: the kernel answers
neighbour solicitations only on the interface that has the address.

  --undo        remove addresses that an earlier run added; restore the settings when none is left
  --dry-run     print the commands without running them
  --netns NAME  work in a network namespace from `ip netns`

Changes are recorded in /run/modlb-server/. They do not survive a reboot; run the script again at each start.

Examples:
  server-setup.sh 203.0.113.10 2001:db8:f00::10
  server-setup.sh --undo 203.0.113.10 2001:db8:f00::10
USAGE
}

say() {
    echo "server-setup.sh: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

# Four numbers up to 255. Leading zeros are refused: `ip` reads 010 as octal. (`ip` itself checks IPv6 addresses.)
is_ipv4() {
    echo "$1" | awk -F . '{ ok = NF == 4; for (i = 1; i <= NF; i++) ok = ok && $i ~ /^(0|[1-9][0-9]*)$/ && $i < 256; exit !ok }'
}

# Addresses that no packet for a service has: this host's own, multicast, broadcast, those of one link, and IPv4 written as
# IPv6.
can_be_a_service() {
    case $1 in
        0.* | 127.* | 169.254.* | 22[4-9].* | 23[0-9].* | 255.255.255.255) return 1 ;;
        :: | ::1 | [Ff][Ff]??:* | [Ff][Ee][89AaBb]?:*) return 1 ;;
        *:*.* | ::[Ff][Ff][Ff][Ff]:* | 0:0:0:0:0:[Ff][Ff][Ff][Ff]:*) return 1 ;;
    esac
}

undo=false dry_run=false netns='' addresses=''
while [ $# -gt 0 ]; do
    case $1 in
        --undo) undo=true ;;
        --dry-run) dry_run=true ;;
        --netns)
            [ $# -gt 1 ] || fail "--netns needs a name"
            netns=$2
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*) fail "unknown option $1; see --help" ;;
        *[!0-9a-fA-F.:]*) fail "$1 is not an IP address" ;;
        *)
            case $1 in
                *:*:*) ;;
                *) is_ipv4 "$1" || fail "$1 is not an IP address" ;;
            esac
            can_be_a_service "$1" || fail "$1 cannot be a service's address"
            addresses="$addresses $1"
            ;;
    esac
    shift
done
[ -n "$addresses" ] || fail "name at least one address; see --help"
command -v ip >/dev/null || fail "ip is missing; install iproute2"
case $netns in
    '') state=/run/modlb-server/.host ;; # No namespace can have this name, see below.
    */* | .*) fail "$netns is not the name of a network namespace" ;;
    *)
        [ -e "/run/netns/$netns" ] || fail "there is no network namespace $netns"
        command -v nsenter >/dev/null || fail "nsenter is missing; install util-linux"
        state=/run/modlb-server/$netns
        ;;
esac
[ "$(id -u)" = 0 ] || { $dry_run && [ -z "$netns" ]; } || fail "run it as root"

# Runs a command in the namespace.
look() {
    if [ -n "$netns" ]; then nsenter --net="/run/netns/$netns" "$@"; else "$@"; fi
}

# Runs a command that changes something; --dry-run prints it instead.
change() {
    if $dry_run; then
        echo "${netns:+nsenter --net=/run/netns/$netns }$*"
    else
        look "$@"
    fi
}

with_length() {
    case $1 in
        *:*) echo "$1/128" ;;
        *) echo "$1/32" ;;
    esac
}

# The address in the kernel's form if lo has it, otherwise nothing.
on_lo() {
    found=$(look ip -oneline address show dev lo to "$(with_length "$1")") || fail "$1 is not an IP address"
    echo "$found" | awk 'NR == 1 && NF { sub("/.*", "", $4); print $4 }'
}

# Trap: /proc/sys/net shows the network namespace of the process that opens it.
setting() {
    echo "/proc/sys/net/ipv4/conf/all/$1"
}

write_setting() {
    if $dry_run; then
        change sysctl -qw "net.ipv4.conf.all.$1=$2"
    else
        look sh -c 'echo "$1" >"$2"' - "$2" "$(setting "$1")"
    fi
}

# Records a setting's former value once, then changes it.
set_arp() {
    for wanted in arp_ignore=1 arp_announce=2; do
        name=${wanted%=*}
        if ! $dry_run && [ ! -e "$state/$name" ]; then
            look cat "$(setting "$name")" >"$state/$name.new"
            mv "$state/$name.new" "$state/$name"
        fi
        write_setting "$name" "${wanted#*=}"
    done
}

restore_arp() {
    for name in arp_announce arp_ignore; do
        [ -e "$state/$name" ] || continue
        write_setting "$name" "$(cat "$state/$name")"
        $dry_run || rm "$state/$name"
    done
}

# Traps: the settings come first, or the kernel could answer ARP for an address in between. An address is recorded before
# it is added, or a run killed in between could not be undone.
add() {
    for address in $addresses; do
        on_lo "$address" >/dev/null
    done
    # For root only, also if an earlier version made them.
    $dry_run || { mkdir -p "$state" && chmod 0700 /run/modlb-server "$state"; }
    for address in $addresses; do
        options=nodad
        case $address in
            *:*) ;;
            *)
                options=''
                set_arp
                ;;
        esac
        [ -z "$(on_lo "$address")" ] || continue
        $dry_run || : >"$state/address-$address"
        # shellcheck disable=SC2086
        change ip address add "$(with_length "$address")" dev lo $options
        known=$(on_lo "$address")
        $dry_run || [ "$known" = "$address" ] || mv "$state/address-$address" "$state/address-$known"
    done
}

remove() {
    removed=''
    for address in $addresses; do
        known=$(on_lo "$address")
        marker=$state/address-${known:-$address}
        if [ ! -e "$marker" ]; then
            say "$address was not added by this script; left alone"
            continue
        fi
        if [ -n "$known" ]; then
            change ip address del "$(with_length "$address")" dev lo
        fi
        $dry_run || rm "$marker"
        removed="$removed $marker"
    done
    for left in "$state"/address-*.*; do
        case "$removed " in *" $left "*) continue ;; esac
        [ ! -e "$left" ] || return 0
    done
    restore_arp
    $dry_run || rmdir "$state" /run/modlb-server 2>/dev/null || true
}

if $undo; then remove; else add; fi
