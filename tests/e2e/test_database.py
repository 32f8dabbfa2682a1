"""The recipients' database while the gateway runs: new ones, bad ones, none."""

import os
import subprocess
import unittest

import messages
from backends import Scripted
from gatehouse import LIST, Gatehouse
from place import needs_root, program, wait_until


class Database(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = Scripted()

    @classmethod
    def tearDownClass(cls):
        cls.backend.stop()

    def setUp(self):
        self.gateway = Gatehouse(self.backend.port, options={"limits.junk": 1000}).start()
        self.addCleanup(self.gateway.destroy)

    def answer(self, client, recipient):
        client.command("RSET")
        return client.envelope("s@sender.example", [recipient])[1].status

    def taken(self):
        return len(self.gateway.events("file_taken", by="gatehouse", kind="recipients"))

    def replace(self, octets):
        """Puts these octets in the place of the database, by rename."""
        self.gateway.directory.write("recipients.cdb", octets)

    def current(self):
        with open(self.gateway.directory.join("recipients.cdb"), "rb") as f:
            return f.read()

    def wait_rejected(self, count):
        self.gateway.wait_event("file_rejected", kind="recipients", count=count)

    def test_row_269_new_file_without_a_restart(self):
        """The sessions that are open see the new users, and are not dropped."""
        before = self.gateway.programs()
        with self.gateway.client() as first, self.gateway.client() as second:
            self.assertEqual(self.answer(first, "new@example.com"), "550 5.1.1")
            second.envelope("s@sender.example", ["alice@example.com"])
            had = self.taken()
            self.gateway.compile(LIST + "new@example.com\n")
            wait_until(lambda: self.taken() > had, "the new database")
            self.assertEqual(self.answer(first, "new@example.com"), "250 2.1.5")
            # A transaction that began before goes on.
            self.assertEqual(second.data(messages.simple()).code, 250)
        self.assertEqual(self.gateway.programs(), before)

    def data_over_a_change(self, recipients, after):
        """Accepted recipients; a new database before the end of data. Returns the reply to it."""
        with self.gateway.client() as client:
            for reply in client.envelope("s@sender.example", recipients):
                self.assertEqual(reply.code, 250)
            self.assertEqual(client.command("DATA").code, 354)
            client.send(b"Subject: x\r\n\r\nfirst line\r\n")
            had = self.taken()
            self.gateway.compile(after)
            wait_until(lambda: self.taken() > had, "the new database")
            client.send(b".\r\n")
            return client.reply()

    def test_row_F44_user_removed_before_the_end_of_data(self):
        reply = self.data_over_a_change(["alice@example.com"], "bob@example.com\n")
        self.assertEqual(reply.status, "550 5.1.1")

    def test_row_F44_one_of_two_users_removed_before_the_end_of_data(self):
        reply = self.data_over_a_change(["alice@example.com", "carol@example.com"],
                                        "carol@example.com\n")
        self.assertEqual(reply.status, "451 4.3.0")

    def test_row_F38_still_accepted_at_the_end_of_data(self):
        reply = self.data_over_a_change(["alice@example.com", "carol@example.com"],
                                        LIST + "new@example.com\n")
        self.assertEqual(reply.status, "250 2.0.0")

    def test_row_F44_user_removed(self):
        with self.gateway.client() as client:
            had = self.taken()
            self.gateway.compile("bob@example.com\n")
            wait_until(lambda: self.taken() > had, "the new database")
            self.assertEqual(self.answer(client, "alice@example.com"), "550 5.1.1")

    def test_row_263_264_265_bad_file_keeps_the_old(self):
        good = self.current()
        bad = {
            "nothing": b"",
            "2047 octets": b"\0" * 2047,
            "an empty cdb": b"\0\x08\0\0\0\0\0\0" * 256,
            "cut": good[:-10],
            "half": good[:len(good) // 2],
            "no database": b"x" * len(good),
            "one octet": good[:len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) +
            good[len(good) // 2 + 1:],
        }
        with self.gateway.client() as client:
            for count, (name, octets) in enumerate(bad.items(), 1):
                with self.subTest(name):
                    self.replace(octets)
                    self.wait_rejected(count)
                    self.assertEqual(self.answer(client, "alice@example.com"), "250 2.1.5")
                    self.assertEqual(self.answer(client, "nobody@example.com"), "550 5.1.1")
            had = self.taken()
            self.replace(good)
            wait_until(lambda: self.taken() > had, "the good database again")

    def test_row_266_truncated_in_place(self):
        """What is served is not the file: a truncation does not reach it."""
        with self.gateway.client() as client:
            os.truncate(self.gateway.directory.join("recipients.cdb"), 100)
            for _ in range(20):
                self.assertEqual(self.answer(client, "alice@example.com"), "250 2.1.5")
            self.wait_rejected(1)
            self.assertEqual(self.answer(client, "alice@example.com"), "250 2.1.5")

    def test_row_F40_restart_with_a_bad_file(self):
        """lookupd starts anew and finds a damaged file: trouble, never "unknown user"."""
        good = self.current()
        self.replace(good[:-10])
        self.wait_rejected(1)
        before = self.gateway.kill("lookupd")
        self.gateway.wait_restarted("lookupd", before)
        with self.gateway.client() as client:
            wait_until(lambda: self.answer(client, "alice@example.com") == "451 4.4.3", "451 4.4.3")
            self.assertEqual(self.answer(client, "nobody@example.com"), "451 4.4.3")
            self.replace(good)
            wait_until(lambda: self.answer(client, "alice@example.com") == "250 2.1.5",
                       "the good database")

    def test_row_275_writable_by_others(self):
        os.chmod(self.gateway.directory.join("recipients.cdb"), 0o666)
        before = self.gateway.kill("lookupd")
        self.gateway.wait_restarted("lookupd", before)
        self.gateway.wait_event("recipients_refused")
        with self.gateway.client() as client:
            wait_until(lambda: self.answer(client, "alice@example.com") == "451 4.4.3", "451 4.4.3")
            os.chmod(self.gateway.directory.join("recipients.cdb"), 0o644)
            wait_until(lambda: self.answer(client, "alice@example.com") == "250 2.1.5", "250 2.1.5")

    @needs_root
    def test_row_F42_wrong_owner(self):
        """A file that a program of the gateway, or somebody else, put there."""
        path = self.gateway.directory.join("recipients.cdb")
        good = self.current()
        other = self.gateway.directory.write("other", good)
        os.chown(other, 65533, 65533)
        os.rename(other, path)
        event = self.gateway.wait_event("recipients_refused")
        self.assertIn("belongs to neither", event["reason"])
        with self.gateway.client() as client:
            self.assertEqual(self.answer(client, "alice@example.com"), "250 2.1.5")
            before = self.gateway.kill("lookupd")
            self.gateway.wait_restarted("lookupd", before)
            wait_until(lambda: self.answer(client, "alice@example.com") == "451 4.4.3", "451 4.4.3")

    def test_row_262_missing_at_the_start(self):
        """check and run say what is wrong."""
        os.unlink(self.gateway.directory.join("recipients.cdb"))
        status, said = self.gateway.tell("check")
        self.assertNotEqual(status, 0)
        self.assertIn("recipients.cdb", said)

    def test_row_F41_interrupted_compile(self):
        """A compiler that is killed leaves the old file."""
        good = self.current()
        source = self.gateway.directory.write(
            "big", "".join("u%d@example.com\n" % i for i in range(200000)))
        process = subprocess.Popen(
            [program("gatehouse-recipients"), "compile", "-o",
             self.gateway.directory.join("recipients.cdb"), "list:" + source],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.kill()
        process.wait()
        self.assertEqual(self.current(), good)


class Guards(unittest.TestCase):
    """What is missing from a new database was not meant to be missing."""

    THIRTY = "".join("user%d@example.com\n" % i for i in range(30))

    def compile(self, gateway, text, *options):
        source = gateway.directory.write("list", text)
        return subprocess.run([program("gatehouse-recipients"), "compile", *options, "-o",
                               gateway.directory.join("recipients.cdb"), "list:" + source],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_row_264_shrunken(self):
        with Scripted() as backend, \
                Gatehouse(backend.port, recipients=self.THIRTY) as gateway:
            refused = self.compile(gateway, "user0@example.com\n")
            self.assertEqual(refused.returncode, 78, refused.stdout)
            self.assertIn("29 of 30 in example.com", refused.stdout)
            # One that was made elsewhere, where nobody could compare.
            elsewhere = gateway.directory.join("elsewhere.cdb")
            source = gateway.directory.write("list", "user0@example.com\n")
            subprocess.run([program("gatehouse-recipients"), "compile", "-o", elsewhere,
                            "list:" + source], check=True, stderr=subprocess.DEVNULL)
            os.rename(elsewhere, gateway.directory.join("recipients.cdb"))
            gateway.wait_event("file_rejected", kind="recipients")
            with gateway.client() as client:
                self.assertEqual(
                    client.envelope("s@sender.example", ["user7@example.com"])[1].code, 250)

    def test_row_F42_restarted_with_a_bad_file(self):
        """The one before answers, and says so."""
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            gateway.compile(LIST)
            self.assertTrue(os.path.exists(gateway.directory.join("recipients.cdb.prev")))
            gateway.directory.write("recipients.cdb", b"x" * 5000)
            gateway.wait_event("file_rejected", kind="recipients")
            before = gateway.kill("lookupd")
            gateway.wait_restarted("lookupd", before)
            gateway.wait_event("database_previous")
            with gateway.client() as client:
                self.assertEqual(
                    client.envelope("s@sender.example", ["alice@example.com"])[1].code, 250)


class Mapped(unittest.TestCase):
    """A database that is too large to be copied, in several parts."""

    def test_row_F39_mapped_in_service(self):
        with Scripted() as backend, Gatehouse(backend.port, options={
                "limits.junk": 1000, "limits.recipients_memory": 65536}) as gateway:
            source = gateway.directory.write(
                "list", LIST + "".join("u%d@example.com\n" % i for i in range(20000)))
            path = gateway.directory.join("recipients.cdb")
            had = len(gateway.events("database_taken"))
            subprocess.run([program("gatehouse-recipients"), "compile", "--force",
                            "--shard-size", "200000", "-o", path, "list:" + source],
                           check=True, stderr=subprocess.DEVNULL)
            with open(path, "rb") as f:
                self.assertIn(b"GHRCPTS\n", f.read()[-48:])
            wait_until(lambda: len(gateway.events("database_taken")) > had, "the new database")
            with gateway.client() as client:

                def status(recipient):
                    client.command("RSET")
                    return client.envelope("s@sender.example", [recipient])[1].status

                for i in range(0, 20000, 997):
                    self.assertEqual(status("u%d@example.com" % i), "250 2.1.5")
                self.assertEqual(status("u20001@example.com"), "550 5.1.1")
                os.truncate(path, 5000)
                self.assertEqual(status("u7@example.com"), "451 4.4.3")
                self.assertEqual(status("u20001@example.com"), "451 4.4.3")


class Overlay(unittest.TestCase):
    """Changes of single addresses between two compiles."""

    def tell(self, gateway, *words, status=0):
        done = subprocess.run([program("gatehouse-recipients"), words[0], "-d",
                               gateway.directory.join("recipients.cdb"), *words[1:]],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def test_overlay(self):
        with Scripted() as backend, \
                Gatehouse(backend.port, options={
                    "limits.junk": 100000, "limits.unknown_recipients": 10000}) as gateway, \
                gateway.client() as client:

            def wait_status(recipient, status):
                def there():
                    client.command("RSET")
                    return client.envelope("s@sender.example", [recipient])[1].status == status
                wait_until(there, "%s for %s" % (status, recipient))

            wait_status("new@example.com", "550 5.1.1")
            self.tell(gateway, "add", "new@example.com", "class=vip")
            wait_status("new@example.com", "250 2.1.5")
            self.tell(gateway, "remove", "alice@example.com")
            wait_status("alice@example.com", "550 5.1.1")
            self.tell(gateway, "defer", "carol@example.com", "4.2.1 Being moved")
            wait_status("carol@example.com", "451 4.2.1")
            self.assertIn("does not serve",
                          self.tell(gateway, "add", "x@foreign.example", status=78))
            self.tell(gateway, "remove", "postmaster@example.com", status=78)
            path = gateway.directory.join("recipients.cdb")
            info = subprocess.run([program("gatehouse-recipients"), "info", path],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertIn("overlay: add new@example.com class=vip since=", info)
            query = subprocess.run([program("gatehouse-recipients"), "query", path,
                                    "new@example.com"], stdout=subprocess.PIPE, text=True)
            self.assertIn("accepted by=overlay", query.stdout)
            self.assertIn("class=vip", query.stdout)
            # The next compile knows one of them; the others stay.
            gateway.compile(LIST + "new@example.com\n")
            info = subprocess.run([program("gatehouse-recipients"), "info", path],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertNotIn("overlay: add", info)
            self.assertIn("overlay: remove alice@example.com", info)
            wait_status("alice@example.com", "550 5.1.1")
            wait_status("new@example.com", "250 2.1.5")
            self.tell(gateway, "add", "alice@example.com")
            wait_status("alice@example.com", "250 2.1.5")

    def test_removed_overlay(self):
        """The same as an empty one; one that cannot be read changes nothing."""
        with Scripted() as backend, \
                Gatehouse(backend.port, options={
                    "limits.junk": 100000, "limits.unknown_recipients": 10000}) as gateway, \
                gateway.client() as client:

            def status(recipient):
                client.command("RSET")
                return client.envelope("s@sender.example", [recipient])[1].status

            overlay = gateway.directory.join("recipients.cdb.overlay")
            self.tell(gateway, "add", "new@example.com")
            self.tell(gateway, "remove", "alice@example.com")
            wait_until(lambda: status("alice@example.com") == "550 5.1.1", "the overlay")
            with open(overlay + ".bad", "w") as f:
                f.write("nothing of the kind\n")
            os.rename(overlay + ".bad", overlay)
            gateway.wait_event("overlay_refused")
            self.assertEqual(status("alice@example.com"), "550 5.1.1")
            self.assertEqual(status("new@example.com"), "250 2.1.5")
            os.unlink(overlay)
            self.assertEqual(gateway.wait_event("overlay_gone")["entries"], "2")
            self.assertEqual(status("alice@example.com"), "250 2.1.5")
            self.assertEqual(status("new@example.com"), "550 5.1.1")

    def test_overlay_that_cannot_be_believed(self):
        """Promise P5: after a restart nobody is refused who may be in it."""
        with Scripted() as backend, \
                Gatehouse(backend.port, options={
                    "limits.junk": 100000, "limits.unknown_recipients": 10000}) as gateway, \
                gateway.client() as client:

            def status(recipient):
                client.command("RSET")
                return client.envelope("s@sender.example", [recipient])[1].status

            self.tell(gateway, "add", "new@example.com")
            wait_until(lambda: status("new@example.com") == "250 2.1.5", "the overlay")
            overlay = gateway.directory.join("recipients.cdb.overlay")
            os.chmod(overlay, 0o666)
            gateway.wait_event("overlay_refused")
            self.assertEqual(status("new@example.com"), "250 2.1.5")
            gateway.wait_restarted("lookupd", gateway.kill("lookupd"))
            wait_until(lambda: status("alice@example.com") == "250 2.1.5", "the database")
            self.assertEqual(status("new@example.com")[:3], "451")
            os.chmod(overlay, 0o644)
            wait_until(lambda: status("new@example.com") == "250 2.1.5", "the overlay")
            self.assertEqual(status("nobody@example.com"), "550 5.1.1")


class OverAge(unittest.TestCase):
    def test_over_age(self):
        """Promise P5: who is not in a database that nobody makes anew is deferred."""
        with Scripted() as backend, \
                Gatehouse(backend.port, options={
                    "recipients_max_age": 1, "limits.junk": 100000,
                    "limits.unknown_recipients": 10000}) as gateway, \
                gateway.client() as client:

            def statuses():
                client.command("RSET")
                return [r.status for r in client.envelope("s@sender.example", [
                    "nobody@example.com", "alice@example.com"])[1:]]

            wait_until(lambda: statuses()[0].startswith("451"), "the database to be old")
            self.assertEqual(statuses()[1], "250 2.1.5")
            gateway.wait_event("database_over_age")


class Observed(unittest.TestCase):
    def test_observed(self):
        """Accepted, and logged as what it would have been; foreign domains stay refused."""
        with Scripted() as backend, \
                Gatehouse(backend.port, options={"observe": "example.com"}) as gateway:
            with gateway.client() as client:
                replies = client.envelope("s@sender.example",
                                          ["nobody@example.com", "x@foreign.example"])
                self.assertEqual([r.code for r in replies], [250, 250, 550])
                self.assertEqual(client.data(messages.simple()).code, 250)
            event = gateway.wait_event("recipient_observed")
            self.assertEqual(event["to"], "nobody@example.com")
            self.assertEqual(event["why"], "unknown_user")


class Query(unittest.TestCase):
    """The same file asked by the tool and by SMTP."""

    def test_query(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            path = gateway.directory.join("recipients.cdb")
            for recipient, known in (("alice@example.com", True), ("bob+x@example.com", True),
                                     ("a@catchall.example", True), ("nobody@example.com", False)):
                done = subprocess.run([program("gatehouse-recipients"), "query", path, recipient],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual(done.returncode == 0, known, done.stdout)
                with gateway.client() as client:
                    code = client.envelope("s@sender.example", [recipient])[1].code
                    self.assertEqual(code == 250, known)


if __name__ == "__main__":
    unittest.main()
