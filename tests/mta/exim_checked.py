"""What `mxcrypt exim-config` says: nothing of contrib/exim as it is, and of each change that lets mail go where it must not, or lets
it come back, what is wrong."""

import pathlib
import re

LAYOUTS = ("split", "unsplit", "plain")
RESOLV_CONF = pathlib.Path("/etc/resolv.conf")
# what is changed in which file, and what is said of it
CHANGES = (
    ("transports", r"^(mxcrypt_encrypt:\n(?:.*\n){2})  hosts_require_tls = \*", r"\1  hosts_require_tls =", "mxcrypt_encrypt: hosts_require_tls is"),
    ("transports", r"tls_verify_cert_hostnames = \*", "tls_verify_cert_hostnames =", "mxcrypt_verify: tls_verify_cert_hostnames is"),
    ("transports", r"tls_verify_certificates = system", "tls_verify_certificates =", "mxcrypt_verify has no tls_verify_certificates"),
    ("transports", r"tls_verify_certificates = /dev/null", "tls_verify_certificates = system", "mxcrypt_dane_only: tls_verify_certificates is"),
    ("transports", r"(mxcrypt_dane:(?:\n.*){2})", r"\1\n  hosts_avoid_tls = *", "mxcrypt_dane: hosts_avoid_tls is"),
    ("smtp", r"driver = smtp", "driver = smtp\n  fallback_hosts = mx.elsewhere.example", "fallback_hosts is"),
    ("smtp", r"driver = smtp", "driver = smtp\n  hosts_require_dane = *", "hosts_require_dane is"),
    ("routers", r"allow_defer\n  condition", "condition", ""),  # Exim itself refuses to use it, at the first mail
    ("routers", r"condition = \$\{if !eq\{.*", "condition = yes", "mxcrypt_send: condition is"),
    ("routers", r"ignore_target_hosts = .*", "ignore_target_hosts = MXCRYPT_IGNORE", "mxcrypt_send: ignore_target_hosts has no"),
    ("routers", r"more = .*", "more", "mxcrypt_send: more is"),
    ("routers", r"no_verify_sender", "no_verify", "verify_recipient is"),
    ("routers", r"^mxcrypt_unmatched:", "unmatched:", "there is no router mxcrypt_unmatched"),
    ("routers", r"^mxcrypt_ask:", "early:\n  driver = dnslookup\n  transport = remote_smtp\n\nmxcrypt_ask:",
     "router early (dnslookup) is in front of mxcrypt_ask"),
    ("macros", r"^MXCRYPT_SOCKET = .*", "MXCRYPT_SOCKET = /run/elsewhere", "MXCRYPT_SOCKET is /run/elsewhere"),
    ("retry", r"^\*  \*", "signed  *", "there is no retry rule for all domains"),
)


def _said(them, *more):
    done = them.daemon.cli("exim-config", "--exim", them.exim.program, *more, timeout=120)
    return done.returncode, done.stdout + done.stderr


def check(them):
    """Exim asks at the daemon's own socket here."""
    socket = f"{them.daemon.folder}/exim.sock"
    for layout in LAYOUTS:
        them.exim.layout = layout
        them.exim.install(socket)
        them.check(f"exim-config --check, {layout}: nothing", _said(them, "--check"), (0, "no fault found in 8 checks\n"))
    for file, regex, new, said in CHANGES:
        _changed(them, socket, file, regex, new, said)
    _surroundings(them, socket)
    _lines(them, socket)


def _changed(them, socket, file, regex, new, said):
    them.exim.install(socket, changes={file: [(regex, new)]})
    status, text = _said(them, "--check")
    warning = "in front of" in said
    them.check(f"exim-config --check: {said or 'no allow_defer'}", status == (1 if warning else 2) and (said or "allow_defer is") in text or text, True)


def _surroundings(them, socket):
    them.exim.install(socket)
    resolv_conf = RESOLV_CONF.read_text(encoding="ascii")
    RESOLV_CONF.write_text(resolv_conf.replace("trust-ad", ""), encoding="ascii")
    them.check("exim-config --check: no trust-ad", "error dnssec: Exim does not see" in _said(them, "--check")[1], True)
    RESOLV_CONF.write_text(resolv_conf, encoding="ascii")
    conf = pathlib.Path(them.exim.conf)
    text = conf.read_text(encoding="utf-8")
    conf.write_text(text.replace("dns_dnssec_ok = 1\n", ""), encoding="utf-8")
    them.check("exim-config --check: dns_dnssec_ok", "error dnssec: dns_dnssec_ok is" in _said(them, "--check")[1], True)
    conf.write_text(text + "\nnonsense\n", encoding="utf-8")
    status, said = _said(them, "--check")
    them.check("exim-config --check: a configuration that Exim refuses", status == 70 and "-bV: " in said or said, True)
    conf.write_text(text, encoding="utf-8")
    pathlib.Path(socket).chmod(0o600)
    them.check("exim-config --check: a socket for root only", "error socket: asked as user Debian-exim" in _said(them, "--check")[1], True)
    pathlib.Path(socket).chmod(0o666)
    done = them.daemon.cli("-o", f"listen=socketmap:unix:{socket}", "exim-config", "--exim", them.exim.program, "--check")
    them.check("exim-config --check: no listener", "error listen: mxcryptd.conf has no listener for Exim" in done.stdout, True)


def _lines(them, socket):
    """What is printed can be used as it is."""
    them.exim.layout = "split"
    them.exim.install(socket)
    status, text = _said(them)
    them.check("exim-config: where to put it", status == 0 and ">router/160_mxcrypt" in text, True)
    them.exim.install(socket, macros=text)
    them.check("exim-config: its lines are good", _said(them, "--check"), (0, "no fault found in 8 checks\n"))
    debian = pathlib.Path("/etc/exim4/update-exim4.conf.conf")
    debian.write_text(re.sub(r"='internet'", "='smarthost'", debian.read_text(encoding="ascii")).replace(
        "dc_smarthost=''", "dc_smarthost='smart.signed::587'"), encoding="ascii")
    status, text = _said(them)
    them.check("exim-config: a smarthost", "MXCRYPT_SMARTHOST = smart.signed\nMXCRYPT_PORT = 587\n" in text, True)
    them.check("exim-config: no such program", them.daemon.cli("exim-config", "--exim", "/nonexistent/exim").returncode, 70)
    _strange_programs(them)


def _strange_programs(them):
    """What is no Exim: one that fails, one that tells its version and then prints without an end."""
    path, asked = (pathlib.Path(them.exim.folder, name) for name in ("strange", "strange.asked"))
    for text, said, count in (("printf 'no \\033[31mExim\\n'; exit 1", f"mxcrypt: {path} -bV: no \\x1b[31mExim\n", 1),
                              ("[ $1 != -bV ] || exec echo 'Exim version 4.96'; exec yes", f"mxcrypt: {path} -bP: {path} prints too much\n", 2)):
        path.write_text(f"#!/bin/sh\necho >>{asked}\n{text}\n", encoding="ascii")
        path.chmod(0o755)
        asked.write_text("", encoding="ascii")
        done = them.daemon.cli("exim-config", "--check", "--exim", str(path))
        them.check(f"exim-config: a program that says {said[-20:-1]}", (done.returncode, done.stderr, len(asked.read_text(encoding="ascii"))), (70, said, count))
