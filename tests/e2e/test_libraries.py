"""What validator has inside: recorded when it is linked, and told when the host has something newer."""

import os
import subprocess
import unittest

import messages
from backends import Scripted
from gatehouse import Gatehouse
from place import BUILD, TOP, Directory, program

RECORD = "libexec/gatehouse/validator.libraries"


def recorded():
    """The lines of the record of this build."""
    with open(os.path.join(BUILD, RECORD)) as f:
        return f.read().splitlines()


class Record(unittest.TestCase):
    def setUp(self):
        self.directory = Directory("libraries")
        self.addCleanup(self.directory.remove)

    def libraries(self, *flags, path=None):
        """What tools/libraries says of a program that uses libcrypto and libpsl, linked so."""
        source = self.directory.write("program.c", "int RAND_status(void);\nint psl_latest(void);\n"
                                      "int main(void) { return RAND_status() + psl_latest(); }\n")
        link_map = self.directory.join("map")
        subprocess.run([os.environ.get("CC", "cc"), "-o", self.directory.join("program"), source,
                        "-fno-builtin", "-Wl,-Map=" + link_map, *flags], check=True)
        environment = dict(os.environ, PATH=path or os.environ["PATH"])
        return subprocess.run([os.path.join(TOP, "tools/libraries"), link_map], check=True,
                              stdout=subprocess.PIPE, env=environment).stdout.decode().splitlines()

    def test_this_build(self):
        """It names what is inside as dpkg does: no less than these."""
        packages = {line.split()[0]: line for line in recorded()}
        for package in ("libc6-dev", "libssl-dev", "libspf2-dev", "libopendkim-dev", "libpsl-dev",
                        "libdb5.3-dev"):
            said = subprocess.run(
                ["dpkg-query", "-W", "-f",
                 "${Package} ${Version} ${source:Package} ${source:Version}", package],
                check=True, stdout=subprocess.PIPE).stdout.decode()
            self.assertEqual(packages.get(package), said)
        self.assertEqual([line for line in recorded() if line.startswith("#")], [])

    def test_only_what_is_inside(self):
        """Of shared libraries nothing; one that is inside; one that is given and not used."""
        self.assertEqual(self.libraries("-lcrypto", "-lpsl"), [])
        one = self.libraries("-l:libcrypto.a", "-lpsl", "-l:libmd.a")
        self.assertEqual([line.split()[0] for line in one], ["libssl-dev"])

    def test_of_no_package(self):
        """What lies beside the map is our own; else nobody can say whether there is a newer one."""
        elsewhere = Directory("elsewhere")
        self.addCleanup(elsewhere.remove)
        for directory, said in ((self.directory, []), (elsewhere, ["# %s is of no package"])):
            source = directory.write("psl.c", "int psl_latest(void) { return 0; }\n")
            member, archive = directory.join("psl.o"), directory.join("libpsl.a")
            subprocess.run([os.environ.get("CC", "cc"), "-c", "-o", member, source], check=True)
            subprocess.run(["ar", "rcs", archive, member], check=True)
            self.assertEqual(self.libraries("-lcrypto", archive),
                             [line % os.path.realpath(archive) for line in said])

    def test_without_dpkg(self):
        path = self.directory.make("bin")
        for name in ("sh", "realpath"):
            os.symlink("/usr/bin/" + name, os.path.join(path, name))
        self.assertEqual(self.libraries("-l:libcrypto.a", "-lpsl", path=path),
                         ["# made without dpkg-query: not known"])


class Told(unittest.TestCase):
    """The same programs with a record that is made up."""

    def setUp(self):
        self.directory = Directory("libraries")
        self.addCleanup(self.directory.remove)
        os.makedirs(self.directory.join("bin"))
        os.makedirs(self.directory.join("libexec/gatehouse"))
        # Where it lies is where the others are looked for: this one has to be a copy.
        with open(program("gatehouse"), "rb") as f:
            self.gatehouse = self.directory.write("bin/gatehouse", f.read())
        os.chmod(self.gatehouse, 0o755)
        for name in os.listdir(os.path.join(BUILD, "libexec/gatehouse")):
            if not name.endswith(".libraries"):
                os.symlink(program(name), self.directory.join("libexec/gatehouse", name))

    def check(self, gateway):
        done = subprocess.run([self.gatehouse, "-f", gateway.configuration, "check"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        return [line for line in done.stdout.decode().splitlines() if "inside" in line]

    def test_newer_ones(self):
        """By check, at the start and at each reload; the gateway takes mail as ever."""
        known = {line.split()[0]: line.split() for line in recorded()}
        here = known["libssl-dev"][3]
        lines = ["libssl-dev 0.9-1+b1 openssl 0.9-1" if line.startswith("libssl-dev ") else line
                 for line in recorded()]
        lines += ["libpast-dev 1-1 past 1-1", "# nothing", "libssl-dev 99:1 openssl 99:1"]
        self.directory.write(RECORD, "\n".join(lines) + "\n")
        with Scripted() as backend:
            gateway = Gatehouse(backend.port)
            gateway.program = self.gatehouse
            self.assertEqual(self.check(gateway), [
                "validator: warning: was built with libssl-dev 0.9-1+b1 inside, and this host has "
                "%s of openssl: build and install Gatehouse again" % here])
            with gateway:
                gateway.wait_event("library_outdated", program="validator", library="libssl-dev",
                                   inside="0.9-1+b1", source="openssl", here=here)
                self.assertEqual(gateway.tell("reload")[0], 0)
                gateway.wait_event("library_outdated", count=2)
                self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).code,
                                 250)
                self.assertEqual(len(gateway.events("library_outdated")), 2)

    def test_nothing_to_say(self):
        """With what is here, with a record that says nothing, and without one."""
        with Scripted() as backend:
            for record in ("\n".join(recorded()), "# made without dpkg-query: not known\n", None):
                path = self.directory.join(RECORD)
                if record is not None:
                    self.directory.write(RECORD, record)
                else:
                    os.unlink(path)
                gateway = Gatehouse(backend.port)
                gateway.program = self.gatehouse
                self.assertEqual(self.check(gateway), [])
                with gateway:
                    self.assertEqual(gateway.tell("status")[0], 0)
                    self.assertEqual(gateway.events("library_outdated"), [])


if __name__ == "__main__":
    unittest.main()
