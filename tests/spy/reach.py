"""Notes every address outside of this machine that a Python process reaches for or looks up.

Knows the file in which attempts are noted, one a line, with the test that was running. It imports
nothing of the project, since it is loaded by every process that a test starts.
"""

import ipaddress
import os
import socket
import sys

FILE = "MEMQA_TEST_REACHES"  # the file's name; without it nothing is noted
EXPECTED = "MEMQA_TEST_REACHES_ON_PURPOSE"  # set while a test looks at a refusal


def watch():
    """Begin to note, from now on to the end of the process."""
    if os.environ.get(FILE):
        sys.addaudithook(_note)


def leaves(event, arguments):
    """Say where to something leaves this machine; empty where it stays or is nothing of the kind.

    A number is no name to look up, and a datagram socket's "connect" sends nothing.
    """
    if event == "socket.connect":
        where = arguments[1]
        is_near = not isinstance(where, tuple) or is_here(where[0])
        return "" if is_near or arguments[0].type == socket.SOCK_DGRAM else repr(where[:2])
    if event == "socket.sendto":
        where = arguments[1]
        return "" if not isinstance(where, tuple) or is_here(where[0]) else repr(where[:2])
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        return "" if is_here(arguments[0]) or _is_number(arguments[0]) else repr(arguments[0])
    return ""


def is_here(host):
    """Tell whether a host is this machine."""
    name = _text(host)
    if name in ("", "localhost", "0.0.0.0", "::"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_number(host):
    try:
        ipaddress.ip_address(_text(host))
    except ValueError:
        return False
    return True


def _text(host):
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    return name.partition("%")[0]


def _note(event, arguments):
    if not event.startswith("socket."):
        return
    where = leaves(event, arguments)
    if not where or os.environ.get(EXPECTED):
        return
    line = f"{event} {where} in {os.environ.get('PYTEST_CURRENT_TEST', 'no test')}\n"
    file = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)
