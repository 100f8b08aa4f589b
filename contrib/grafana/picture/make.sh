#!/bin/bash
# Records eight minutes of a mxcryptd in the tests' world and draws the dashboard over them.
# usage: make.sh FOLDER-OF-BINARIES PICTURE.png    (see ../README.md)
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: $0 FOLDER-OF-BINARIES PICTURE.png" >&2; exit 64; }
bin=$(realpath "$1")
picture=$(realpath -m "$2")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

/usr/bin/python3 record.py --bin "$bin" --minutes 8 --out "$work/recording.json"
npm install --no-audit --no-fund --no-package-lock --ignore-scripts --legacy-peer-deps
node draw.mjs "$work/recording.json" "$work/picture.png"
pngquant --force --quality 60-95 --output "$picture" "$work/picture.png"
ls -l "$picture"
