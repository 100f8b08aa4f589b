#!/bin/bash
# The package, from building to purging, on a fresh Debian 12: prints a line "ok ..." or "not ok ..." for each check.
# usage: tests/package.sh [build|root]...   (default: both)
#   build: contrib/deb.sh, and lintian
#   root:  installs it in a root of its own, without and with systemd, beside a Postfix that is chrooted as Debian has it and
#          delivers through it; removes it, and looks what is left. Needs root, and a Debian archive for debootstrap and
#          apt, which are set up as this machine's are.
# The bare root is kept between runs: $MXCRYPT_PACKAGE_CACHE, default a folder of this user's own in $TMPDIR.
# Exit status 1 when a check failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

failed=0
work=
mirror=${MXCRYPT_MIRROR:-http://deb.debian.org/debian}
cache=${MXCRYPT_PACKAGE_CACHE:-${TMPDIR:-/tmp}/mxcrypt-package-$(id -u)}

# result NAME STATUS [LOG]
result() {
    if [ "$2" -eq 0 ]; then
        echo "ok $1"
    else
        failed=1
        echo "not ok $1"
        [ -z "${3:-}" ] || tail -n 40 "$3"
    fi
}

run_build() {
    local log
    log=$(mktemp)
    contrib/deb.sh >"$log" 2>&1
    result "the package is built" $? "$log"
    lintian --allow-root -i --pedantic build/deb/mxcrypt_*.changes >"$log" 2>&1 && ! grep -q '^[EWP]:' "$log"
    result "lintian has nothing to say, pedantic" $? "$log"
    rm -f "$log"
}

# a minimal Debian 12; debootstrap once
bare_root() {
    local tar=$cache/bookworm.tar
    [ -d "$cache" ] || mkdir -m 700 "$cache" || return 1
    [ -O "$cache" ] || return 1
    [ -e "$tar" ] || {
        debootstrap --variant=minbase bookworm "$work/new" "$mirror" &&
            tar -C "$work/new" -cf "$tar.new" . && mv "$tar.new" "$tar" && rm -rf "$work/new"
    } || return 1
    mkdir "$work/root"
    tar -C "$work/root" -xf "$tar"
}

# what the package needs and what the checks need is there before; Postfix is fetched only
furnish() {
    local root=$work/root
    rm -rf "$root/etc/apt" && cp -aL /etc/apt "$root/etc/apt" || return 1
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cp build/deb/mxcrypt_*.deb "$root/root/mxcrypt.deb"
    tests/package/enter.sh "$root" bash -ec '
        # an archive kept by a hook would be gone when it is wanted
        rm -f /etc/apt/apt.conf.d/docker-clean
        echo "APT::Keep-Downloaded-Packages \"true\"; APT::Install-Recommends \"false\";" >/etc/apt/apt.conf.d/99package-test
        apt-get -qq update
        apt-get -qq install -y systemd systemd-sysv dbus procps \
            $(apt-get -s install /root/mxcrypt.deb | sed -n "s/^Inst \([^ ]*\) .*/\1/p" | grep -v "^mxcrypt$")
        apt-get clean
        apt-get -qq install -y --download-only postfix'
}

run_root() {
    local log
    [ "$(id -u)" -eq 0 ] || {
        result "the root is made (this takes root's rights)" 1
        return
    }
    work=$(mktemp -d)
    trap 'rm -rf --one-file-system "$work"' EXIT
    chmod 755 "$work"
    log=$work/log
    { bare_root && furnish; } >"$log" 2>&1
    result "a fresh Debian 12" $? "$log"
    [ $failed -eq 0 ] || return
    /usr/bin/python3 tests/package/package.py --root "$work/root" || failed=1
}

contrib/packages.sh test || exit 2
for step in "${@:-build root}"; do
    for name in $step; do
        "run_$name"
    done
done
exit $failed
