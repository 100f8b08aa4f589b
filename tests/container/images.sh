# images.sh, to be sourced with tests/root/debian.sh: builds the images of contrib/container/Containerfile by podman, which keeps
# them beside the roots. Sets work, a folder that is removed at the end, and good, the number of steps that went well. Ends the
# script when one did not, and while another that uses the images runs: each removes all containers of this storage.

[ "$(id -u)" -eq 0 ] || {
    echo "$0: this takes root's rights" >&2
    exit 1
}
contrib/packages.sh world && debian_needs podman buildah runc iptables debootstrap python3-yaml && debian_own_cache || exit 2

work=$(mktemp -d) || exit 2
trap 'rm -rf --one-file-system "$work"' EXIT
exec 9>"$debian_cache/images.lock"
flock 9 || exit 2
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

good=0
for step in base_image "image mxcrypt mxcrypt" "image unbound mxcrypt-unbound" "image postfix mxcrypt-postfix"; do
    if $step >"$work/build.log" 2>&1; then
        good=$((good + 1))
        echo "ok built: $step"
    else
        tail -n 40 "$work/build.log"
        echo "not ok built: $step"
        echo "$good passed, 1 failed"
        exit 1
    fi
done

# checks SCRIPT WORD...: runs tests/container/SCRIPT with mounts, network and processes of its own, so that what is left when it ends
# is ended; then the last line
checks() {
    local status bad script=$1
    shift
    unshare --mount --net --pid --fork --kill-child --mount-proc \
        /usr/bin/python3 "tests/container/$script" --work "$work" "$@" </dev/null | tee "$work/result"
    status=${PIPESTATUS[0]}
    good=$((good + $(grep -c '^ok ' "$work/result")))
    bad=$(grep -c '^not ok ' "$work/result")
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || {
        echo "not ok the checks end: exit status $status"
        bad=1
    }
    echo "$good passed, $bad failed"
    [ "$bad" -eq 0 ]
}
