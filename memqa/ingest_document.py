"""A document, page by page, into memories: its passages, then the tree of summaries over them.

Passages are committed in batches, then the tree in batches of nodes. A run that goes on after a
stop reads the pages again, which is quick, but not what was read off pictures of pages, which is
slow. What the document said before it was edited is taken over where it still says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from docmem.kept import KeptPages
from memqa.embedding import text_batch
from memqa.engines import Engines
from memqa.kept import Kept, keep, load_gists, load_rewrites
from memqa.outline import OutlineTools, outline_commits
from memqa.settings import DocumentSettings
from memqa.store.rows import searched_text
from memqa.store.schema import ENRICHED, OUTLINE, PAGES, SCANS, Commit, Memory, memory_id
from memqa.task import Task
from memqa.values import Media, MediaStatus
from models.errors import EmptyMedia
from models.ports import TextReader
from models.values import Box, Picture, TextLine
from vidmem.values import MediaInfo

if TYPE_CHECKING:
    from docmem.pages import Page
    from docmem.passages import Passage
    from memqa.store.store import Store

_BATCH = 32
_KNOWN_WORK = 1 / 32  # what a passage costs whose vector is known, against a new one


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
            MediaChanged, MediaGone: the file was changed or removed meanwhile.
            IngestCancelled: the listener wished it.
        """
        kept = self._kept(task)
        media, segment, pages = self._read(task, kept)
        passages = self._store.read.memories(media.id, levels=["passage"])
        if not passages:
            raise EmptyMedia(f"{media.name} holds no text{_hint(media)}")
        done = {node.id for node in self._store.read.memories(media.id, levels=["summary"])}
        tools = OutlineTools(self._engines.text_encoder(), task.listener, kept)
        # With the first rows that hold a model's words goes what tells which extract stood there.
        states = pages.dump() | {k: v for k, v in kept.states.items() if k == ENRICHED}
        for commit in outline_commits(
            media, passages, first_segment=segment, done=done, tools=tools
        ):
            self._store.write.commit(replace(commit, states={**commit.states, **states}))
            states = {}
        task.check_file()
        status: MediaStatus = "indexed" if pages.are_whole else "partial"
        read_by = _reader_of(self._store.read.state(media.id, SCANS))
        row = self._store.write.settle(replace(media, status=status), signatures=read_by)
        return row.media

    def _kept(self, task: Task) -> Kept:
        """Give what the file's earlier state lends, and what an interrupted run made already."""
        signature = self._engines.text_encoder().signature
        kept = keep(self._store.read, task.earlier, signature)
        own = load_gists(task.states.get(OUTLINE))
        states = {**kept.states, **task.states}
        if SCANS in kept.states and SCANS in task.states:
            states[SCANS] = _both_scans(kept.states[SCANS], task.states[SCANS])
        rewrites = load_rewrites(states.get(ENRICHED))
        return replace(kept, gists={**kept.gists, **own}, rewrites=rewrites, states=states)

    def _read(self, task: Task, kept: Kept) -> tuple[Media, int, _Pages]:
        """Commit the passages that are not yet; give the next segment and the pages read."""
        from docmem.passages import cut

        media, segment = task.row.media, task.row.committed_segment + 1
        scans = _RememberedReader(self._engines, kept.states.get(SCANS))
        pages = _Pages(task, scans if self._settings.read_scans else None, kept.states.get(PAGES))
        stored = len(self._store.read.memories(media.id, levels=["passage"])) if segment else 0
        passages = islice(cut(pages), stored, None)
        for batch in _batches(passages, kept):
            media = replace(media, remembered_pages=pages.last, notes=pages.notes(media))
            media = self._commit(media, segment, batch, kept, task, scans)
            segment += 1
        media = replace(media, remembered_pages=pages.last, notes=pages.notes(media))
        return media, segment, pages

    def _commit(
        self,
        media: Media,
        segment: int,
        batch: Sequence[Passage],
        kept: Kept,
        task: Task,
        scans: _RememberedReader,
    ) -> Media:
        memories = [_memory(media.id, segment, passage) for passage in batch]
        vectors = text_batch(self._engines.text_encoder(), memories, task.listener, kept=kept)
        commit = Commit(segment, media, memories=memories, vectors=[vectors], states=scans.dump())
        task.check_file()
        row = self._store.write.commit(commit)
        self._store.upkeep.after_commit()
        return row.media


