#!/bin/bash
# The container: builds the images of contrib/container/Containerfile and runs them as compose.yaml says, cut off from the network,
# beside a signed DNS and mail hosts of the test's own. A line "ok ..." or "not ok ..." for each check; the last line is
# "N passed, N failed", exit status 1 when any failed.
# usage: tests/container.sh [WORD...]    (only the checks whose names have one of these words)
# It takes root, a Debian archive (tests/root/debian.sh) and a kernel that runs containers; the base image is made by
# debootstrap, nothing comes from a registry. Ten minutes the first time, four from then on: images are kept beside the roots.
# Installs podman, runc and what the test's own servers need, if they are missing.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/root/debian.sh
. tests/container/images.sh
checks run.py "$@"
