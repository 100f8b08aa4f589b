#!/bin/bash
# README's two commands on a fresh root of a Debian release, from a fresh clone: the checkout's last commit.
# usage: tests/release.sh bookworm|trixie [quickstart|tests]...   (default: both)
#   quickstart: contrib/quickstart.sh example.com
#   tests:      tests/run.sh; its logs are kept below build/release-RELEASE
# Needs root, debootstrap, git and a Debian archive: see root/debian.sh. Nothing of this system is within the root's reach but its
# kernel and its network, over which the packages come. Prints "ok ..." or "not ok ..." for each command; exit status 1
# when one failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/root/debian.sh

failed=0

# result NAME STATUS
result() {
    if [ "$2" -eq 0 ]; then
        echo "ok $1"
    else
        failed=1
        echo "not ok $1: exit status $2"
    fi
}

run_quickstart() {
    local status
    debian_run "$work/root" contrib/quickstart.sh example.com
    status=$?
    result "$(debian_name "$release"): contrib/quickstart.sh example.com" $status
}

run_tests() {
    local status logs=build/release-$release
    debian_run "$work/root" tests/run.sh
    status=$?
    rm -rf "$logs"
    mkdir -p build
    cp -r "$work/root/root/mxcrypt/build/test-logs" "$logs"
    result "$(debian_name "$release"): tests/run.sh" $status
}

usage() {
    echo "usage: $0 bookworm|trixie [quickstart|tests]..." >&2
    exit 64
}

release=${1:-}
debian_is_release "$release" || usage
shift
[ $# -gt 0 ] || set -- quickstart tests
for step in "$@"; do
    case $step in
    quickstart | tests) ;;
    *) usage ;;
    esac
done
[ "$(id -u)" -eq 0 ] || {
    echo "$0: this takes root's rights" >&2
    exit 1
}
[ -z "$(git status --porcelain)" ] || echo "note: what is not committed is not in the clone"

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"
log=$work/log
{ debian_bare "$release" "$work/root" && debian_settle "$release" "$work/root" debian.example &&
    git clone --quiet --no-hardlinks "file://$PWD" "$work/root/root/mxcrypt"; } >"$log" 2>&1 || {
    tail -n 40 "$log"
    result "$(debian_name "$release"): a fresh root" 1
    exit 1
}
for step in "$@"; do
    "run_$step"
done
exit $failed
