#!/bin/sh
# Applies keepalived's decisions to modlb: the master forwards, all others are on standby.
#
# Traps: notify scripts run concurrently, so of two decisions in quick succession the first may be carried out last;
# keepalived's FIFO keeps their order. When keepalived ends, it sends SIGTERM before it writes its last states to the FIFO,
# so this script must read until the FIFO is closed.
set -u

usage() {
    cat <<'USAGE'
Usage: modlb-notify.sh [OPTIONS] FIFO                            as keepalived's vrrp_notify_fifo_script
       modlb-notify.sh [OPTIONS] TYPE NAME STATE [PRIORITY]      as keepalived's notify
       modlb-notify.sh [OPTIONS] --check                         as keepalived's vrrp_script

MASTER becomes `modlb activate`; BACKUP, FAULT, STOP and DELETED become `modlb standby`, for which nothing needs to run;
other states change nothing.
From a FIFO only the sync group or instance named GROUP counts, and STOP, which keepalived sends when it ends.
--check succeeds if modlb is attached to its interfaces, active or on standby.

  --group GROUP      the sync group (or instance) to follow in a FIFO; default: "modlb"
  --instance NAME    modlb's instance; default: $MODLB_INSTANCE or "default"
  --modlb PATH       the command; default: $MODLB or "modlb"

Actions are logged with the tag modlb-notify (`journalctl -t modlb-notify`).

Example, in keepalived.conf's global_defs:
  vrrp_notify_fifo /run/modlb-keepalived.fifo
  vrrp_notify_fifo_script "/etc/keepalived/modlb-notify.sh --group modlb"
USAGE
}

# Never an error: a failing log must not stop modlb.
say() {
    logger -t modlb-notify -- "$*" 2>/dev/null
    echo "modlb-notify: $*" >&2 2>/dev/null
    true
}

refuse() {
    say "$*; see --help"
    exit 2
}

# The modlb command for a state; empty if the state changes nothing.
verb() {
    case $1 in
        MASTER) echo activate ;;
        BACKUP | FAULT | STOP | DELETED) echo 'standby --if-running' ;;
    esac
}

# Runs the command for a state. A failure does not stop the listener.
act() {
    verb=$(verb "$3")
    if [ -z "$verb" ]; then
        case $3 in
            MASTER_RX_LOWER_PRI | MASTER_PRIORITY | BACKUP_PRIORITY) ;;
            *) say "$1 $2: unknown state $3; nothing was changed" ;;
        esac
        return 0
    fi
    # The words of $verb are meant to be split.
    # shellcheck disable=SC2086
    if answer=$("$modlb" --instance "$instance" $verb 2>&1); then
        say "$1 $2 is $3: modlb $verb: $answer"
    else
        say "$1 $2 is $3, but modlb $verb failed: $answer"
        return 1
    fi
}

# Reads lines such as `INSTANCE "modlb4" MASTER 150` until keepalived closes the FIFO.
listen() {
    trap '' TERM
    while read -r type name state _; do
        name=${name#\"}
        name=${name%\"}
        case $type:$state:$name in
            INSTANCE:STOP:* | GROUP:*:"$group" | INSTANCE:*:"$group") act "$type" "$name" "$state" ;;
        esac
    done <"$1"
}

# Whether modlb is attached to existing interfaces. Only its exit status counts: what it prints has names in it.
check() {
    error=$("$modlb" --instance "$instance" status --expect-attached 2>&1 >/dev/null) && return 0
    say "modlb's instance $instance: $error"
    return 1
}

modlb=${MODLB:-modlb} instance=${MODLB_INSTANCE:-default} group=modlb check=false
while [ $# -gt 0 ]; do
    case $1 in
        --group | --instance | --modlb)
            [ $# -gt 1 ] && [ -n "$2" ] || refuse "$1 needs a value"
            case $1 in
                --group) group=$2 ;;
                --instance) instance=$2 ;;
                --modlb) modlb=$2 ;;
            esac
            shift
            ;;
        --check) check=true ;;
        -h | --help)
            usage
            exit 0
            ;;
        -*) refuse "unknown option $1" ;;
        *) break ;;
    esac
    shift
done
case $check:$# in
    true:0) check ;;
    false:1)
        [ -p "$1" ] || refuse "$1 is not a FIFO"
        listen "$1"
        ;;
    false:3 | false:4) act "$1" "$2" "$3" ;;
    *) refuse "keepalived says TYPE NAME STATE PRIORITY, or names a FIFO" ;;
esac
