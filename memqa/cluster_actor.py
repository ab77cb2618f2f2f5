"""What runs on the machines of a cluster: a worker that takes in one file and gives back its rows.

Knows no Ray. Each file is indexed into a library of its own in a temporary folder, which is gone
once its rows are read; the library that was asked for is written by nobody but who asked.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from memqa.addresses import is_address, shown
from memqa.allowance import Allowance
from memqa.batch_worker import end_at_once
from memqa.carried import version
from memqa.engines import CatalogEngines, Engines
from memqa.listening import Listener
from memqa.settings import BatchSettings, Settings
from memqa.store.lock import locked
from memqa.store.parcel import Parcel
from memqa.values import Media
from models.errors import BackendError, InputError, MemqaError, SetupError

log = logging.getLogger(__name__)

_ALIVE = "alive.lock"
_PATIENCE_S = 60.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Made:
    """What a worker gives back of a file: its rows, or the media that it is already, or why not."""

    elapsed_s: float
    parcel: Parcel | None = None
    same_as: str = ""
    error: MemqaError | None = None


class Indexer:
    """One worker; its models stay loaded from file to file.

    ``settings`` are those of who asks, as JSON, and ``wanted`` is the version of memqa there.
    """

    def __init__(self, settings: str, wanted: str, *, engines: Engines | None = None) -> None:
        self._settings = Settings.model_validate_json(settings)
        self._wanted = wanted
        self._engines = engines or CatalogEngines(self._settings.models)

    def here(self) -> None:
        """Say nothing but that it lives."""

    def index(self, place: str, method: str, known: Collection[str]) -> Made:
        """Take a file, or what lies at an address, in.

        A file whose bytes are those of a ``known`` media is only named.
        """
        started = time.monotonic()
        try:
            self._check(place)
            same = _same_as(Path(place), known) if known else ""
            parcel = None if same else self._parcel(place, method)
        except MemqaError as exc:
            return Made(time.monotonic() - started, error=exc)
        except Exception as exc:  # not all that a library raises can be sent to another machine
            name = shown(place) if is_address(place) else place
            log.exception("unexpected while indexing %s", name)
            error = BackendError(f"something unexpected happened ({type(exc).__name__}: {exc})")
            return Made(time.monotonic() - started, error=error)
        return Made(time.monotonic() - started, parcel=parcel, same_as=same)

    def _check(self, place: str) -> None:
        here = socket.gethostname()
        if version() != self._wanted:
            raise SetupError(
                f"{here} has memqa {version()}, and {self._wanted} asked it to work; install the "
                "same version on every machine of the cluster"
            )
        if not is_address(place) and not Path(place).exists():
            raise InputError(
                f"{here} sees no file {place}; every machine of the cluster has to see it at the "
                "same path"
            )

    def _parcel(self, place: str, method: str) -> Parcel:
        from memqa.ingest import Ingest
        from memqa.store.source import Source
        from memqa.store.store import Store

        with scratch() as home:
            store = Store(home)
            settings = self._settings.model_copy(update={"home": home})
            with within_time(settings.batch) as listener:
                outcome = Ingest(store, self._engines, settings).take(
                    place, method=method, listener=listener
                )
            assert outcome.media is not None, "a file that was taken in is a media"
            row = store.read.media_row(outcome.media.id)
            assert row is not None, "a media that was taken in has a row"
            return Parcel.of(Source(home, is_own=True), row)


@contextmanager
def within_time(
    limits: BatchSettings, *, end: Callable[[], None] = end_at_once
) -> Iterator[Listener]:
    """Give a listener to the work on a file, and ``end`` this process where that takes too long.

    Whoever handed the file over then finds this worker dead, and does not wait for ever. How much
    memory a worker may take is for the cluster to say.
    """
    taken, over = Allowance(limits), threading.Event()
    taken.begun()

    def measured(media: Media) -> None:
        taken.length_s = media.duration_s or media.pages or 0

    def watch() -> None:
        while not over.wait(_LOOK_S):
            if why := taken.overrun(_LOOK_S, resident_bytes=0):
                log.warning("a file %s; this worker ends", why)
                end()
                return

    watching = threading.Thread(target=watch, name="memqa-limits", daemon=True)
    watching.start()
    try:
        yield Listener(taken.moved, on_media=measured)
    finally:
        over.set()
        watching.join()


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is gone afterwards, and sweep out those of workers that were killed."""
    root = Path(tempfile.gettempdir()) / f"memqa-scratch-{_user()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.is_symlink() or (hasattr(os, "getuid") and root.stat().st_uid != os.getuid()):
        raise SetupError(f"{root} belongs to somebody else; remove it, or set TMPDIR")
    with ExitStack() as held:
        # Nobody sweeps while a folder is made, which is locked only a moment later.
        with locked(root / "making.lock", timeout_s=_PATIENCE_S):
            for left in root.iterdir():
                _sweep(left / _ALIVE)
            folder = Path(tempfile.mkdtemp(dir=root))
            held.enter_context(locked(folder / _ALIVE))
        try:
            yield folder / "home"
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(lock: Path) -> None:
    if lock.exists():
        with locked(lock) as is_dead:
            if is_dead:
                shutil.rmtree(lock.parent, ignore_errors=True)


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def _same_as(path: Path, known: Collection[str]) -> str:
    """Give the id of a file if it is among these."""
    from memqa.facts import FileFacts, sha256_of

    media_id = sha256_of(FileFacts.of(path), Listener())
    return media_id if media_id in known else ""
