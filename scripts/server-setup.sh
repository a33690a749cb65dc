#!/bin/sh
# Makes this host a server for direct server return: it takes packets for the service's addresses, which it must hold,
# but never says on the network that it does, for there the addresses are the gateway's.
set -eu

usage() {
    cat <<'USAGE'
Usage: server-setup.sh [--undo] [--dry-run] [--netns NAME] ADDRESS...

Puts each service ADDRESS (IPv4 or IPv6) on the loopback interface, and for IPv4 keeps the kernel from answering or
announcing ARP for it (net.ipv4.conf.all.arp_ignore=1, arp_announce=2). IPv6 needs no setting: the kernel answers
neighbour solicitations only on the interface that has the address.

  --undo        take away what an earlier run added; settings become what they were when no address is left
  --dry-run     print the commands, run none
  --netns NAME  work in a network namespace of `ip netns`

What was changed is remembered in /run/modlb-server/, so nothing survives a reboot; run it again at each start.

Examples:
  server-setup.sh 203.0.113.10 2001:db8:f00::10
  server-setup.sh --undo 203.0.113.10 2001:db8:f00::10
USAGE
}

fail() {
    echo "server-setup.sh: $*" >&2
    exit 1
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
        *.* | *:*) addresses="$addresses $1" ;;
        *) fail "$1 is not an IP address" ;;
    esac
    shift
done
[ -n "$addresses" ] || fail "name at least one address; see --help"
$dry_run || [ "$(id -u)" = 0 ] || fail "run it as root"
[ -z "$netns" ] || [ -e "/run/netns/$netns" ] || fail "there is no network namespace $netns"

state=/run/modlb-server/${netns:-host}
settings='arp_ignore=1 arp_announce=2'

# Reads, in the namespace.
look() {
    if [ -n "$netns" ]; then nsenter --net="/run/netns/$netns" "$@"; else "$@"; fi
}

# Changes, in the namespace, or says what it would.
change() {
    if $dry_run; then echo "$*"; else look "$@"; fi
}

prefix() {
    case $1 in
        *:*) echo "$1/128" ;;
        *) echo "$1/32" ;;
    esac
}

has() {
    [ -n "$(look ip -oneline address show dev lo to "$(prefix "$1")")" ]
}

# Remembers a setting's former value once, then changes it.
set_arp() {
    for setting in $settings; do
        name=net.ipv4.conf.all.${setting%=*}
        $dry_run || [ -e "$state/$name" ] || look sysctl -n "$name" >"$state/$name"
        change sysctl -qw "$name=${setting#*=}"
    done
}

restore_arp() {
    for setting in $settings; do
        name=net.ipv4.conf.all.${setting%=*}
        [ -e "$state/$name" ] || continue
        change sysctl -qw "$name=$(cat "$state/$name")"
        $dry_run || rm "$state/$name"
    done
}

# Trap: the settings come first, else the kernel could answer ARP for an address in between.
add() {
    $dry_run || mkdir -p "$state"
    for address in $addresses; do
        case $address in
            *:*) options=nodad ;;
            *)
                options=''
                set_arp
                ;;
        esac
        if has "$address"; then
            continue
        fi
        change ip address add "$(prefix "$address")" dev lo $options
        $dry_run || : >"$state/address-$address"
    done
}

remove() {
    for address in $addresses; do
        if [ ! -e "$state/address-$address" ]; then
            echo "server-setup.sh: $address was not added by this script; left alone" >&2
            continue
        fi
        if has "$address"; then
            change ip address del "$(prefix "$address")" dev lo
        fi
        $dry_run || rm "$state/address-$address"
    done
    if $dry_run; then
        return
    fi
    for left in "$state"/address-*.*; do
        [ ! -e "$left" ] || return 0
    done
    restore_arp
    rmdir "$state" 2>/dev/null || true
    rmdir /run/modlb-server 2>/dev/null || true
}

if $undo; then remove; else add; fi
