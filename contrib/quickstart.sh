#!/bin/bash
# From a fresh Debian 12 or 13 to answers: installs what is missing, builds, starts mxcryptd, asks it.
# usage: contrib/quickstart.sh [DOMAIN...]
# The daemon stays running, with sockets and log in $MXCRYPT_STATE (default:
# /var/lib/mxcrypt-quickstart for root, else ~/.local/state/mxcrypt); for root also below Postfix's
# queue directory if there is one, and as a user of its own, mxcrypt, which is made if it is missing.
# Without a validating resolver or the outside world it shows the same in a world of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/build/release/bin
home_state=${XDG_STATE_HOME:-$HOME/.local/state}/mxcrypt
[ "$(id -u)" -ne 0 ] || home_state=/var/lib/mxcrypt-quickstart
state=${MXCRYPT_STATE:-$home_state}
policy=$state/policy.sock
control=$state/control.sock
listen=(-o "listen=socketmap:unix:$policy")
map=unix:$policy
queue=/var/spool/postfix
if [ "$(id -u)" -eq 0 ] && [ -d $queue ]; then
    listen+=(-o "listen=socketmap:unix:$queue/mxcrypt/policy.sock")
    map=unix:mxcrypt/policy.sock
fi
domains=("$@")
[ ${#domains[@]} -gt 0 ] || domains=(posteo.de gmail.com debian.org)

build() {
    contrib/packages.sh build
    echo "building (log: build/quickstart.log)"
    mkdir -p build
    { cmake --preset release && cmake --build --preset release -j "$(nproc)"; } \
        >build/quickstart.log 2>&1 || {
        tail -n 40 build/quickstart.log
        exit 1
    }
}

# the pid of the daemon an earlier run left behind, if it still is one
running() {
    local pid
    pid=$(cat "$state/pid" 2>/dev/null) && [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$bin/mxcryptd" ] &&
        echo "$pid"
}

# true once the log has a line with $1; false after 20 s, or when the daemon is gone
logged() {
    for _ in $(seq 200); do
        grep -qE "$1" "$state/log" 2>/dev/null && return 0
        kill -0 "$(cat "$state/pid")" 2>/dev/null || return 1
        read -r -t 0.1 <> <(:) || true
    done
    return 1
}

# the daemon's user, and a folder that is its own; everything else in $state stays the caller's
make_user() {
    mkdir -p "$state/memory"
    [ "$(id -u)" -eq 0 ] || return 0
    getent passwd mxcrypt >/dev/null || {
        echo "making the system user mxcrypt"
        useradd --system --user-group --no-create-home --home-dir /var/lib/mxcrypt \
            --shell /usr/sbin/nologin mxcrypt
    }
    chown -R mxcrypt: "$state/memory"
}

start() {
    local old
    make_user
    if old=$(running); then
        kill "$old"
        while kill -0 "$old" 2>/dev/null; do read -r -t 0.1 <> <(:) || true; done
    fi
    : >"$state/log"
    setsid "$bin/mxcryptd" -c /dev/null "${listen[@]}" \
        -o "control-socket=$control" -o "store=$state/memory/store.db" >/dev/null 2>>"$state/log" </dev/null &
    echo $! >"$state/pid"
    logged 'event=ready' || {
        cat "$state/log"
        exit 1
    }
}

# asks the policy socket as Postfix does: one netstring there, one back
ask() {
    /usr/bin/python3 - "$policy" "$1" <<'PY'
import socket, sys
request = b"policy " + sys.argv[2].encode()
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"%d:%s," % (len(request), request))
data = b""
while b":" not in data:
    data += s.recv(4096)
length, data = data.split(b":", 1)
while len(data) <= int(length):
    data += s.recv(4096)
print(data[:-1].decode())
PY
}

show_domains() {
    local domain
    for domain in "${domains[@]}"; do
        echo
        echo "=== $domain"
        echo "Postfix is told: $(ask "$domain")"
        "$bin/mxcrypt" -c /dev/null -o "control-socket=$control" explain "$domain" || true
    done
}

# the map's name in main.cf, for the Postfix that is here
map_name() {
    local version
    version=$(postconf -dh mail_version 2>/dev/null) || version=3
    if [ "$(printf '%s\n' 3.10 "$version" | sort -V | head -n 1)" = 3.10 ]; then
        echo tlsrpt
    else
        echo policy
    fi
}

show_main_cf() {
    cat <<TXT

mxcryptd is running (pid $(cat "$state/pid")); its log is $state/log.
For a Postfix on this host paste into main.cf (contrib/postfix/main.cf explains each line):

    smtp_tls_policy_maps = socketmap:$map:$(map_name)
    smtp_tls_security_level = may
    smtp_dns_support_level = dnssec
    smtp_host_lookup = dns
    smtp_tls_dane_insecure_mx_policy = dane
    smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
    smtp_tls_loglevel = 1

To ask it: build/release/bin/mxcrypt -o control-socket=$control explain example.com
To stop it: kill $(cat "$state/pid"). To have it for good: stop it, and "Setting it up" in README.md.
TXT
}

build
start
if logged 'event=resolver-(validates|does-not-validate|unreachable)' &&
    grep -q 'event=resolver-validates' "$state/log"; then
    show_domains
    show_main_cf
else
    echo
    echo "No validating resolver, or no outside world, can be reached from here:"
    grep -E 'event=resolver-' "$state/log" || true
    echo "The same follows in a world of its own: signed DNS, mail servers, a real Postfix."
    contrib/packages.sh world
    status=0
    /usr/bin/python3 tests/world/quick.py --bin "$bin" || status=$?
    show_main_cf
    exit $status
fi
