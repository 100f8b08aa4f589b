#!/bin/bash
# enter.sh ROOT COMMAND...: runs a command as the first process of a Debian root, with mounts and processes of its own
# (pivot_root: below a plain chroot nothing can unshare its mounts). Its end is the end of all in it. No file, process,
# descriptor or variable of this system is within its reach; the kernel and the network are.
# enter.sh --boot ROOT: systemd as that process; needs a cgroup2 hierarchy.
set -eu

here=$(readlink -f "$0")
if [ "${1:-}" != --inside ]; then
    boot=
    if [ "$1" = --boot ]; then
        boot=--boot
        shift
        hierarchy=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
        mkdir -p "$hierarchy/mxcrypt-package"
        echo $$ >"$hierarchy/mxcrypt-package/cgroup.procs"
    fi
    exec unshare -mpfuiC --kill-child "$here" --inside "$boot" "$@"
fi

boot=$2
root=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 dev dev
for one in null zero full random urandom tty; do
    touch "dev/$one"
    mount --bind "/dev/$one" "dev/$one"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs shm dev/shm
ln -s pts/ptmx dev/ptmx
for one in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s "/proc/self/${one#*:}" "dev/${one%:*}"; done
if [ -n "$boot" ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 run run
    set -- /lib/systemd/systemd --log-target=journal
fi
hostname -F etc/hostname
mkdir -p .old
pivot_root . .old
cd /
umount -l .old
rmdir .old
{ # as a whole, which is read before the script's own descriptor is closed
    for one in /proc/self/fd/*; do
        one=${one##*/}
        [ "$one" -le 2 ] || eval "exec $one>&-"
    done
    # what is mounted is the root, what was mounted above, and nothing else
    if awk '$5 !~ "^/(proc|sys(/fs/cgroup)?|run|dev(/(null|zero|full|random|urandom|tty|pts|shm))?)?$" { print "still in reach: " $5; found = 1 }
        END { exit !found }' /proc/self/mountinfo >&2; then
        exit 1
    fi
    exec env -i container=other HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
