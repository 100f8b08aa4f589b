#!/bin/bash
# Steps of tests/run.sh, or any command, on another Debian release: of this checkout as it is, committed or not.
# usage: tests/elsewhere.sh bookworm|trixie [STEP...]           (default: build unit layers manual)
#        tests/elsewhere.sh bookworm|trixie -- COMMAND [ARG...]  in the copy of the source, after contrib/packages.sh test
# The root is kept between runs, with what was built in it, beside what debootstrap made (root/debian.sh); delete
# its folder for a fresh one. The tests' logs are in its /root/mxcrypt/build/test-logs. Needs root, debootstrap and a
# Debian archive. The exit status is that of tests/run.sh, or of the command.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/root/debian.sh

release=${1:-}
debian_is_release "$release" || {
    echo "usage: $0 bookworm|trixie [STEP...|-- COMMAND [ARG...]]" >&2
    exit 64
}
shift
[ "$(id -u)" -eq 0 ] || {
    echo "$0: this takes root's rights" >&2
    exit 1
}
root=$debian_cache/$release-tests
[ $# -gt 0 ] || set -- build unit layers manual

# make_root: a root that was left half made is made again
make_root() {
    [ ! -e "$root" ] || return 0
    rm -rf --one-file-system "$root.new"
    debian_bare "$release" "$root.new" && debian_settle "$release" "$root.new" elsewhere.example && mv "$root.new" "$root"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ make_root && debian_copy "$root" && debian_run "$root" contrib/packages.sh test; } >"$log" 2>&1 || {
    tail -n 40 "$log"
    echo "not ok a $(debian_name "$release") with what the tests need"
    exit 2
}
echo "$(debian_name "$release"), in $root"
if [ "$1" = -- ]; then
    shift
    debian_run "$root" "$@"
else
    debian_run "$root" tests/run.sh "$@"
fi
