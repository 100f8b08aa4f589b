#!/bin/sh
# Makes, with gpg(1), in the current folder, the keys and signatures that test_openpgp.c is about.
# A key X is X.gpg, its fingerprint X.fpr, a signature Y is Y.asc; what is signed is `data`.
set -e
export LC_ALL=C GNUPGHOME="$PWD/home"
mkdir -m 700 "$GNUPGHOME"
trap 'gpgconf --kill all' EXIT

gpg() {
    command gpg --no-options --batch --yes --quiet --no-tty --pinentry-mode loopback --passphrase '' "$@"
}

# key NAME EXPIRY [OPTION]...: a key that signs
key() {
    name=$1 expiry=$2
    shift 2
    gpg "$@" --quick-generate-key "$name@list.example" ed25519 sign "$expiry"
    fingerprint "$name"
}

fingerprint() {
    gpg --with-colons --list-keys "$1@list.example" | awk -F: '/^fpr/ { print $10; exit }' >"$1.fpr"
}

public() {
    gpg --export "$(cat "$1.fpr")" >"$1.gpg"
}

# sign NAME KEY [OPTION]...
sign() {
    name=$1 key=$2
    shift 2
    gpg -u "$(cat "$key.fpr")!" "$@" --armor --output "$name.asc" --detach-sign data
}

echo '{"version": "0.1"}' >data
echo '{"version": "0.2"}' >data2

key maker never --faked-system-time 20200101T000000!
public maker
gpg --armor --export "$(cat maker.fpr)" >maker.asc.key
gpg --export-secret-keys "$(cat maker.fpr)" >secret.gpg
gpg --armor --export-secret-keys "$(cat maker.fpr)" >secret.asc.key
sign good maker
sign text maker --textmode
sign sha1 maker --digest-algo SHA1
gpg -u "$(cat maker.fpr)" --output binary.asc --detach-sign data
gpg -u "$(cat maker.fpr)" --armor --output over2.asc --detach-sign data2
gpg -u "$(cat maker.fpr)" --armor --output inline.asc --sign data
gpg -u "$(cat maker.fpr)" --armor --output clear.asc --clear-sign data
sign expired maker --faked-system-time 20200102T000000! --default-sig-expire 1d

key other never
public other
cat maker.gpg other.gpg >both.gpg
sign by-other other
gpg -u "$(cat maker.fpr)" -u "$(cat other.fpr)" --armor --output two.asc --detach-sign data
cat good.asc good.asc >twice.asc

key brief 1y --faked-system-time 20200101T000000!
sign by-brief brief --faked-system-time 20200102T000000!
public brief

key revoked never
sign by-revoked revoked
sed 's/^:-----/-----/' "$GNUPGHOME/openpgp-revocs.d/$(cat revoked.fpr).rev" >revoke
gpg --import revoke
public revoked

# a primary key that certifies only, and subkeys that sign: two good ones
gpg --quick-generate-key "sub@list.example" ed25519 cert never
fingerprint sub
gpg --quick-add-key "$(cat sub.fpr)" ed25519 sign never
gpg --with-colons --list-keys sub@list.example | awk -F: '/^fpr/ { last = $10 } END { print last }' >subkey.fpr
sign by-subkey subkey
gpg --faked-system-time 20200101T000000! --quick-generate-key "subs@list.example" ed25519 cert never
fingerprint subs
gpg --faked-system-time 20200101T000000! --quick-add-key "$(cat subs.fpr)" ed25519 sign 1y
gpg --with-colons --list-keys subs@list.example | awk -F: '/^fpr/ { last = $10 } END { print last }' >subbrief.fpr
sign by-subbrief subbrief --faked-system-time 20200102T000000!
gpg --quick-add-key "$(cat subs.fpr)" ed25519 sign never
gpg --with-colons --list-keys subs@list.example | awk -F: '/^fpr/ { last = $10 } END { print last }' >subfresh.fpr
sign by-subfresh subfresh
public subs
public sub

printf 'key 1\nrevkey\ny\n0\n\ny\nsave\n' | gpg --command-fd 0 --edit-key "$(cat sub.fpr)"
gpg --export "$(cat sub.fpr)" >subrevoked.gpg
