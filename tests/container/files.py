#!/usr/bin/python3
"""The files of contrib/container agree with each other, with the source and with the programs: no container is made for this."""

import argparse
import glob
import json
import os
import re
import subprocess
import sys

import yaml

HERE = "contrib/container"
FAILED = []


def read(path):
    with open(path if "/" in path else os.path.join(HERE, path), encoding="utf-8") as file:
        return file.read()


def lines(path):
    """What a configuration says: key and value, of lines that are no comments."""
    return [tuple(part.strip() for part in line.split("=", 1)) for line in read(path).splitlines() if "=" in line and not line.startswith("#")]


def report(name, got, want):
    if got == want:
        print(f"ok {name}")
    else:
        FAILED.append(name)
        print(f"got {got!r}\nwanted {want!r}\nnot ok {name}")


def instructions(stage):
    """Those of a stage of the Containerfile: (word, rest)."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", read("Containerfile")))
    stages = re.split(r"(?m)^FROM ", text)
    found = next(one for one in stages if re.match(rf"\S+ AS {stage}\n", one))
    return [tuple(line.split(None, 1)) for line in found.splitlines()[1:] if line.strip()]


def of(stage, word):
    return [rest for one, rest in instructions(stage) if one == word]


def output(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60).stdout


def check_compose():
    compose = yaml.safe_load(read("compose.yaml"))
    services = compose["services"]
    for path in sorted(glob.glob(f"{HERE}/*/*.y*ml")):
        other = yaml.safe_load(read(path))
        used = {volume.split(":")[0] for one in other["services"].values() for volume in one.get("volumes", []) if not volume.startswith(".")}
        report(f"{path}: volumes that are used are declared", used, set(other["volumes"]))
        for name, one in other["services"].items():
            if one.get("image") == "mxcrypt":
                report(f"{path}: {name} has no rights, a read-only root, and volumes where the image wants them",
                       (one["read_only"], one["cap_drop"], one["security_opt"], {"/var/lib/mxcrypt", "/run/mxcrypt"} <= targets(one)),
                       (True, ["ALL"], ["no-new-privileges:true"], True))
    for name, one in services.items():
        report(f"compose.yaml: {name} has no rights and a read-only root", (one["read_only"], one["cap_drop"], one["security_opt"]),
               (True, ["ALL"], ["no-new-privileges:true"]))
        report(f"compose.yaml: {name}'s target is a stage", bool(instructions(one["build"]["target"])), True)
        stage = of(one["build"]["target"], "VOLUME")
        report(f"compose.yaml: {name}'s volumes are the image's", {volume.split(":")[1] for volume in one.get("volumes", []) if not volume.startswith(".")},
               set(json.loads(stage[0])) if stage else set())
        files = {volume.split(":")[0] for volume in one.get("volumes", []) if volume.startswith(".")}
        report(f"compose.yaml: {name}'s files are there", [path for path in files if not os.path.exists(os.path.join(HERE, path))], [])
    used = {volume.split(":")[0] for one in services.values() for volume in one.get("volumes", []) if not volume.startswith(".")}
    report("compose.yaml: volumes that are used are declared", used, set(compose["volumes"]))
    report("compose.yaml: volumes and the network have the project's name",
           {one["name"] for one in (*compose["volumes"].values(), *compose["networks"].values())},
           {f"{dict(lines('.env'))['COMPOSE_PROJECT_NAME']}_{one}" for one in (*compose["volumes"], *compose["networks"])})
    address = {name: one["networks"]["mail"]["ipv4_address"] for name, one in services.items()}
    subnet = compose["networks"]["mail"]["ipam"]["config"][0]["subnet"]
    report("resolv.conf names unbound", read("resolv.conf").split(), ["nameserver", address["unbound"]])
    report("unbound answers the network", f"access-control: {subnet} allow" in read("unbound.conf"), True)
    report("Postfix takes mail from the network", subnet in dict(lines("main.cf"))["mynetworks"], True)
    return services, address


def targets(service):
    return {volume.split(":")[1] for volume in service["volumes"]}


def check_port(address):
    port = of("mxcrypt", "EXPOSE")[0]
    for path in ("mxcryptd.conf", f"{HERE}/mailcow/mxcryptd.conf"):
        report(f"{path}: the port is the image's", dict(lines(path))["listen"], f"socketmap:inet:0.0.0.0:{port}")
    ours = f"socketmap:inet:{address['mxcryptd']}:{port}:policy"
    report("main.cf asks mxcryptd", dict(lines("main.cf"))["smtp_tls_policy_maps"], ours)
    report("docker-mailserver's lines are main.cf's", [line for line in lines("main.cf") if line[0].startswith("smtp_")],
           lines(f"{HERE}/docker-mailserver/postfix-main.cf"))
    other = yaml.safe_load(read(f"{HERE}/docker-mailserver/compose.override.yaml"))["services"]
    report("docker-mailserver: the addresses are compose.yaml's", {name: one["networks"]["mxcrypt"]["ipv4_address"] for name, one in other.items() if name in address},
           {name: address[name] for name in ("mxcryptd", "unbound")})
    cow = yaml.safe_load(read(f"{HERE}/mailcow/docker-compose.override.yml"))["services"]["mxcryptd-mailcow"]
    alias = cow["networks"]["mailcow-network"]["aliases"][0]
    report("mailcow's Postfix asks mxcryptd", dict(lines(f"{HERE}/mailcow/extra.cf"))["smtp_tls_policy_maps"].split()[-1], f"socketmap:inet:{alias}:{port}:policy")


def check_image(services):
    user = of("mxcrypt", "USER")[0]
    number = user.split(":", maxsplit=1)[0]
    made = " ".join(of("mxcrypt", "RUN"))
    report("the image's user is the one that is made, and owns the volumes", (f"--uid {number} --gid {number}" in made, made.count(f"-o {number} -g {number}")), (True, 2))
    health = of("mxcrypt", "HEALTHCHECK")[0]
    options = {key.replace("-", "_"): value for key, value in re.findall(r"--([a-z-]+)=(\S+)", health)}
    spec = dict(services["mxcryptd"]["healthcheck"])
    report("the health check of compose.yaml is the image's", (spec.pop("test")[1:], {key: str(value) for key, value in spec.items()}),
           (json.loads(health.split("CMD", 1)[1]), options))
    report("programs are started without a shell", [stage for stage in ("mxcrypt", "unbound", "postfix") if not of(stage, "ENTRYPOINT")[0].startswith("[")], [])
    rooms = set(re.findall(r"add_subdirectory\((\w+)\)", read("./CMakeLists.txt"))) - {"tests"}
    copied = {rest.split()[0] for rest in of("build", "COPY")}
    report("every folder that is built is copied", rooms - copied, set())
    report("what is copied is there", [one for rest in of("build", "COPY") for one in rest.split()[:-1] if not os.path.exists(one)], [])


def check_libraries(folder):
    if "VERSION_CODENAME=bookworm" not in read("/etc/os-release"):
        print("skip the image names the packages of all libraries: their names are those of Debian 12")
        return
    needed = set()
    for program in ("mxcryptd", "mxcrypt"):
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", os.path.join(folder, program))):
            path = re.search(rf"{re.escape(name)} => (\S+)", output("ldd", os.path.join(folder, program)))[1]
            owner = next(one for one in (output("dpkg-query", "-S", prefix + path) for prefix in ("", "/usr")) if ": " in one and "no path" not in one)
            needed.add(owner.split(":")[0])
    needed -= {"libc6", "libasan8", "libubsan1", "libgcc-s1"}
    named = set(next(rest for rest in of("mxcrypt", "ARG") if rest.startswith("LIBRARIES"))[len('LIBRARIES="'):-1].split())
    report("the image names the packages of all libraries, and no other", named, needed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    folder = parser.parse_args().bin
    services, address = check_compose()
    check_port(address)
    check_image(services)
    check_libraries(folder)
    for path in ("mxcryptd.conf", "mailcow/mxcryptd.conf"):
        report(f"{path} is valid", output(os.path.join(folder, "mxcryptd"), "-t", "-c", os.path.join(HERE, path)), "configuration: ok\n")
    sys.exit(1 if FAILED else 0)


main()
