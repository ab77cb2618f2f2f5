"""Runs a command where there is nothing but this machine, and counts what tried to leave it.

``python -m tests.faults.loopback -- pytest -q`` runs it in a network namespace of its own, with the
loopback interface alone, so every process counts, whatever it is written in: browsers too. The
kernel counts what found no way out. One JSON object goes to stderr at the end; the exit code is the
command's own, or 4 where something tried to leave, or 3 where no namespace may be made.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

TRIED_TO_LEAVE, NOT_PERMITTED = 4, 3
_INSIDE = "MEMQA_TEST_CUT_OFF"
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # Linux: ioctls of interfaces


def cut() -> list[str]:
    """Give the words before a command that cut it off; empty where that is not permitted."""
    if shutil.which("unshare") is None:
        return []
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        if subprocess.run([*words, "true"], capture_output=True, timeout=20).returncode == 0:
            return words
    return []


def attempts() -> int:
    """Count the packets that found no way out of this namespace since it was made."""
    found = 0
    lines = Path("/proc/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Ip:"))
    found += int(values[names.index("OutNoRoutes")])
    newer = Path("/proc/net/snmp6")
    for line in newer.read_text().splitlines() if newer.exists() else ():
        name, _, value = line.partition(" ")
        if name.strip() == "Ip6OutNoRoutes":
            found += int(value)
    return found


def main() -> int:
    """Run what stands behind ``--``."""
    command = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    if not command:
        sys.stderr.write("usage: python -m tests.faults.loopback -- COMMAND…\n")
        return 2
    if os.environ.get(_INSIDE):
        return _run(command)
    words = cut()
    if not words:
        sys.stderr.write("this system lets nobody make a network namespace; run it as root\n")
        return NOT_PERMITTED
    again = [*words, sys.executable, "-m", "tests.faults.loopback", "--", *command]
    return subprocess.call(again, env=os.environ | {_INSIDE: "1"})


def _run(command: list[str]) -> int:
    _raise_loopback()
    before = attempts()
    code = subprocess.call(command, env={k: v for k, v in os.environ.items() if k != _INSIDE})
    tried = attempts() - before
    sys.stderr.write(json.dumps({"exit_code": code, "tried_to_leave": tried}) + "\n")
    return code or (TRIED_TO_LEAVE if tried else 0)


def _raise_loopback() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(any_socket, _GET_FLAGS, asked), 16)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))


if __name__ == "__main__":
    sys.exit(main())
