#!/bin/bash
# The container: builds the images of contrib/container/Containerfile and runs them as compose.yaml says, cut off from the network,
# beside a signed DNS and mail hosts of the test's own. A line "ok ..." or "not ok ..." for each check; the last line is
# "N passed, N failed", exit status 1 when any failed.
# usage: tests/container.sh [WORD...]    (only the checks whose names have one of these words)
# It takes root, a Debian archive (tests/root/debian.sh) and a kernel that runs containers; the base image is made by
# debootstrap, nothing comes from a registry. Ten minutes the first time, two from then on: images are kept beside the roots.
# Installs podman, runc and what the test's own servers need, if they are missing.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/root/debian.sh

[ "$(id -u)" -eq 0 ] || {
    echo "$0: this takes root's rights" >&2
    exit 1
}

contrib/packages.sh world && debian_needs podman buildah runc iptables debootstrap python3-yaml || exit 2

work=$(mktemp -d) || exit 2
trap 'rm -rf --one-file-system "$work"' EXIT
log=$work/build.log
[ -d "$debian_cache" ] || mkdir -m 700 "$debian_cache" || exit 2
exec 9>"$debian_cache/images.lock"
flock 9 || exit 2 # one at a time: each removes all containers of this storage
export CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$debian_cache/images" "$debian_cache/images-run" >"$CONTAINERS_STORAGE_CONF"

# base_image: a bare Debian 12, made once
base_image() {
    ! podman image exists localhost/debian:bookworm-slim || return 0
    debian_image bookworm "$work/base.tar" && podman import -q "$work/base.tar" localhost/debian:bookworm-slim && rm "$work/base.tar"
}

# image TARGET NAME; chroot isolation and the host's network: apt fetches as it does here
image() {
    podman build --format docker --layers --isolation chroot --network host --build-arg BASE=localhost/debian:bookworm-slim \
        -f contrib/container/Containerfile --target "$1" -t "localhost/$2" .
}

passed=0
failed=0
for step in base_image "image mxcrypt mxcrypt" "image unbound mxcrypt-unbound" "image postfix mxcrypt-postfix"; do
    if $step >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok built: $step"
    else
        failed=1
        tail -n 40 "$log"
        echo "not ok built: $step"
        echo "$passed passed, $failed failed"
        exit 1
    fi
done

# mounts, network and processes of its own: what is left when it ends is ended
unshare --mount --net --pid --fork --kill-child --mount-proc \
    /usr/bin/python3 tests/container/run.py --work "$work" "$@" </dev/null | tee "$work/result"
status=${PIPESTATUS[0]}
good=$((passed + $(grep -c '^ok ' "$work/result")))
bad=$(grep -c '^not ok ' "$work/result")
[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || {
    echo "not ok the checks end: exit status $status"
    bad=1
}
echo "$good passed, $bad failed"
[ "$bad" -eq 0 ]
