#!/bin/bash
# Builds the Debian package; prints where it is, which is below build/deb/.
# usage: contrib/deb.sh
# Installs what building takes. The source is copied first: nothing is written beside the clone.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$PWD/build/deb
source=$out/mxcrypt
log=$out/build.log

contrib/packages.sh package
rm -rf "$out"
mkdir -p "$source"
tar --exclude=./build --exclude-vcs --exclude=__pycache__ -cf - . | tar -xf - -C "$source"
echo "building (log: build/deb/build.log)" >&2
(cd "$source" && dpkg-buildpackage --no-sign -j"$(nproc)") >"$log" 2>&1 || {
    tail -n 40 "$log"
    exit 1
}
ls "$out"/mxcrypt_*.deb
