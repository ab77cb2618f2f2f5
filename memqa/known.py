"""What a library knows already of a file, and what its path held before the file was changed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.addresses import is_address, is_whole
from memqa.alone import leased
from memqa.engines import Engines
from memqa.facts import FileFacts
from memqa.listening import Listener
from memqa.settings import Settings
from memqa.stale import FINISHED, compared, indexed_with_others
from memqa.store.schema import RENEWING, RESUMING, MediaRow
from memqa.uploads import drop_upload, is_upload
from memqa.values import Media
from models.errors import StoreConflict

if TYPE_CHECKING:
    from memqa.store.store import Store


class Known:
    """Finds the media of a file in one library, and puts a new one in the place of an old one."""

    def __init__(self, store: Store, engines: Engines, settings: Settings) -> None:
        self._store = store
        self._engines = engines
        self._settings = settings

    def _unchanged(self, facts: FileFacts) -> Media | None:
        """Find the finished media of a file that has not changed since, without reading it."""
        for row in self._store.read.rows_at(facts.place):
            if row.media.status in FINISHED and not row.forgetting and facts.fits(row):
                return row.media
        return None

    def _same_bytes(self, media_id: str, facts: FileFacts) -> Media | None:
        """Find the finished media of the same bytes, and note that they lie here too."""
        row = self._store.read.media_row(media_id)
        if row is None or row.forgetting or row.media.status not in FINISHED:
            return None
        older = Path(row.media.path)
        if is_upload(self._store.home, facts.path) and older != facts.path and older.exists():
            drop_upload(self._store.home, facts.path)
            return row.media
        if facts.address and not is_address(row.media.path) and older.exists():
            # A file that is here can be played, so it stays the first place that is looked at.
            return self._store.write.also_at(media_id, facts.address).media
        row = self._store.write.relocate(
            media_id, facts.place, size_bytes=facts.size_bytes, mtime_ns=facts.mtime_ns
        )
        return row.media

    def _compared(self, media: Media) -> Media:
        """Note of a media that is in already whether other models than those in use made it."""
        row = self._store.read.media_row(media.id)
        if row is None:
            return media
        if not row.settled:
            self._settle_anew(media.id)
        media = compared(media, row, self._engines.signatures())
        note = indexed_with_others(media)
        return replace(media, notes=(*media.notes, note)) if note else media

    def _settle_anew(self, media_id: str) -> None:
        """Bring to its end what was killed just as it was settled; a `memqa reindex` goes on."""
        with suppress(StoreConflict), leased(self._store.home, media_id):
            row = self._store.read.media_row(media_id)
            if row is None or row.settled or row.forgetting or row.media.status not in FINISHED:
                return
            if not any(name.startswith(RENEWING) for name in self._store.read.states(media_id)):
                served = () if row.media.kind == "document" else RESUMING
                self._store.write.settle(row.media, done_states=served)

    def _told(
        self, taken: tuple[Media, bool], wished: str, listener: Listener
    ) -> tuple[Media, bool]:
        """Tell of a media, and note what of one that was in already is not as wished."""
        media, is_new = taken
        if not is_new:
            self._replace_earlier(media)  # a run may have died just before it
        listener.found(media)
        if not is_new and wished not in ("auto", media.method) and media.kind == "video":
            note = f"It is kept by {media.method}; forget it first to take it in by {wished}."
            media = replace(media, notes=(*media.notes, note))
        return (media if is_new else self._compared(media)), is_new

    def _earlier(self, media: Media) -> MediaRow | None:
        """Find the newest finished media that the same path held before its file was changed."""
        rows = [row for row in self._replaced(media) if row.media.status in FINISHED]
        return max(rows, key=lambda row: row.media.added_at, default=None)

    def _replace_earlier(self, media: Media) -> bool:
        """Forget the media that the same path held before; say whether one was forgotten."""
        self._store.own.add(media.id)
        forgotten = False
        for row in self._replaced(media):
            if others := [one for one in row.aliases if is_address(one) or Path(one).exists()]:
                self._store.write.relocate(row.media.id, others[0], size_bytes=0, mtime_ns=0)
            else:
                self._store.collections.replace(row.media.id, media.id)
                forgotten |= self._store.upkeep.forget(row.media.id, chats_too=False)
        return forgotten

    def _replaced(self, media: Media) -> list[MediaRow]:
        """Give the media that the same path held here, or the same address anywhere.

        An address told in part may be another's.
        """
        if is_address(media.path) and not is_whole(media.path):
            return []
        older = [
            row
            for row in self._store.read.rows_at(media.path)
            if row.media.id != media.id and row.media.added_at <= media.added_at
        ]
        if is_address(media.path):
            return older
        return [row for row in older if self._store.own.has(row.media.id)]

    def _forget_to_the_end(self, media_id: str) -> None:
        """Finish forgetting what is now added again, where a killed process only began to."""
        row = self._store.read.media_row(media_id)
        if row is not None and row.forgetting:
            self._store.upkeep.repair()

    def _now_at(self, place: str) -> str:
        """Give the time, later than that of all that lay at a place before, as its order tells.

        The clock may have been put back since.
        """
        before = [row.media.added_at for row in self._store.read.rows_at(place)]
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        last = max(filter(None, before), default="")
        if now > last:
            return now
        after = datetime.fromisoformat(last) + timedelta(milliseconds=1)
        return after.isoformat(timespec="milliseconds")
