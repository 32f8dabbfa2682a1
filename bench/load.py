"""Servers under test, and rows of measurements of them."""

import statistics
import subprocess
import time

import processes
from place import IS_ROOT, free_port, peer, peer_environment, wait_port
from postfix import smtp_source

SINK_US = 75  # of smtp-sink for a message of 1 KiB, on the machine that the targets are for
SINK_MESSAGES = 2000


class Server:
    """A server under test: a name, a port, and the processes that count as it."""

    name = None

    def pids(self):
        raise NotImplementedError

    def cpu_us(self):
        return sum(processes.cpu_ns(pid) for pid in self.pids()) / 1000

    def own_kb(self):
        total = 0
        for pid in self.pids():
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss_Anon:"))
        return total


def measure(server, load):
    """Runs load(port), which returns units of work. Returns: CPU us per unit, units per second."""
    before, start = server.cpu_us(), time.monotonic()
    units = load(server.port)
    seconds = time.monotonic() - start
    # A child that has just answered may not be reaped yet; its time would be missing.
    time.sleep(0.2)
    return (server.cpu_us() - before) / units, units / seconds


class Sink(Server):
    """Postfix's smtp-sink, which reads and forgets."""

    name = "smtp-sink"

    def __init__(self, *options):
        self.port = free_port()
        if IS_ROOT:
            options += ("-u", "nobody")
        self.process = subprocess.Popen(
            [peer("postfix", "usr/sbin/smtp-sink"), *options, "127.0.0.1:%d" % self.port, "1000"],
            env=peer_environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.port, process=self.process)

    def pids(self):
        return [self.process.pid]

    def stop(self):
        processes.end(self.process)


def message_load(size, many, sessions, messages):
    def load(port):
        options = ["-s", str(sessions), "-m", str(messages), "-l", str(size),
                   "-f", "sender@sender.example", "-t", "alice@example.com"]
        status, said = smtp_source(port, *options, *(["-d"] if many else []))
        if status != 0:
            raise SystemExit("smtp-source: " + said)
        return messages
    return load


def slowness(sink):
    """How much slower this machine is at this moment than the one that the targets are for."""
    return measure(sink, message_load(1024, False, 20, SINK_MESSAGES))[0] / SINK_US


def row(name, servers, load, targets, rounds, sink):
    """
    Measures one row for all servers in turns and prints it.
    In: targets, in us, of those servers that have one, on the machine that they are for; the first
    server is compared to the others; a Sink, which tells how fast this machine is.
    """
    results = {server.name: [] for server in servers}
    slow = []
    for _ in range(rounds):
        slow.append(slowness(sink))
        for server in servers:
            results[server.name].append(measure(server, load))
    cpu, rate = {}, {}
    for server, values in results.items():
        cpu[server] = statistics.median(value[0] for value in values)
        rate[server] = statistics.median(value[1] for value in values)
    cells = ["%8.1f us %8.0f/s" % (cpu[s.name], rate[s.name]) for s in servers]
    factor = statistics.median(slow)
    verdicts = ["%d us %s (%.0f)" % (target, "ok" if cpu[server] / factor < target else "OVER",
                                     cpu[server] / factor) for server, target in targets.items()]
    ratios = ["%s %.2f" % (s.name, cpu[servers[0].name] / cpu[s.name])
              for s in servers[1:] if cpu[s.name]]
    print("%-44s %s   target %-12s at %.2f   we cost: %s" %
          (name, "  ".join(cells), ", ".join(verdicts), factor, ", ".join(ratios)), flush=True)
