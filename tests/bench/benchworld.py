"""What the benchmarks need: the tests' world in namespaces of its own, and figures about processes."""

import os
import shutil
import signal
import statistics
import sys
import tempfile
import traceback

WORLD = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "world")
sys.path.insert(0, WORLD)

import rooms  # noqa: E402 F401
import run as world_run  # noqa: E402  (the one in tests/world)
import world  # noqa: E402

NS_PER_S = 1_000_000_000
PRIORITY = -10  # what is measured goes before what else the machine does
AT_PRIORITY = ["nice", "-n", str(PRIORITY)] if os.getuid() == 0 else []


def cpu_s(pid):
    """Seconds of processor time of all threads, to the nanosecond."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / NS_PER_S


def new_daemon(the_world, name, options):
    """A daemon of the world with this priority, not started."""
    return the_world.new_daemon(name, options, AT_PRIORITY)


def place(pid, cpu):
    """Keeps all threads of a process on one processor, where there is more than one; all with the same priority."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        if len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(int(thread), {cpu})
        if os.getuid() == 0:
            os.setpriority(os.PRIO_PROCESS, int(thread), PRIORITY)


def machine_s():
    """Seconds of processor time spent by everybody."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(one) for one in file.readline().split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def median(values):
    return statistics.median(values)


def main(script, measure, options, time_limit_s):
    """Runs measure(world, options) inside; ends with its exit status, whatever happens within the time limit."""
    if world_run.INSIDE not in os.environ:
        world_run.enter_namespaces(script)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
    signal.alarm(time_limit_s)
    folder = tempfile.mkdtemp(prefix="mxb")
    os.chmod(folder, 0o755)
    status = 1
    try:
        status = measure(world.World(folder, options.bin, {"main": {}}), options)
    except Exception:
        traceback.print_exc()  # os._exit shows none
    finally:
        sys.stdout.flush()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(status)
