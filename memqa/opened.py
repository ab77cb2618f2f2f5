"""A library that is open: its folder, its settings, models, store and jobs, and what is in it.

What the other doors of a library all need; whoever works for one of them is given this.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from memqa import settings as settings_
from memqa.addresses import is_address, shown
from memqa.engines import CatalogEngines, Engines
from memqa.homes import home_named, told
from memqa.jobs import Queue
from memqa.room import writing_to
from memqa.settings import Settings
from memqa.values import Media
from models.errors import DiskFull, InputError, ReadOnly

if TYPE_CHECKING:
    from memqa.scope import Scope
    from memqa.store.store import Store

log = logging.getLogger(__name__)


class Opened:
    """A library under its home, with its store opened on first use."""

    def __init__(
        self,
        home: str | Path | None = None,
        settings: Settings | None = None,
        *,
        engines: Engines | None = None,
    ) -> None:
        base = settings or settings_.load(home=home)
        chosen = home_named(home) if home else base.home
        self.settings = base.model_copy(update={"home": chosen})
        self.home = chosen
        self.engines = engines or CatalogEngines(
            base.models, base.language.options(), base.caption.options()
        )
        self._queue = Queue(chosen)
        self._opened: Store | None = None
        self._opening = threading.Lock()

    @property
    def store(self) -> Store:
        """The library's store, opened on first use."""
        with self._opening:
            if self._opened is None:
                from memqa.copying import sweep
                from memqa.moved import settle_moved
                from memqa.store.store import Store

                store = Store(self.home, spare_share=self.settings.limits.spare_share)
                try:
                    self._finish_forgetting(store)
                    self._settle(store)
                    settle_moved(store)
                    with writing_to(self.home):
                        sweep(self.home / "uploads")
                except (DiskFull, ReadOnly) as exc:  # it can be asked all the same
                    log.warning("what a killed run left stays as it is for now: %s", exc)
                self._opened = store
            return self._opened

    def close(self) -> None:
        """Let go of the store; jobs in the background go on."""
        with self._opening:
            self._opened = None

    @property
    def where(self) -> str:
        """Where it lies, as a person knows it: its folder, or its address on object storage."""
        return told(self.home)

    def __repr__(self) -> str:
        return f"<Library {self.where}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What there is

    def media(self) -> list[Media]:
        """Give every media, the newest first; loads no model to tell what is stale."""
        from memqa import stale

        return stale.media_of(self.store.read, self.engines)

    def show(self, media: str) -> Media:
        """Give one media by its id, the beginning of its id, its path or its file name.

        Raises:
            InputError: no such media, or several fit.
        """
        from memqa import scope

        fitting = self.fitting(media)
        if len(fitting) > 1:
            ids = ", ".join(one.id[:12] for one in fitting)
            raise InputError(f"{media!r} fits {len(fitting)} media; name one by its id: {ids}")
        if not fitting:
            raise scope.stranger(self, media, f"is not in the library {self.where}")
        return fitting[0]

    def fitting(self, media: str) -> list[Media]:
        """Give the media that an id, the beginning of one, a path or a file name may mean."""
        known = self.media()
        media = shown(media) if is_address(media) else media
        found = self.store.read.find_media(media)
        if found is not None:
            return [one for one in known if one.id == found.id]
        return [
            one
            for one in known
            if one.name == media or (len(media) >= 4 and one.id.startswith(media.lower()))
        ]

    def scope(self, media: Sequence[str] | str | None) -> Scope:
        """Say which media are meant by ids, paths, file names and names of collections.

        Raises:
            InputError: a name fits nothing, or several media, or a collection without any media.
        """
        from memqa import scope

        return scope.scope_of(self, media)

    # Within

    def _finish_forgetting(self, store: Store) -> None:
        """Forget for good what somebody began to forget: its jobs, its upload, and all its rows."""
        from memqa.uploads import drop_upload

        rows = store.read.media_rows()
        kept = [row for row in rows if not row.forgetting]
        live = {path for row in kept for path in (row.media.path, *row.aliases)}
        for row in rows:
            for path in {row.media.path, *row.aliases} - live if row.forgetting else ():
                self._queue.forget(row.media.id, path)
                drop_upload(self.home, Path(path))
        store.upkeep.repair()

    def _settle(self, store: Store) -> None:
        from memqa.settled import settle_abandoned

        # Nobody takes up a live source, so that only its lease tells whether it is watched.
        open_ = [job for job in self._queue.all() if job.is_open and job.task != "live"]
        waiting = {name for job in open_ for name in (job.media_id, job.path) if name}
        settle_abandoned(store, waiting)

    def _start_worker(self) -> None:
        from memqa.worker import start_worker

        start_worker(self.settings)
