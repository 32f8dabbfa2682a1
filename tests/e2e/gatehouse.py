"""A whole gateway in a temporary directory, on free loopback ports."""

import os
import re
import resource
import signal
import subprocess

import processes
from place import Directory, free_port, program, wait_until
from smtp import Client

HOSTNAME = "mx.gateway.example"

LIST = """\
alice@example.com
bob+*@example.com
carol@example.com
dave@example.com      reject="5.2.1 Mailbox disabled"
erin@example.com      defer="4.2.2 Mailbox full"
@catchall.example
postmaster@example.com
"""

PROGRAMS = ("smtpd", "tlsd", "tls-keys", "lookupd", "validators", "validator", "resolverd",
            "queue-handoff")


def numbered_users(count, domain="example.com"):
    """List lines for user1@ to user<count>@."""
    return "".join("user%d@%s\n" % (i, domain) for i in range(1, count + 1))


class Gatehouse:
    """
    In: backend, port of the QMQP server behind, or a dictionary of names and ports;
    recipients, the text of the list; options, a dictionary of options in the notation of the
    file, as "key", "section.key" or "section.title.key"; those of "backend" go into each of them; user, the number of an ordinary user to run as;
    host, a host.Host that it runs on.
    """

    def __init__(self, backend, recipients=LIST, options=None, user=None, files=None,
                 listen="127.0.0.1", host=None):
        self.directory = Directory("e2e")
        self.log_path = self.directory.join("log")
        self.listen = listen
        self.port = free_port(listen)
        self.backends = backend if isinstance(backend, dict) else {"main": backend}
        self.user = user
        self.files = files
        self.environment = None if host is None else host.environment
        self.program = program("gatehouse") if host is None else host.program
        self.process = None
        self.options = {
            "hostname": '"%s"' % HOSTNAME,
            "recipients": '"%s"' % self.directory.join("recipients.cdb"),
            "rundir": '"%s"' % self.directory.make("run"),
            "workers": 2,
            # Nobody answers there: a test that needs names brings its own server.
            "dns.servers": '{ "127.0.0.1:%d" }' % free_port(),
            "dns.timeout": 1,
            # All tests are one client, and some are many or make many mistakes.
            "limits.connections_per_client": 60000,
            "limits.connections_per_network": 60000,
            "limits.connections_per_minute": 1000000,
            "limits.commands_per_minute": 10000000,
            "limits.handshakes_per_minute": 1000000,
            "limits.unknown_per_hour": 1000000,
            "limits.delay": 0,
        }
        self.options.update(options or {})
        self.write_recipients(recipients)
        self.write_configuration()

    # ---- files

    @property
    def configuration(self):
        return self.directory.join("gatehouse.conf")

    def compile(self, recipients, name="recipients.cdb"):
        source = self.directory.write("list", recipients)
        done = subprocess.run([program("gatehouse-recipients"), "compile", "--force", "-o",
                               self.directory.join(name), "list:" + source],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()

    def write_recipients(self, recipients):
        self.compile(recipients)

    def write_configuration(self, text=None):
        if text is None:
            host = "[%s]" % self.listen if ":" in self.listen else self.listen
            lines = ['listen = { "%s:%d" }' % (host, self.port)]
            lines += self._options("")
            for name, port in self.backends.items():
                servers = ", ".join('"%s"' % s for s in self._servers(port))
                servers = servers and "\tservers = { %s }\n" % servers
                lines.append("backend %s {\n%s\tmessage_size = 104857600\n%s}" %
                             (name, servers, "".join("\t%s\n" % line
                                                     for line in self._options("backend."))))
            sections = {key.rpartition(".")[0] for key in self.options} - {"", "backend"}
            for section in sorted(sections):
                lines.append("%s {\n\t%s\n}" % (section.replace(".", " "),
                                                "\n\t".join(self._options(section + "."))))
            text = "\n".join(lines) + "\n"
        self.directory.write("gatehouse.conf", text)

    def _servers(self, ports):
        ports = ports if isinstance(ports, (list, tuple)) else [ports]
        return ["127.0.0.1:%d" % port for port in ports]

    def _options(self, prefix):
        return ["%s = %s" % (key[len(prefix):], value) for key, value in self.options.items()
                if key.startswith(prefix) and "." not in key[len(prefix):]]

    # ---- life

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.destroy()  # nobody would call __exit__
            raise

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.destroy()

    def start(self):
        def limit():
            if self.files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))

        earlier = len(self.events("ready"))
        if self.user is not None:
            self.directory.give_to(self.user)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-f", self.configuration, "run"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=self.environment, preexec_fn=limit, user=self.user, group=self.user,
                extra_groups=None if self.user is None else [])
        self.wait_event("ready", count=earlier + 1)
        return self

    @property
    def pid(self):
        """The supervisor."""
        return self.process.pid

    def wait_end(self, patience=None):
        wait_until(lambda: self.process.poll() is not None, "the end of the gateway", patience)
        return self.process.returncode

    def stop(self):
        """Ends the gateway as an operator would, and sees to it that nothing is left."""
        if self.process.poll() is None:
            processes.kill(self.pid, signal.SIGTERM)
        status = self.wait_end()
        left = processes.of_session(self.process.pid)
        self.destroy()
        assert status == 0, "the gateway ended with status %d" % status
        assert not left, "left behind: %s" % [(p, processes.name(p)) for p in left]

    def destroy(self):
        """Ends whatever there is."""
        if self.process is not None:
            processes.end(self.process, signal.SIGTERM)
            for pid in processes.of_session(self.process.pid):
                processes.kill(pid)
        self.directory.remove()

    def tell(self, verb):
        """gatehouse status, reload, stop. Returns exit status and output."""
        done = subprocess.run([program("gatehouse"), "-f", self.configuration, verb],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout.decode()

    # ---- programs

    def programs(self):
        """Living programs: a list of (name, pid); children of the zygote are not among them."""
        return [(processes.name(pid), pid) for pid in processes.children(self.pid)]

    def pids(self, name):
        return [pid for other, pid in self.programs() if other == name]

    def everything(self):
        """Pids of all processes of the gateway."""
        return processes.tree(self.pid)

    def kill(self, name, number=signal.SIGKILL):
        """Kills every process of that name. Returns their pids."""
        killed = self.pids(name)
        assert killed, "no process " + name
        for pid in killed:
            processes.kill(pid, number)
        return killed

    def wait_restarted(self, name, before):
        """Waits until as many new processes of that name serve as were killed."""

        def restarted():
            fresh = [pid for pid in self.pids(name) if pid not in before]
            serving = [line for line in self.events("started", by=name)
                       if int(line["by_pid"]) in fresh]
            return len(serving) >= len(before)

        wait_until(restarted, "the restart of " + name)

    # ---- log

    def log(self):
        try:
            with open(self.log_path, "rb") as f:
                return f.read().decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ""

    def events(self, name=None, **keys):
        """Log lines as dictionaries, those with this event and these values."""
        found = []
        for line in self.log().splitlines():
            fields = parse_line(line)
            if name is not None and fields.get("event") != name:
                continue
            if all(fields.get(key) == str(value) for key, value in keys.items()):
                found.append(fields)
        return found

    def wait_event(self, name, count=1, **keys):
        """Waits for the count-th such line and returns it."""

        def there():
            if self.process.poll() is not None:
                raise AssertionError("the gateway ended with status %s:\n%s" %
                                     (self.process.returncode, self.log()))
            found = self.events(name, **keys)
            return found if len(found) >= count else None

        return wait_until(there, "event=%s %s" % (name, keys))[count - 1]

    # ---- clients

    def client(self, ehlo=True, host_address=None, **options):
        client = Client(self.port, host=host_address or self.listen, **options)
        assert client.greeting is None or client.greeting.code == 220, client.greeting
        return client.ehlo() if ehlo and client.greeting else client

    def deliver(self, recipients, content, sender="sender@sender.example"):
        """A whole session with one message. Returns the last reply."""
        with self.client() as client:
            return client.deliver(sender, recipients, content)


LINE = re.compile(r"\S+ (?P<by>[a-z-]+)(?:/(?P<worker>\d+))?\[(?P<by_pid>\d+)\] (?P<pairs>.*)")
PAIR = re.compile(r'([A-Za-z0-9_]+)=("(?:[^"\\]|\\.)*"|\S*)')


def parse_line(line):
    """
    The keys of a log line, and who wrote it as `by`, `worker` and `by_pid`. Values in quotes keep
    their escapes.
    """
    whole = LINE.match(line)
    if whole is None:
        return {}
    fields = {key: value[1:-1] if value.startswith('"') else value
              for key, value in PAIR.findall(whole.group("pairs"))}
    fields.update(by=whole.group("by"), worker=whole.group("worker"), by_pid=whole.group("by_pid"))
    return fields
