#!/bin/bash
# The compose file: Docker and compose run the images of tests/container.sh by compose.yaml itself, cut off from the network, beside
# the same signed DNS and mail hosts. A line "ok ..." or "not ok ..." for each check; the last line is "N passed, N failed", exit
# status 1 when any failed.
# usage: tests/compose.sh [WORD...]    (only the checks whose names have one of these words; each goes on from those before)
# It takes what tests/container.sh takes, and Debian's docker.io and docker-compose: it does not install these, because to install
# docker.io is to start it. A Docker that runs here is not touched: the test starts another dockerd, with network, mounts and
# processes of its own and a data folder that is removed at the end. Ten minutes the first time, three from then on.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
. tests/root/debian.sh
for one in dockerd docker docker-compose; do
    command -v "$one" >/dev/null || {
        echo "$0: there is no $one: apt-get install docker.io docker-compose" >&2
        exit 2
    }
done
. tests/container/images.sh
podman save --quiet --multi-image-archive --output "$work/images.tar" localhost/mxcrypt localhost/mxcrypt-unbound localhost/mxcrypt-postfix || exit 2
checks compose.py "$@"
