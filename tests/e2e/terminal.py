"""A terminal for the tests: a program run in one as a person sees it, key by key."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from typing import Self

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


def _own() -> None:
    """Make the terminal the program's own, so that Ctrl-C reaches it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """Runs a command in a pseudo-terminal; ``text`` is all it wrote so far, without controls."""

    def __init__(self, command: Sequence[str], timeout_s: float = 240.0) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        size = {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
        # Nobody here answers where the cursor is.
        env = {**os.environ, **size, "PROMPT_TOOLKIT_NO_CPR": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            start_new_session=True,
            preexec_fn=_own,
        )
        os.close(theirs)
        self._ours, self._timeout_s = ours, timeout_s
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._raw = ""
        self._read_to = 0

    @property
    def text(self) -> str:
        return _CONTROLS.sub("", self._raw)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, words: str) -> None:
        """Read until words come that did not come before."""
        deadline = time.monotonic() + self._timeout_s
        while words not in self.text[self._read_to :]:
            assert time.monotonic() < deadline, f"{words!r} never came:\n{self.text}"
            self._read()
        self._read_to = self.text.index(words, self._read_to) + len(words)

    def leave(self) -> int:
        """Wait for the program's end and give its exit code."""
        deadline = time.monotonic() + self._timeout_s
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self.text}"
            self._read()
        return self._process.returncode

    def _read(self) -> None:
        if not select.select([self._ours], [], [], 0.2)[0]:
            return
        try:
            new = os.read(self._ours, 65536)
        except OSError:  # the program is gone
            time.sleep(0.05)
            return
        self._raw += self._decoder.decode(new)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)
