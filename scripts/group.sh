#!/bin/sh
# Takes a server down or up on every member of a group, in an order in which no packet is taken twice: members that lose
# flows first, then those that gain them.
set -eu

usage() {
    cat <<'USAGE'
Usage: group.sh [--via COMMAND] up|down SERVICE SERVER HOST...

Runs `modlb server up|down SERVICE SERVER` on every HOST. For `down` the member that is SERVER goes first and the others
follow at the same time; for `up` the others go first, at the same time, and SERVER last. Then it compares the members'
digests. If the member that is SERVER does not answer, `down` leaves it out: it takes no packets any more.

  --via COMMAND  how to reach a host: COMMAND HOST modlb … (default: ssh -o BatchMode=yes -o ConnectTimeout=3). Words are
                 quoted for the shell at the other end if COMMAND is ssh, and handed over as they are otherwise

Exit status: 0 if all agree afterwards, 1 if not or if a host failed.

Example:
  group.sh down web 10.0.0.12 lb1 lb2 lb3
USAGE
}

fail() {
    echo "group.sh: $*" >&2
    exit 1
}

via='ssh -o BatchMode=yes -o ConnectTimeout=3'
while [ $# -gt 0 ]; do
    case $1 in
    --via) [ $# -ge 2 ] || fail "--via needs a command"; via=$2; shift 2 ;;
    -h | --help) usage; exit ;;
    -*) fail "unknown option $1; see --help" ;;
    *) break ;;
    esac
done
[ $# -ge 4 ] || { usage >&2; exit 2; }
verb=$1 service=$2 server=$3
shift 3
case $verb in up | down) ;; *) fail "$verb: say up or down" ;; esac

# Nothing here is a pattern for file names.
set -f

# A word in quotes, for another shell.
quoted() {
    printf "'"
    printf '%s' "$1" | sed "s/'/'\\\\''/g"
    printf "'"
}

# The words of $via are meant to be split.
# shellcheck disable=SC2086
on() {
    host=$1
    shift
    case ${via%% *} in
    ssh | */ssh)
        line=modlb
        for word in "$@"; do line="$line $(quoted "$word")"; done
        $via "$host" "$line" </dev/null
        ;;
    *) $via "$host" modlb "$@" </dev/null ;;
    esac
}

own='' others='' silent=''
for host in "$@"; do
    if on "$host" status --field self >/dev/null; then
        if on "$host" status --field self --expect-self="$server" >/dev/null 2>&1; then
            own="$own $host"
        else
            others="$others $host"
        fi
    elif [ $? -eq 2 ]; then
        fail "the modlb on $host does not know \`status --field\`; upgrade it; nothing was changed"
    else
        silent="$silent $host"
    fi
done
if [ -n "$silent" ] && { [ "$verb" = up ] || [ -n "$own" ]; }; then
    fail "no answer from$silent; nothing was changed"
fi
[ -z "$silent" ] || echo "group.sh: no answer from$silent, which is left out" >&2

change() {
    pids=''
    for host in "$@"; do
        on "$host" server "$verb" -- "$service" "$server" &
        pids="$pids $!"
    done
    ok=true
    for pid in $pids; do
        wait "$pid" || ok=false
    done
    $ok || fail "a host failed; the members may disagree, run this again"
}

# The words are hosts.
# shellcheck disable=SC2086
if [ "$verb" = down ]; then
    change $own
    change $others
else
    change $others
    change $own
fi

digests=''
for host in $own $others; do
    digest=$(on "$host" status --field digest --service="$service") || fail "$host does not say its digest; run this again"
    case " $digests " in *" $digest "*) ;; *) digests="$digests${digests:+ }$digest" ;; esac
done
case $digests in
*' '*) fail "the members do not agree: their digests of $service are $digests" ;;
esac
echo "all members agree: digest $digests"