def _batches(passages: Iterator[Passage], kept: Kept) -> Iterator[list[Passage]]:
    """Part passages into what is committed at once: 32 new ones, or many more that are known."""
    batch: list[Passage] = []
    work = 0.0
    for passage in passages:
        batch.append(passage)
        is_known = kept.vector(searched_text(_memory("", 0, passage))) is not None
        work += _KNOWN_WORK if is_known else 1.0
        if work >= _BATCH:
            yield batch
            batch, work = [], 0.0
    if batch:
        yield batch


class _Pages:
    """The pages of a document as they are read, and what is worth noting about them."""

    def __init__(self, task: Task, reader: TextReader | None, kept: bytes | None) -> None:
        self._task = task
        self._reader = reader
        self._kept = KeptPages(kept or b"")
        self._notes: list[str] = []
        self.last = 0

    def __iter__(self) -> Iterator[Page]:
        from docmem.parse import read_pages

        assert not isinstance(self._task.found, MediaInfo)
        listener = self._task.listener
        for page in read_pages(
            self._task.found,
            reader=self._reader,
            kept=self._kept,
            on_progress=listener.on_progress,
            should_stop=listener.should_stop,
        ):
            self._notes += page.notes
            self.last = page.number
            yield page

    def dump(self) -> dict[str, bytes]:
        """Give the pages that need not be read again, as a state."""
        blob = self._kept.dump()
        return {PAGES: blob} if blob else {}

    @property
    def are_whole(self) -> bool:
        """Whether no page was left out or had something that could not be read."""
        assert not isinstance(self._task.found, MediaInfo)
        return self._task.found.is_whole and not self._notes

    def notes(self, media: Media) -> tuple[str, ...]:
        """Give the media's notes and those of the pages so far, once each."""
        return tuple(dict.fromkeys((*media.notes, *self._notes)))


def _reader_of(scans: bytes | None) -> dict[str, str]:
    """Name the reader that read pictures of pages, where any were read."""
    return {"reader": json.loads(scans)["signature"]} if scans else {}


def _both_scans(earlier: bytes, own: bytes) -> bytes:
    """Put together what was read off pictures of an earlier file and of its edit, by one reader."""
    known, newer = json.loads(earlier), json.loads(own)
    if known["signature"] == newer["signature"]:
        newer["read"] = known["read"] | newer["read"]
    return json.dumps(newer).encode()


class _RememberedReader:
    """A reader of pictures that is loaded when first needed and never reads one twice."""

    def __init__(self, engines: Engines, state: bytes | None) -> None:
        self._engines = engines
        told: dict[str, Any] = json.loads(state) if state else {"signature": "", "read": {}}
        self._signature: str = told["signature"]
        self._stored: dict[str, list[dict[str, object]]] = told["read"]
        self._read: dict[str, list[dict[str, object]]] = {}

    @property
    def signature(self) -> str:
        """The signature of the reader behind it."""
        return self._engines.text_reader().signature

    def read(self, picture: Picture) -> list[TextLine]:
        """Give the lines of text in reading order."""
        shape = str(picture.shape).encode()
        key = hashlib.sha256(shape + picture.tobytes()).hexdigest()
        if key not in self._read:
            if key in self._stored and self._signature == self.signature:
                self._read[key] = self._stored[key]
            else:
                lines = self._engines.text_reader().read(picture)
                self._read[key] = [asdict(line) for line in lines]
        return [_line(stored) for stored in self._read[key]]

    def dump(self) -> dict[str, bytes]:
        """Give everything read in this run as a state; nothing where nothing was."""
        if not self._read:
            return {}
        told = {"signature": self.signature, "read": self._read}
        return {SCANS: json.dumps(told).encode()}


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
