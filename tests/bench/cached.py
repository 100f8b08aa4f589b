"""A domain that is cached, and a server of it under load."""

import json
import os
import subprocess
import time

import benchworld  # puts tests/world on the path

import clients
import policyhost

DOMAIN = "bench.plain"
REPLY = f"OK secure match=mx.{DOMAIN} servername=hostname"
SERVER_CPU, LOAD_CPU = 0, 1
WARM_UP_S = 1


class Subject:
    """A server under load."""

    def __init__(self, name, target, process):
        self.name, self.target, self.process = name, target, process
        self.rounds = []
        benchworld.place(process.pid, SERVER_CPU)

    def ask(self):
        kind, where = self.target.split(":", 1)
        with clients.Socketmap(where if kind == "unix" else (where.split(":")[0], int(where.split(":")[1]))) as connection:
            return connection.ask(DOMAIN)

    def measure(self, options):
        command = [os.path.join(options.bin, "bench_load"), "-c", str(options.connections), "-s", str(options.seconds),
                   "-w", str(WARM_UP_S), self.target, "policy", DOMAIN]
        before, machine, began = benchworld.cpu_s(self.process.pid), benchworld.machine_s(), time.monotonic()
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        benchworld.place(load.pid, LOAD_CPU)
        out, _ = load.communicate()
        if load.returncode != 0:
            raise RuntimeError(f"the load on {self.name} failed")
        figures = json.loads(out)
        spent = benchworld.cpu_s(self.process.pid) - before
        figures["server_cpu_us"] = spent / figures["all"] * 1e6
        others = benchworld.machine_s() - machine - spent - figures["load_cpu_s"]
        figures["foreign_cpu"] = max(0.0, others / (time.monotonic() - began) / os.cpu_count())
        if REPLY not in figures["reply"] or figures["others"]:
            raise RuntimeError(f"{self.name} answered {figures['reply']!r}, {figures['others']} times something else")
        self.rounds.append(figures)

    def median(self, field):
        return benchworld.median([one[field] for one in self.rounds])

    def ratio_to(self, floor, field="rate"):
        return benchworld.median([one[field] / other[field] for one, other in zip(self.rounds, floor.rounds)])


def beside(plain, other, options):
    """Two daemons, (name, daemon) each, under the same load in alternating rounds: the ratios of the other to the plain one, of lookups
    per second and of lookups per second of the server's CPU."""
    subjects = [Subject(name, f"unix:{one.socket}", one.process) for name, one in (plain, other)]
    for one in subjects:
        one.ask()
    for number in range(options.rounds):
        for one in subjects if number % 2 == 0 else subjects[::-1]:
            one.measure(options)
    for one in subjects:
        print(f"{one.name:20}{one.median('rate'):>11.0f} lookups/s{one.median('server_cpu_us'):>8.2f} us of CPU{one.median('p99_us'):>8.0f} us p99")
    return subjects[1].ratio_to(subjects[0]), 1 / subjects[1].ratio_to(subjects[0], "server_cpu_us")


def declare(the_world):
    the_world.dns.add(DOMAIN, "@ MX 10 mx", "mx A 198.18.0.1", '_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {the_world.policy_address}")
    leaf = the_world.ca.leaf(f"mta-sts.{DOMAIN}")
    the_world.policies.host(f"mta-sts.{DOMAIN}", the_world.ca.server_context(leaf), policyhost.Policy(policyhost.sts_text(f"mx.{DOMAIN}")))
    the_world.dns.start()
