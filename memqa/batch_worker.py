"""One worker of a batch: takes in the files that its parent hands it, one at a time.

``python -m memqa.batch_worker`` reads lines from stdin and answers on stdout, see ``batch_lines``.
Its models load once. It goes when stdin ends, that is when its parent lets go of it or dies.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from memqa import batch_lines
from memqa.addresses import is_address, shown
from memqa.batch_lines import Line
from memqa.engines import CatalogEngines, Engines
from memqa.listening import Listener
from memqa.logged import log_to_stderr
from memqa.settings import ModelNames, Settings
from memqa.values import Media, Outcome
from models.serving import take_stdout
from models.values import Progress

if TYPE_CHECKING:
    from memqa.ingest import Ingest

_TELL_S = 0.2


class Worker:
    """Takes files into one library; ``out`` is the pipe to the parent."""

    def __init__(self, settings: Settings, engines: Engines, out: BinaryIO) -> None:
        self._settings = settings
        self._engines = engines
        self._out = out
        self._stopping = threading.Event()
        self._handed: queue.Queue[Line] = queue.Queue()
        self._ingest: Ingest | None = None
        self._stage = ""
        self._told_at = 0.0

    def run(self, lines: BinaryIO) -> None:
        """Work until ``lines`` end, which ends this process."""
        threading.Thread(target=self._listen, args=(lines,), daemon=True).start()
        while True:
            line = self._handed.get()
            self._stage = ""
            self._tell({"kind": "begun"})
            self._tell(batch_lines.of_outcome(self._outcome(line["path"], line["method"])))

    def _listen(self, lines: BinaryIO) -> None:
        while written := lines.readline():
            line = batch_lines.load(written)
            if line["kind"] == "stop":
                self._stopping.set()
            else:
                self._handed.put(line)
        end_at_once()

    def _outcome(self, path: str, method: str) -> Outcome:
        from memqa.ingest import Ingest
        from memqa.settled import outcome_of
        from memqa.store.store import Store

        listener = Listener(self._progress, self._stopping.is_set, self._found)

        def take() -> Outcome:
            if self._ingest is None:
                share = self._settings.limits.spare_share
                store = Store(self._settings.home, spare_share=share)
                self._ingest = Ingest(store, self._engines, self._settings)
            return self._ingest.take(path, method=method, listener=listener)

        return outcome_of(shown(path) if is_address(path) else path, take)

    def _found(self, media: Media) -> None:
        self._tell(batch_lines.of_length(media))

    def _progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage != self._stage or now - self._told_at >= _TELL_S:
            self._stage, self._told_at = progress.stage, now
            self._tell(batch_lines.of_progress(progress))

    def _tell(self, line: Line) -> None:
        with suppress(BrokenPipeError):  # then stdin has ended as well, which ends us
            self._out.write(batch_lines.dump(line))
            self._out.flush()


def end_at_once() -> None:
    """Go at once, with the decoders that work for us; what was committed is whole."""
    import psutil  # type: ignore[import-untyped]

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    os._exit(0)


def _prepare() -> None:
    """Import what every file needs, while the parent still puts the library right."""
    import memqa.ingest
    import memqa.ingest_document
    import memqa.ingest_video
    import memqa.store.store  # noqa: F401


def main(engines: Callable[[ModelNames], Engines] = CatalogEngines) -> None:
    """Take in what is handed over stdin."""
    out, lines = take_stdout(), sys.stdin.buffer
    log_to_stderr(logging.WARNING, "%(asctime)s %(name)s %(message)s")
    settings = Settings.model_validate_json(lines.readline())
    _prepare()
    Worker(settings, engines(settings.models), out).run(lines)


if __name__ == "__main__":
    main()
