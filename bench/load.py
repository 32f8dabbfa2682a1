"""Servers under test, and rows of measurements of them."""

import statistics
import time

import processes


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


def row(name, servers, load, targets, rounds):
    """
    Measures one row for all servers in turns and prints it.
    In: targets, in us, of those servers that have one; the first server is compared to the others.
    """
    results = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            results[server.name].append(measure(server, load))
    cpu, rate = {}, {}
    for server, values in results.items():
        cpu[server] = statistics.median(value[0] for value in values)
        rate[server] = statistics.median(value[1] for value in values)
    cells = ["%8.1f us %8.0f/s" % (cpu[s.name], rate[s.name]) for s in servers]
    verdicts = ["%d us %s" % (target, "ok" if cpu[name] < target else "OVER")
                for name, target in targets.items()]
    ratios = ["%s %.2f" % (s.name, cpu[servers[0].name] / cpu[s.name])
              for s in servers[1:] if cpu[s.name]]
    print("%-44s %s   target %-12s   we cost: %s" %
          (name, "  ".join(cells), ", ".join(verdicts), ", ".join(ratios)), flush=True)
