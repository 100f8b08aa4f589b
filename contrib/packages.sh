#!/bin/bash
# Installs the Debian packages mxcrypt needs and this machine lacks.
# usage: contrib/packages.sh build|package|lint|world|test
#   build:   what compiling and running takes
#   package: that, and what building the Debian package takes
#   lint:    that, and what looks the package over
#   world:   what compiling and the tests' world of real servers take
#   test:    all of it, and what the other tests take
# Services that packages bring along are not started.
set -euo pipefail

build="build-essential cmake pkgconf libuv1-dev libssl-dev libcurl4-openssl-dev
    libjansson-dev libsqlite3-dev libidn2-dev libmicrohttpd-dev libpsl-dev libseccomp-dev libhiredis-dev
    libarchive-dev liblzma-dev zlib1g-dev uthash-dev ca-certificates python3"
package="$build debhelper dpkg-dev fakeroot"
servers="unbound nsd ldnsutils postfix openssl iproute2 util-linux python3-cryptography"
world="$build $servers"
lint="$package lintian"
test="$lint $servers clang libclang-rt-dev libcmocka-dev libldns-dev valgrind
    pflogsumm postfix-mta-sts-resolver dnsperf sqlite3 bind9-dnsutils procps prometheus debootstrap
    chromium fonts-liberation python3-jsonschema python3-yaml certbot pebble minisign gnupg gpgv"
if grep -q '^VERSION_CODENAME=bookworm$' /etc/os-release; then
    # the tree is laid out by this version, which Debian 13 lacks; another one lays it out otherwise
    test="$test redis-server clang-format-14"
else
    test="$test valkey-server"
fi

case "${1:-}" in
build) wanted=$build ;;
package) wanted=$package ;;
lint) wanted=$lint ;;
world) wanted=$world ;;
test) wanted=$test ;;
*)
    echo "usage: $0 build|package|lint|world|test" >&2
    exit 64
    ;;
esac

missing=()
for package in $wanted; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "packages are missing and this is not root; as root: apt-get install ${missing[*]}" >&2
        exit 1
    }
    root=(sudo)
fi

echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
guard=/usr/sbin/policy-rc.d
if [ ! -e $guard ]; then
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $guard >/dev/null
    "${root[@]}" chmod 755 $guard
    trap '"${root[@]}" rm -f $guard' EXIT
fi
"${root[@]}" apt-get -qq update
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    "${missing[@]}" >/dev/null
