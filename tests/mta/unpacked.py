"""Debian packages that cannot be installed beside Postfix: fetched by apt-get, unpacked into a folder that is kept.

The folder is that of this release in $MXCRYPT_ROOT_CACHE/mta, default build/mta. Libraries that a program lacks on this system are unpacked beside it."""

import glob
import os
import re
import shutil
import subprocess

ROUNDS = 4  # libraries of libraries


def cache():
    with open("/etc/os-release", encoding="utf-8") as file:
        release = re.search(r"^VERSION_CODENAME=(\w+)", file.read(), re.MULTILINE).group(1)
    kept = os.environ.get("MXCRYPT_ROOT_CACHE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "build")
    return os.path.join(os.path.abspath(kept), "mta", release)


def _run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-1000:]}")
    return done.stdout


def _fetch(package, root):
    """Adds a package to the tree."""
    folder = root + ".deb"
    download = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package)
    os.makedirs(folder, exist_ok=True)
    try:
        _run(*download, cwd=folder)
    except RuntimeError:  # the lists name a version that has been replaced since, or there are none
        _run("apt-get", "-q", "update")
        _run(*download, cwd=folder)
    for deb in glob.glob(os.path.join(folder, "*.deb")):
        _run("dpkg", "-x", deb, root)
    shutil.rmtree(folder)


def _missing(program, root):
    """Names of libraries that are neither on this system nor in the tree."""
    done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries(root))})
    return re.findall(r"^\s*(\S+) => not found", done.stdout, re.MULTILINE)


def _package_of(library):
    """libidn.so.12 is in libidn12, libspf2.so.2 in libspf2-2 or, since 2024, in libspf2-2t64."""
    name, version = re.fullmatch(r"(\S+?)\.so\.(\d+).*", library).groups()
    plain = f"{name}-{version}" if name[-1].isdigit() else name + version
    return plain if _run("apt-cache", "madison", plain).strip() else plain + "t64"


def libraries(root):
    """Folders of the libraries that were unpacked."""
    places = (os.path.join(root, "usr", "lib", "*.so.*"), os.path.join(root, "usr", "lib", "*-linux-gnu", "*.so.*"))
    return sorted({os.path.dirname(path) for place in places for path in glob.glob(place)})


def tree(packages, program):
    """The tree with these packages of this system's release; `program` of it, a path, can be run with libraries(tree)."""
    root = os.path.join(cache(), packages[0])
    if os.path.exists(root):
        return root
    making = root + ".new"
    shutil.rmtree(making, ignore_errors=True)
    os.makedirs(making)
    for package in packages:
        _fetch(package, making)
    for _ in range(ROUNDS):
        for library in _missing(os.path.join(making, program), making):
            _fetch(_package_of(library), making)
    if _missing(os.path.join(making, program), making):
        raise RuntimeError(f"{program} lacks {_missing(os.path.join(making, program), making)}")
    os.rename(making, root)
    return root
