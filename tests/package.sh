#!/bin/bash
# The package, from building to purging, on a Debian release: prints a line "ok ..." or "not ok ..." for each check.
# usage: tests/package.sh [bookworm|trixie] [build|root]...   (default: this system's release; both)
#   build: contrib/deb.sh, and lintian; for another release than this system's in a root of it, and the package is then
#          below build/deb-RELEASE
#   root:  installs it in a root of its own, without and with systemd, beside a Postfix that is chrooted as Debian has it and
#          delivers through it; removes it, and looks what is left
# Roots need root's rights, debootstrap and a Debian archive: see root/debian.sh. Exit status 1 when a check failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/root/debian.sh

failed=0
work=
running=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
release=$running

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

make_work() {
    [ -z "$work" ] || return 0
    work=$(mktemp -d) || exit 2
    trap 'rm -rf --one-file-system "$work"' EXIT
    chmod 755 "$work"
}

# new_root NAME HOST: a fresh root below $work
new_root() {
    local log=$work/$1.log
    { [ "$(id -u)" -eq 0 ] || { echo "this takes root's rights" && false; } &&
        debian_bare "$release" "$work/$1" && debian_settle "$release" "$work/$1" "$2"; } >"$log" 2>&1
    result "a fresh $(debian_name "$release") for $1" $? "$log"
    [ $failed -eq 0 ]
}

# there COMMAND...: runs it in the source, here or in the root of another release
there() {
    if [ "$release" = "$running" ]; then
        "$@"
    else
        debian_run "$work/building" "$@"
    fi
}

go_there() {
    new_root building building.example && debian_copy "$work/building" && there contrib/packages.sh lint
}

# stays PACKAGE...: apt installs ours beside the mail server that these are, neither removes it nor brings another one. As if they
# were installed here, and no other mail server.
stays() {
    local package said=$work/stays.log
    {
        awk -v RS= -v ORS='\n\n' '!/^Package: (postfix|exim4|sendmail)/' /var/lib/dpkg/status
        for package; do
            apt-cache show --no-all-versions "$package" |
                awk '!/^(Filename|Size|MD5sum|SHA[0-9]+|Depends|Pre-Depends):/; NR == 1 { print "Status: install ok installed" }'
        done
    } >"$work/status"
    apt-get -s -o Dir::State::status="$work/status" -o APT::Install-Recommends=true install ./build/deb/mxcrypt_*.deb >"$said" 2>&1
    grep -q '^Inst mxcrypt ' "$said" && ! grep -Eq '^(Remv|Inst (postfix|exim4|sendmail))' "$said"
    result "$1 stays when the package is installed" $? "$said"
}

run_build() {
    make_work
    local log=$work/build.log
    [ "$release" = "$running" ] || go_there || return
    there contrib/deb.sh >"$log" 2>&1
    result "the package is built" $? "$log"
    there bash -c 'lintian --allow-root -i --pedantic build/deb/mxcrypt_*.changes' >"$log" 2>&1 && ! grep -q '^[EWP]:' "$log"
    result "lintian has nothing to say, pedantic" $? "$log"
    if [ "$release" = "$running" ]; then
        stays exim4-daemon-light exim4-base exim4-config
        stays sendmail-bin sendmail-base sendmail-cf
    else
        rm -rf "$debs"
        mkdir -p "$debs"
        cp "$work"/building/root/mxcrypt/build/deb/mxcrypt* "$debs" 2>"$log" || true # the source's folder stays there
    fi
}

# what the package needs and what the checks need is there before; Postfix is fetched only
furnish() {
    local root=$work/installing
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cp "$debs"/mxcrypt_*.deb "$root/root/mxcrypt.deb" || return 1
    tests/root/enter.sh "$root" bash -ec '
        echo "APT::Keep-Downloaded-Packages \"true\"; APT::Install-Recommends \"false\";" >/etc/apt/apt.conf.d/99package-test
        apt-get -qq update
        apt-get -qq install -y systemd systemd-sysv dbus procps \
            $(apt-get -s install /root/mxcrypt.deb | sed -n "s/^Inst \([^ ]*\) .*/\1/p" | grep -v "^mxcrypt$")
        apt-get clean
        apt-get -qq install -y --download-only postfix'
}

run_root() {
    make_work
    local log=$work/furnish.log
    new_root installing mx.package.signed || return
    furnish >"$log" 2>&1
    result "what the package needs is installed" $? "$log"
    [ $failed -eq 0 ] || return
    /usr/bin/python3 tests/package/package.py --root "$work/installing" || failed=1
}

! debian_is_release "${1:-}" || {
    release=$1
    shift
}
debian_is_release "$release" || {
    echo "name a release: $0 bookworm|trixie [build|root]..." >&2
    exit 64
}
debs=build/deb
[ "$release" = "$running" ] || debs=build/deb-$release
contrib/packages.sh test || exit 2
[ $# -gt 0 ] || set -- build root
for step in "$@"; do
    case $step in
    build | root) "run_$step" ;;
    *)
        echo "no such step: $step" >&2
        exit 64
        ;;
    esac
done
exit $failed
