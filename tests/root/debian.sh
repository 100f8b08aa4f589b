# debian.sh, to be sourced: bare roots of the Debian releases that mxcrypt is for.
#
# What debootstrap made is kept between runs in $MXCRYPT_ROOT_CACHE, default a folder of this user's own in $TMPDIR.
# The archives are $MXCRYPT_MIRROR and $MXCRYPT_SECURITY_MIRROR, default deb.debian.org; how apt fetches from them (a proxy,
# say) is as this machine's apt is told. Roots are entered by enter.sh.

debian_mirror=${MXCRYPT_MIRROR:-http://deb.debian.org/debian}
debian_security=${MXCRYPT_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
debian_cache=${MXCRYPT_ROOT_CACHE:-${TMPDIR:-/tmp}/mxcrypt-roots-$(id -u)}

# debian_own_cache: makes the folder of what is kept; false if it is not this user's own, as one that was there before may not be
debian_own_cache() {
    [ -d "$debian_cache" ] || mkdir -m 700 "$debian_cache" || return 1
    [ ! -L "$debian_cache" ] && [ -O "$debian_cache" ] || {
        echo "$debian_cache is not this user's own" >&2
        return 1
    }
}

# debian_is_release NAME: true for a release that mxcrypt is for
debian_is_release() {
    case "$1" in
    bookworm | trixie) true ;;
    *) false ;;
    esac
}

# debian_name RELEASE: as people say it
debian_name() {
    case "$1" in
    bookworm) echo "Debian 12" ;;
    trixie) echo "Debian 13" ;;
    esac
}

# debian_bootstrap RELEASE TAR: what debootstrap makes, without the archives it fetched
debian_bootstrap() {
    local new status
    new=$(mktemp -d "$debian_cache/new.XXXXXX") || return 1
    debootstrap --variant=minbase "$1" "$new" "$debian_mirror" && rm -f "$new"/var/cache/apt/archives/*.deb &&
        tar -C "$new" -cf "$2.new" . && mv "$2.new" "$2"
    status=$?
    rm -rf --one-file-system "$new"
    return $status
}

# debian_bare RELEASE FOLDER: a minimal root in the folder, which is made; debootstrap once
debian_bare() {
    local tar=$debian_cache/$1.tar
    debian_own_cache || return 1
    [ -e "$tar" ] || debian_bootstrap "$1" "$tar" || return 1
    mkdir "$2" && tar -C "$2" -xf "$tar" && chmod 755 "$2" # debootstrap's folder was this user's alone
}

# debian_settle RELEASE ROOT NAME: the host's name, its way to the network, and apt for the whole release
debian_settle() {
    local apt=$2/etc/apt
    echo "$3" >"$2/etc/hostname"
    printf '%s\n' "127.0.0.1 localhost" "127.0.1.1 $3" >"$2/etc/hosts"
    cp -L /etc/resolv.conf "$2/etc/resolv.conf" || return 1
    printf 'deb %s main\n' "$debian_mirror $1" "$debian_mirror $1-updates" "$debian_security $1-security" >"$apt/sources.list"
    apt-config dump --no-empty Acquire | grep -vE '^Acquire::(IndexTargets|Changelogs|cdrom)' >"$apt/apt.conf.d/10machine"
    [ -z "${http_proxy:-}" ] || echo "Acquire::http::Proxy \"$http_proxy\";" >>"$apt/apt.conf.d/10machine"
}

# debian_image RELEASE TAR: a root as a container's base image, with this machine's way to the archive
debian_image() {
    local root=$2.root status
    debian_bare "$1" "$root" && debian_settle "$1" "$root" base.example && tar -C "$root" -cf "$2" .
    status=$?
    rm -rf --one-file-system "$root"
    return $status
}

# debian_needs PACKAGE...: installs those that this machine lacks
debian_needs() {
    local missing=()
    for one in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$one" 2>/dev/null)" = installed ] || missing+=("$one")
    done
    [ ${#missing[@]} -eq 0 ] || {
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
    }
}

# debian_copy ROOT: the files of the current folder, committed or not, to /root/mxcrypt there; what was built there stays. A file
# that is as it was keeps its time, any other has the present one, whichever checkout it is of: make goes by that.
debian_copy() {
    local there fresh
    there=$(readlink -f "$1")/root/mxcrypt
    fresh=$there.new
    rm -rf "$fresh" && mkdir -p "$there" "$fresh" &&
        tar --exclude=./build --exclude-vcs --exclude=__pycache__ -cf - . | tar -xmf - -C "$fresh" || return 1
    (cd "$fresh" && find . -type f -exec sh -c 'for one; do ! cmp -s "$one" "$0/$one" || touch -r "$0/$one" "$one"; done' "$there" {} +)
    [ ! -e "$there/build" ] || mv "$there/build" "$fresh" || return 1
    rm -rf "$there" && mv "$fresh" "$there"
}

# debian_run ROOT COMMAND...: runs a command there, in the copy
debian_run() {
    local root=$1
    shift
    tests/root/enter.sh "$root" bash -c 'cd /root/mxcrypt && exec "$@"' bash "$@" </dev/null
}
