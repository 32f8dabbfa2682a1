"""
As inetd(8) does with `nowait`: one process of a command for each connection, which is its standard
input and output.

    inetd.py PORT COMMAND...
"""

import os
import signal
import socket
import sys


def main(port, command):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody wants to know how they end
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            for number in (signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(connection.fileno(), 0)
            os.dup2(connection.fileno(), 1)
            os.execv(command[0], command)
        connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
