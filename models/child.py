"""Knows how to run a decoding child and how to outlive it: limits, deadlines, translated errors.

A child is a module of ours that reads one request and answers over a pipe. A reading thread fills a
short queue, so it decodes ahead a little and then waits; a watching thread kills it when it hangs
or grows. Whoever stops iterating ends the child.
"""

from __future__ import annotations

import json
import os
import queue
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from models import errors
from models.errors import DecodeFailed, MemqaError
from models.values import ShouldStop

Answer: TypeAlias = tuple[dict[str, Any], bytes]

_WATCH_EVERY_S = 0.25
_ROOT = Path(__file__).resolve().parent.parent
# Answers that tell that a piece of work is done, or that the next one begins.
_FURTHER = frozenset(("segment", "window", "page", "kept", "look", "styles"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decoding child may take: seconds without an answer, seconds a segment, bytes.

    Time during which nobody fetches its answers does not count. Half an address space more than
    the resident limit is normal: libraries reserve what they never touch.
    """

    silence_s: float = 60.0
    segment_s: float = 600.0
    resident_bytes: int = 2 * 2**30
    address_space_bytes: int = 8 * 2**30
    ahead: int = 16


def converse_with(
    module: str,
    request: dict[str, Any],
    limits: Limits = Limits(),
    *,
    should_end: ShouldStop | None = None,
) -> Generator[Answer, None, None]:
    """Yield the answers of ``python -m module`` to a request, headers and payloads, until it ends.

    Once ``should_end`` says so, asked now and then from another thread, the child is told to come
    to its end; only a live source has one of its own.

    Raises:
        MemqaError: what the child reported.
        DecodeFailed: the child crashed, hung or outgrew its limits.
    """
    child = _Child(module, request, limits, should_end)
    try:
        yield from child.answers()
    finally:
        child.end()


class _Child:
    def __init__(
        self, module: str, request: dict[str, Any], limits: Limits, should_end: ShouldStop | None
    ) -> None:
        self._name, self._limits, self._should_end = name_of(request), limits, should_end
        request = request | {"address_space_bytes": limits.address_space_bytes}
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self._process = subprocess.Popen(
            # -P keeps a folder named "models" in the working directory out of the way
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
            # Ctrl-C in a terminal goes to a whole group; only the parent is to answer it.
            process_group=0,
        )
        assert self._process.stdin is not None
        # It stays open: its end tells a child that watches a live source to come to an end too.
        self._stdin = self._process.stdin
        with suppress(BrokenPipeError):  # it died already; the reading thread will find out
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
        self._queue: queue.Queue[Answer | None] = queue.Queue(limits.ahead)
        self._reason = ""
        self._blocked = False
        self._over = threading.Event()
        self._answered = self._marked = time.monotonic()
        self._threads = [
            threading.Thread(target=work, name=f"{module}-{work.__name__}", daemon=True)
            for work in (self._pump, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def answers(self) -> Generator[Answer, None, None]:
        while (answer := self._queue.get()) is not None:
            header = answer[0]
            if header["kind"] == "error":
                raise _translated(header, self._name)
            yield answer
        code = self._process.wait()
        if code != 0:
            raise DecodeFailed(f"The decoder {self._reason or _end_of(code)} on {self._name}.")

    def end(self) -> None:
        """Kill the child if it still runs, and gather its threads."""
        self._over.set()
        self._process.kill()
        self._process.wait()
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._queue.get_nowait()  # a blocked reading thread is let go
            except queue.Empty:
                time.sleep(0.002)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._hang_up()

    def _hang_up(self) -> None:
        with suppress(BrokenPipeError):
            self._stdin.close()

    def _pump(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        while (answer := _receive(pipe)) is not None:
            self._blocked = True
            self._queue.put(answer)
            self._answered = time.monotonic()
            if answer[0]["kind"] in _FURTHER:
                self._marked = self._answered
            self._blocked = False
        self._over.set()
        self._queue.put(None)

    def _watch(self) -> None:
        import psutil  # type: ignore[import-untyped]

        looked = time.monotonic()
        while self._process.poll() is None and not self._over.is_set():
            if self._should_end is not None and self._should_end():
                self._hang_up()
            before, looked = looked, time.monotonic()
            if self._blocked:
                self._marked += looked - before
            try:
                reason = self._overrun(psutil.Process(self._process.pid))
            except psutil.Error:
                reason = ""  # it is just starting or ending; look again
            if reason:
                self._reason = reason
                self._process.kill()
                return
            self._over.wait(_WATCH_EVERY_S)

    def _overrun(self, usage: Any) -> str:
        now, limits = time.monotonic(), self._limits
        if usage.memory_info().rss > limits.resident_bytes:
            return f"needed more than {limits.resident_bytes / 2**20:.0f} MB"
        if self._blocked:  # it waits for us: only what it holds counts
            return ""
        if now - self._answered > limits.silence_s:
            return f"gave no sign of life for {limits.silence_s:g} s"
        if now - self._marked > limits.segment_s:
            return f"needed more than {limits.segment_s:g} s for one segment"
        return ""


def _receive(pipe: IO[bytes]) -> Answer | None:
    lengths = pipe.read(8)
    if len(lengths) < 8:
        return None
    head_bytes, payload_bytes = struct.unpack("<II", lengths)
    head, payload = pipe.read(head_bytes), pipe.read(payload_bytes)
    if len(payload) < payload_bytes or len(head) < head_bytes:
        return None
    return json.loads(head), payload


def _translated(header: dict[str, Any], name: str) -> MemqaError:
    known: type[MemqaError] = getattr(errors, header["type"], DecodeFailed)
    if header["message"] == "out of memory":
        return DecodeFailed(f"The decoder ran out of its memory limit on {name}.")
    return known(header["message"])


def _end_of(code: int) -> str:
    return f"crashed (signal {-code})" if code < 0 else f"failed (exit code {code})"


def name_of(request: dict[str, Any]) -> str:
    """Give the name of the file that a request is about."""
    return Path(request["path"]).name
