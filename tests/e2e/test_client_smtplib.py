"""Python's smtplib."""

import smtplib
import ssl
import unittest

from clients import Clients


class Smtplib(Clients.Case):
    def send(self, recipient, content, tls):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with smtplib.SMTP("127.0.0.1", self.gateway.port, "client.sender.example",
                          timeout=60) as client:
            if tls:
                client.starttls(context=context)
            try:
                client.sendmail("sender@sender.example", [recipient],
                                content.replace(b"\n", b"\r\n"), ["BODY=8BITMIME"])
            except smtplib.SMTPRecipientsRefused as refused:
                (code, _), = refused.recipients.values()
                return not 500 <= code < 600, repr(refused.recipients)
        return True, ""


if __name__ == "__main__":
    unittest.main()
