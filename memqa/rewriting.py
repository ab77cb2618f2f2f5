"""Rows of a finished media written anew, a few at once, with what to know them by.

What is known and the vectors are committed first, then the rows. Where a run dies in between, the
next one sees rows that differ from what is known, and writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from memqa.embedding import text_batch
from memqa.frames import thumbnails
from memqa.listening import Listener
from memqa.store.schema import Commit, MediaRow, Memory
from models.ports import TextEncoder

if TYPE_CHECKING:
    from memqa.store.store import Store

_AT_ONCE = 8  # rows a commit: so many replies a killed process loses at most


class Rewriting:
    """Takes rows of one media as they shall be; ``states`` tells what is known at a commit."""

    def __init__(
        self,
        store: Store,
        row: MediaRow,
        encoder: TextEncoder,
        states: Callable[[], Mapping[str, bytes]],
    ) -> None:
        self.store = store
        self.media = row.media
        self._encoder = encoder
        self._states = states
        self._segment = row.committed_segment
        self._changed: list[tuple[Memory, Memory]] = []
        self._new = 0
        self._is_written = False

    def take(self, before: Memory, wanted: Memory, *, is_new: bool) -> None:
        """Put a row in its place, unless it stands there; ``is_new``: more is known than before."""
        self._new += is_new
        if wanted != before:
            self._changed.append((before, wanted))
        if max(self._new, len(self._changed)) >= _AT_ONCE:
            self._write()

    def end(self) -> None:
        """Write what is left, and count the media's bytes again."""
        self._write()
        if self._is_written:
            self.store.write.settle(self.media)
            self.store.upkeep.compact()

    def _write(self) -> None:
        """A row keeps its segment: it was committed long ago and is never half there."""
        changed, new = self._changed, self._new
        self._changed, self._new = [], 0
        if not changed and not new:
            return
        rows = [wanted for _, wanted in changed]
        pictures = thumbnails(self.store.read, rows)  # a row is written with its picture
        self._commit(
            Commit(
                self._segment + 1,
                self.media,
                memories=[older for older, _ in changed],
                thumbnails=pictures,
                vectors=[text_batch(self._encoder, rows, Listener())],
                states=self._states(),
            )
        )
        if rows:
            self._commit(Commit(self._segment + 1, self.media, memories=rows, thumbnails=pictures))
        self.store.upkeep.after_commit()

    def _commit(self, commit: Commit) -> None:
        self._is_written = True
        row = self.store.write.commit(commit)
        self.media, self._segment = row.media, row.committed_segment
