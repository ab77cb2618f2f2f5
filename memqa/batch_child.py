"""A worker process as the batch sees it: how it is started, what it tells, what it takes, its end.

It runs in a session of its own, so that Ctrl-C in a terminal reaches the batch alone. When the
batch dies, however it dies, the worker's stdin ends and it goes too.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeAlias

import psutil  # type: ignore[import-untyped]

from memqa import batch_lines
from memqa.batch_lines import Line
from memqa.settings import Settings
from memqa.worker import open_log
from models.threads import thread_shares

WORKER = "memqa.batch_worker"
_ROOT = Path(__file__).resolve().parent.parent


class Child:
    """One worker process. What it tells is put into ``inbox`` beside it; None once it is gone."""

    def __init__(self, settings: Settings, inbox: Inbox, *, workers: int) -> None:
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with open_log(settings.home) as errors:
            self._process = subprocess.Popen(
                # -P keeps a folder named "models" in the working directory out of the way
                [sys.executable, "-P", "-m", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": path} | thread_shares(workers),
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin = self._process.stdin
        self._session = self._process.pid
        self._inbox = inbox
        # It asks no language model, so how they are run, and with which keys, stays here.
        chosen = settings.model_dump_json(exclude={"language", "caption"})
        self._write(chosen.encode() + b"\n")
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="batch-child", daemon=True
        )
        self._reader.start()

    def take(self, place: Path | str, method: str) -> None:
        """Hand it a file; it has none."""
        self._write(batch_lines.dump({"kind": "take", "path": str(place), "method": method}))

    def stop(self) -> None:
        """Wish that it stops after its current step."""
        self._write(batch_lines.dump({"kind": "stop"}))

    def resident_bytes(self) -> int:
        """Measure what it and the decoders that work for it hold."""
        total = 0
        with suppress(psutil.Error):
            me = psutil.Process(self._process.pid)
            for one in (me, *me.children(recursive=True)):
                with suppress(psutil.Error):  # a decoder may end meanwhile
                    total += one.memory_info().rss
        return total

    def kill(self) -> str:
        """End it with all that works for it; say how it had ended by itself, if it had."""
        if self._process.returncode is None:
            with suppress(psutil.Error):
                psutil.Process(self._process.pid).suspend()  # it starts no decoder while we look
            for one in self._all():
                with suppress(psutil.Error):
                    one.kill()
        code = self._process.wait()
        with suppress(OSError):
            self._stdin.close()
        self._reader.join()
        return f"crashed (signal {-code})" if code < 0 else f"ended (exit code {code})"

    def _all(self) -> list[psutil.Process]:
        """Give the worker and what works for it, also after its own death where that shows."""
        found = []
        with suppress(psutil.Error):
            found = psutil.Process(self._process.pid).children(recursive=True)
        if sys.platform != "win32":
            found += [one for one in psutil.process_iter() if _session_of(one.pid) == self._session]
        with suppress(psutil.Error):
            found.append(psutil.Process(self._process.pid))
        return found

    def _write(self, written: bytes) -> None:
        with suppress(BrokenPipeError):  # it died; its reader tells
            self._stdin.write(written)
            self._stdin.flush()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while written := pipe.readline():
                try:
                    self._inbox.put((self, batch_lines.load(written)))
                except ValueError:  # it died in the middle of a line
                    break
        self._inbox.put((self, None))


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid) if sys.platform != "win32" else -1
    except OSError:  # it went meanwhile
        return -1


Inbox: TypeAlias = "queue.Queue[tuple[Child, Line | None]]"
