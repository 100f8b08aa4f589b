#!/bin/bash
# The compose file: Docker and compose build the images of contrib/container and run them by compose.yaml itself, cut off from the
# network, beside the signed DNS and the mail hosts of tests/container.sh. A line "ok ..." or "not ok ..." for each check; the last
# line is "N passed, N failed", exit status 1 when any failed.
# usage: tests/compose.sh
# It takes root, a Debian archive (tests/root/debian.sh), and Debian's docker.io and docker-compose, which it does not install, because
# a machine that has docker.io runs it. A dockerd of its own is started; one that runs is not touched. Ten minutes the first time,
# two from then on: images are kept beside the roots.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/root/debian.sh

[ "$(id -u)" -eq 0 ] || {
    echo "$0: this takes root's rights" >&2
    exit 1
}
for one in dockerd docker docker-compose; do
    command -v "$one" >/dev/null || {
        echo "$0: there is no $one: apt-get install docker.io docker-compose" >&2
        exit 2
    }
done
contrib/packages.sh world && debian_needs debootstrap iptables || exit 2

work=$(mktemp -d) || exit 2
trap 'rm -rf --one-file-system "$work"' EXIT
folder=$debian_cache/docker
mkdir -p -m 700 "$debian_cache" "$folder" && echo '{}' >"$folder/daemon.json" || exit 2
exec 9>"$folder/lock"
flock 9 || exit 2 # one at a time

# inside WORD... : compose.py with namespaces of its own; what is left when it ends is ended
inside() {
    unshare --mount --pid --fork --kill-child --mount-proc "${namespaces[@]}" \
        /usr/bin/python3 tests/container/compose.py "$@" --folder "$folder" --work "$work" </dev/null
}

namespaces=()
debian_image bookworm "$work/base.tar" >"$work/log" 2>&1 && inside build --base "$work/base.tar" >>"$work/log" 2>&1 || {
    tail -n 40 "$work/log"
    echo "not ok compose builds the images"
    echo "0 passed, 1 failed"
    exit 1
}
echo "ok compose builds the images"
namespaces=(--net)
inside check | tee "$work/result"
status=${PIPESTATUS[0]}
good=$((1 + $(grep -c '^ok ' "$work/result")))
bad=$(grep -c '^not ok ' "$work/result")
[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || {
    echo "not ok the checks end: exit status $status"
    bad=1
}
echo "$good passed, $bad failed"
[ "$bad" -eq 0 ]
