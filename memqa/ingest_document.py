"""A document, page by page, into memories: its passages, then the tree of summaries over them.

Passages are committed in batches. A run that goes on after a stop reads the pages again, which is
quick, but not what was read off pictures of pages, which is slow: that is kept until the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING

from memqa.embedding import text_batch
from memqa.engines import Engines
from memqa.ingest import Task
from memqa.outline import outline_commit
from memqa.settings import DocumentSettings
from memqa.store.schema import Commit, Memory, memory_id
from memqa.values import Media, MediaStatus
from models.errors import EmptyMedia
from models.ports import TextReader
from models.values import Box, Picture, TextLine
from vidmem.values import MediaInfo

if TYPE_CHECKING:
    from docmem.pages import Page
    from docmem.passages import Passage
    from memqa.store.store import Store

_SCANS = "scans"
_BATCH = 32


class DocumentIngest:
    """Takes documents into one library."""

    def __init__(self, store: Store, engines: Engines, settings: DocumentSettings) -> None:
        self._store = store
        self._engines = engines
        self._settings = settings

    def run(self, task: Task) -> Media:
        """Read from where the last commit stopped, outline the whole, and settle it.

        Raises:
            EmptyMedia: no text was found.
            IngestCancelled: the listener wished it.
        """
        media, segment, is_whole = self._read(task)
        passages = self._store.read.memories(media.id, levels=["passage"])
        if not passages:
            raise EmptyMedia(f"{media.name} holds no text{_hint(media)}")
        if not self._store.read.memories(media.id, levels=["summary"]):
            encoder = self._engines.text_encoder()
            commit = outline_commit(
                media, passages, segment=segment, encoder=encoder, listener=task.listener
            )
            self._store.write.commit(commit)
        status: MediaStatus = "indexed" if is_whole else "partial"
        row = self._store.write.settle(replace(media, status=status), done_states=(_SCANS,))
        self._store.upkeep.compact()
        return row.media

    def _read(self, task: Task) -> tuple[Media, int, bool]:
        """Commit the passages that are not yet; give the next segment and whether all was read."""
        from docmem.passages import cut

        media = task.row.media
        scans = _RememberedReader(self._engines, task.states.get(_SCANS))
        pages = _Pages(task, scans if self._settings.read_scans else None)
        passages, segment = cut(pages), 0
        while batch := list(islice(passages, _BATCH)):
            if segment > task.row.committed_segment:
                media = replace(media, remembered_pages=pages.last, notes=pages.notes(media))
                media = self._commit(media, segment, batch, scans.dump(), task)
            segment += 1
        media = replace(media, remembered_pages=pages.last, notes=pages.notes(media))
        return media, segment, pages.are_whole

    def _commit(
        self, media: Media, segment: int, batch: Sequence[Passage], scans: bytes, task: Task
    ) -> Media:
        memories = [_memory(media.id, segment, passage) for passage in batch]
        vectors = text_batch(self._engines.text_encoder(), memories, task.listener)
        states = {_SCANS: scans}
        commit = Commit(segment, media, memories=memories, vectors=[vectors], states=states)
        row = self._store.write.commit(commit)
        self._store.upkeep.after_commit()
        return row.media


class _Pages:
    """The pages of a document as they are read, and what is worth noting about them."""

    def __init__(self, task: Task, reader: TextReader | None) -> None:
        self._task = task
        self._reader = reader
        self._notes: list[str] = []
        self.last = 0

    def __iter__(self) -> Iterator[Page]:
        from docmem.parse import read_pages

        assert not isinstance(self._task.found, MediaInfo)
        listener = self._task.listener
        for page in read_pages(
            self._task.found,
            reader=self._reader,
            on_progress=listener.on_progress,
            should_stop=listener.should_stop,
        ):
            self._notes += page.notes
            self.last = page.number
            yield page

    @property
    def are_whole(self) -> bool:
        """Whether no page was left out or had something that could not be read."""
        assert not isinstance(self._task.found, MediaInfo)
        return self._task.found.is_whole and not self._notes

    def notes(self, media: Media) -> tuple[str, ...]:
        """Give the media's notes and those of the pages so far, once each."""
        return tuple(dict.fromkeys((*media.notes, *self._notes)))


class _RememberedReader:
    """A reader of pictures that is loaded when first needed and never reads one twice."""

    def __init__(self, engines: Engines, state: bytes | None) -> None:
        self._engines = engines
        self._known: dict[str, list[dict[str, object]]] = json.loads(state) if state else {}

    @property
    def signature(self) -> str:
        """The signature of the reader behind it."""
        return self._engines.text_reader().signature

    def read(self, picture: Picture) -> list[TextLine]:
        """Give the lines of text in reading order."""
        shape = str(picture.shape).encode()
        key = hashlib.sha256(shape + picture.tobytes()).hexdigest()
        if key not in self._known:
            lines = self._engines.text_reader().read(picture)
            self._known[key] = [asdict(line) for line in lines]
        return [_line(stored) for stored in self._known[key]]

    def dump(self) -> bytes:
        """Write everything read so far as a state."""
        return json.dumps(self._known).encode()


def _line(stored: dict[str, object]) -> TextLine:
    box, text, confidence = stored["box"], stored["text"], stored["confidence"]
    assert isinstance(box, dict)
    assert isinstance(text, str)
    assert isinstance(confidence, float)
    return TextLine(text, Box(**box), confidence)


def _memory(media_id: str, segment: int, passage: Passage) -> Memory:
    return Memory(
        id=memory_id(media_id, f"p{passage.order}"),
        media_id=media_id,
        segment=segment,
        level="passage",
        modality="text",
        locator=passage.locator,
        text=passage.text,
        order=passage.order,
        heading=passage.heading,
        boxes=passage.boxes,
    )


def _hint(media: Media) -> str:
    return f" ({media.notes[0].rstrip('.')})" if media.notes else ""
