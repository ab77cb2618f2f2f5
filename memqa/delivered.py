"""Rows that a worker elsewhere made of a file, taken into the library that was asked for them.

It ends up as `Ingest.take` would have left it here: seen whole or not at all, under the media's
lease, in the place of what the same path held before.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from memqa.alone import leased
from memqa.facts import FileFacts
from memqa.known import Known
from memqa.listening import Listener
from memqa.stale import FINISHED
from memqa.store.parcel import Parcel
from memqa.store.schema import NOTHING_COMMITTED, MediaRow
from memqa.values import Media, Outcome, OutcomeStatus
from models.errors import StoreConflict

log = logging.getLogger(__name__)

_TRIES = 5
_FIRST_PAUSE_S = 1.0


class Delivery(Known):
    """Takes into one library what was made elsewhere; only one process per library does."""

    def finished(self) -> list[MediaRow]:
        """Give the media that are indexed to their end."""
        rows = self._store.read.media_rows()
        return [row for row in rows if row.media.status in FINISHED and not row.forgetting]

    def unchanged(self, media: Media, facts: FileFacts, wished: str) -> Outcome:
        """Say of a file that its media is in already; ``wished`` is the method asked for."""
        started = time.monotonic()
        told, _ = self._told((media, False), wished, Listener())
        return Outcome(facts.place, "unchanged", told, elapsed_s=time.monotonic() - started)

    def same(self, media_id: str, facts: FileFacts, wished: str) -> Outcome:
        """Note that the bytes of a finished media lie here too.

        Raises:
            StoreConflict: it was forgotten meanwhile.
        """
        media = self._same_bytes(media_id, facts)
        if media is None:
            raise StoreConflict(
                f"{facts.place} was forgotten while it was compared; index it again"
            )
        return self.unchanged(media, facts, wished)

    def deliver(self, parcel: Parcel, facts: FileFacts, wished: str) -> Outcome:
        """Write a media's rows; a conflict with another process is waited out for a while.

        Raises:
            StoreConflict: another process kept working on the media, or kept writing.
        """
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            try:
                return self._delivered(parcel, facts, wished)
            except StoreConflict as exc:
                if not left:
                    raise
                log.info("writing %s again in %.0f s: %s", facts.place, pause_s, exc)
                time.sleep(pause_s)
                pause_s *= 2
        raise AssertionError("the last try returns or raises")

    def _delivered(self, parcel: Parcel, facts: FileFacts, wished: str) -> Outcome:
        media_id = parcel.row.media.id
        with leased(self._store.home, media_id):
            if (media := self._same_bytes(media_id, facts)) is not None:
                return self.unchanged(media, facts, wished)
            self._forget_to_the_end(media_id)
            media = self._written(parcel, facts)
            self._replace_earlier(media)
        self._store.upkeep.after_commit()
        status: OutcomeStatus = "partial" if media.status == "partial" else "indexed"
        return Outcome(facts.place, status, media)

    def _written(self, parcel: Parcel, facts: FileFacts) -> Media:
        """Write the rows under this library's own path and time; what is cut short leaves none."""
        known = self._store.read.media_row(parcel.row.media.id)
        # The clock of another machine must not make an edited file older than what it replaces.
        added_at = self._now_at(facts.place)
        row = replace(
            parcel.row,
            media=replace(parcel.row.media, path=facts.place, added_at=added_at),
            aliases=known.aliases if known else (),
            size_bytes=facts.size_bytes,
            mtime_ns=facts.mtime_ns,
        )
        receive = self._store.receive
        try:
            taken = receive.take(parcel, row, should_stop=lambda: False)
        except BaseException:
            is_empty = known is not None and known.committed_segment == NOTHING_COMMITTED
            receive.undo(row.media.id, known if is_empty else None)
            raise
        assert taken is not None, "nobody wished it to stop"
        return taken.media
