"""
The walls between the programs, proved on the running processes: what an attacker who runs code
in one of them could ask of the kernel is refused.

inject.c makes a process do the system calls. The kernel's answer must be the end of the process
(SIGSYS) or, where a program needs a call of that kind for itself, an error.
"""

import os
import subprocess
import unittest

import messages
import processes
from backends import Scripted
from dkim import Signer
from gatehouse import PROGRAMS, Gatehouse
from place import Directory, IS_ROOT, helper, wait_until
from smtp import stuff
from test_tls import certificate

# What nobody may do.
FORBIDDEN = ("open", "create", "socket-unix", "socket-netlink", "listen", "execve",
             "namespace", "unshare", "ptrace", "read-memory", "setuid", "chroot", "mount",
             "map-code", "io-uring", "bpf")
# What only those may do whose work it is.
NETWORK = {"socket-inet": ("queue-handoff", "resolverd"),
           "socket-inet6": ("queue-handoff", "resolverd"),
           "connect": ("queue-handoff", "resolverd"),
           "bind": ("resolverd",)}
FORK = {"fork": ("validator",), "thread": ("validator",), "kill": ("validator",)}

NOT_HERE = 77


def inject(pid, call, other=1):
    """Returns: what the kernel did, as "signal SYS", "error EPERM", "done 3"."""
    done = subprocess.run([helper("tests/e2e/inject.c"), str(pid), call, str(other)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if done.returncode == NOT_HERE:
        raise unittest.SkipTest("this machine does not let processes be traced: " +
                                done.stderr.decode())
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


class Running(unittest.TestCase):
    """A gateway with all its programs for each test."""

    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("tls")
        cls.backend = Scripted()
        cls.options = certificate(cls.directory, "ecdsa")

    @classmethod
    def tearDownClass(cls):
        cls.backend.stop()
        cls.directory.remove()

    def gateway(self):
        return Gatehouse(self.backend.port, options=self.options)

    def one_of_each(self, gateway):
        found = dict((name, pid) for name, pid in gateway.programs())
        self.assertEqual(set(found), set(PROGRAMS))
        return found


class Injected(Running):
    """System calls that an attacker would like to do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        gateway = Gatehouse(cls.backend.port).start()
        try:
            inject(gateway.pids("lookupd")[0], "getpid")
        except unittest.SkipTest:
            cls.tearDownClass()
            raise
        finally:
            gateway.destroy()

    def check_dead(self, call, programs):
        """In each program, the call is its end."""
        gateway = self.gateway().start()
        try:
            pids = self.one_of_each(gateway)
            for name in programs:
                with self.subTest(call=call, program=name):
                    self.assertEqual(inject(pids[name], call, gateway.pid), "signal SYS")
            for name in programs:
                gateway.wait_event("program_died", program=name, signal="SYS")
                gateway.wait_restarted(name, [pids[name]])
        finally:
            gateway.destroy()

    def test_probe_works(self):
        """The probe itself: an allowed call gives its result, and the process goes on."""
        gateway = self.gateway().start()
        try:
            for name, pid in self.one_of_each(gateway).items():
                self.assertEqual(inject(pid, "getpid"), "done %d" % pid, name)
            self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).code, 250)
        finally:
            gateway.destroy()

    def test_forbidden_to_all(self):
        for call in FORBIDDEN:
            self.check_dead(call, PROGRAMS)

    def test_network(self):
        for call, allowed in NETWORK.items():
            self.check_dead(call, [name for name in PROGRAMS if name not in allowed])

    def test_processes(self):
        for call, allowed in FORK.items():
            self.check_dead(call, [name for name in PROGRAMS if name not in allowed])

    def test_signals_reach_nobody_else(self):
        """A program may signal itself at most; only the zygote may signal, and only its children."""
        gateway = self.gateway().start()
        try:
            pids = self.one_of_each(gateway)
            # By their users: the filter does not know who is a child.
            if IS_ROOT:
                for call in ("kill", "tgkill"):
                    self.assertEqual(inject(pids["validator"], call, pids["smtpd"]), "error EPERM")
            for name in PROGRAMS:
                if name != "validator":
                    with self.subTest(name):
                        self.assertEqual(inject(pids[name], "tgkill", gateway.pid), "signal SYS")
        finally:
            gateway.destroy()

    def test_child_of_one_message(self):
        """The process that judges a message, while it waits for a name that does not come."""
        signer = Signer(self.directory, "sender.example")
        message = signer.sign(messages.simple())
        for call in ("open", "socket-inet", "execve", "fork", "kill", "ptrace"):
            gateway = self.gateway()
            gateway.options["dns.timeout"] = 20
            gateway.write_configuration()
            gateway.start()
            try:
                zygote, = gateway.pids("validator")
                with gateway.client() as client:
                    client.envelope("s@sender.example", ["alice@example.com"])
                    client.command("DATA")
                    client.send(stuff(message))
                    child = wait_until(lambda: processes.children(zygote), "a child")[0]
                    with self.subTest(call):
                        self.assertEqual(inject(child, call, zygote), "signal SYS")
                        self.assertEqual(client.reply().status, "451 4.3.0")
            finally:
                gateway.destroy()


class Told(Running):
    """What /proc says of each program."""

    def test_what_the_kernel_says(self):
        """Users, privileges, filter, root directory, limits of every program."""
        gateway = self.gateway().start()
        try:
            users = {}
            for name, pid in self.one_of_each(gateway).items():
                with self.subTest(name):
                    status = processes.status(pid)
                    self.assertEqual(status["NoNewPrivs"], "1")
                    self.assertEqual(status["Seccomp"], "2")
                    for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                        self.assertEqual(int(status[which], 16), 0, which)
                    self.assertEqual(len(set(status["Uid"].split())), 1)
                    self.assertEqual(len(set(status["Gid"].split())), 1)
                    users[name] = (status["Uid"].split()[0], status["Gid"].split()[0])
                    if IS_ROOT:
                        self.check_as_root(name, pid, status)
            if IS_ROOT:
                self.assertEqual(len(set(users.values())), len(users), users)
                self.assertNotIn(("0", "0"), users.values())
        finally:
            gateway.destroy()

    @unittest.skipUnless(IS_ROOT, "only root may look into confined processes")
    def test_no_memory_is_written_and_run(self):
        """Of any program; validator's own code is all there is of it, in huge pages or in its file."""
        gateway = self.gateway().start()
        try:
            for name, pid in self.one_of_each(gateway).items():
                code = [m for m in processes.mappings(pid) if "x" in m.rights]
                with self.subTest(name):
                    self.assertTrue(code)
                    self.assertEqual([m for m in code if "w" in m.rights], [])
                if name == "validator":
                    own = [m for m in code if not m.what.startswith("[")]
                    self.assertEqual(len(own), 1, own)
                    self.assertEqual(own[0].huge == own[0].size, own[0].what == "", own)
        finally:
            gateway.destroy()

    def check_as_root(self, name, pid, status):
        self.assertEqual(status["Groups"].strip(), "")
        self.assertEqual(os.listdir("/proc/%d/root/" % pid), [])
        self.assertFalse(os.access("/proc/%d/root/" % pid, os.W_OK) and
                         os.stat("/proc/%d/root/" % pid).st_uid != 0)
        # Not dumpable: its directory in /proc belongs to root although the process does not.
        self.assertEqual(os.stat("/proc/%d/mem" % pid).st_uid, 0)
        with open("/proc/%d/environ" % pid, "rb") as f:
            self.assertEqual(f.read(), b"LD_BIND_NOW=1\0")  # nothing of the operator's
        with open("/proc/%d/limits" % pid) as f:
            limits = f.read()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        for number in os.listdir("/proc/%d/fd" % pid):
            target = os.readlink("/proc/%d/fd/%s" % (pid, number))
            self.assertRegex(target, r"^(/dev/null|socket:|pipe:|anon_inode:|/memfd:)",
                             "%s holds %s" % (name, target))


class Sockets(unittest.TestCase):
    """What the network sees."""

    def test_only_the_listed_port_listens(self):
        """No program listens on anything but what the configuration lists."""
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            gateway.deliver(["alice@example.com"], messages.simple())
            if not IS_ROOT:
                self.skipTest("needs root to look at the sockets of confined processes")
            ours = set()
            for pid in gateway.everything():
                for number in os.listdir("/proc/%d/fd" % pid):
                    try:
                        ours.add(os.readlink("/proc/%d/fd/%s" % (pid, number)))
                    except FileNotFoundError:
                        pass
            ports = set()
            for table in ("tcp", "tcp6"):
                with open("/proc/net/" + table) as f:
                    for line in list(f)[1:]:
                        fields = line.split()
                        if fields[3] == "0A" and "socket:[%s]" % fields[9] in ours:
                            ports.add(int(fields[1].split(":")[1], 16))
            self.assertEqual(ports, {gateway.port})


if __name__ == "__main__":
    unittest.main()
