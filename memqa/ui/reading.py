"""What an answer found in a document: its places, the words it quotes, and the walk that led there.

Pure functions of an answer and of a page, but for `leaf`, which reads the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memqa.addresses import is_address
from memqa.store.schema import memory_id
from memqa.ui.leaves import Leaf
from memqa.values import Answer, Evidence, Media
from models.errors import InputError
from models.values import Box, PageSpan

if TYPE_CHECKING:
    from docmem.pages import DocumentInfo, Page

PAGE_PX = 1200
_KEPT = 16  # pages that stay drawn
Marks = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in a document that something asked for led to."""

    page: int
    page_end: int
    chars: str
    boxes: tuple[Box, ...]
    evidence: str

    def as_json(self) -> dict[str, Any]:
        """Give it as the page's places are told."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Walked:
    """The nodes and leaves of a tree that a walk opened, and those that led to what was cited."""

    opened: frozenset[str] = frozenset()
    led: frozenset[str] = frozenset()


def hits(evidence: Iterable[Evidence], media: Media) -> list[Hit]:
    """Give the places that evidence has in a document, in reading order."""
    found = {
        (one.locator.char_start, one.locator.char_end): Hit(
            one.locator.page,
            one.locator.page_end,
            f"{one.locator.char_start}-{one.locator.char_end}",
            one.boxes,
            one.id,
        )
        for one in evidence
        if one.media_id == media.id and isinstance(one.locator, PageSpan)
    }
    return [found[place] for place in sorted(found)]


def walked(answer: Answer, media: Media) -> Walked:
    """Tell which part of a media's tree the walk to an answer opened."""
    cited = {one for citation in answer.citations for one in citation.evidence}
    opened: set[str] = set()
    led: set[str] = set()
    for look in (step.look for step in answer.walk if step.look is not None):
        if look.media != media.id:
            continue
        path = [node.rpartition(":")[2] for node in look.path]
        opened.update(path)
        # A leaf of a document's tree is the passage of that name, one of a video's an event.
        if cited & {memory_id(media.id, name) for name in (path[-1], f"e{path[-1][1:]}")}:
            led.update(path)
    return Walked(frozenset(opened), frozenset(led))


def literal(evidence: Sequence[Evidence], wanted: str) -> list[Evidence]:
    """Keep what holds all the words that were looked for, if any does."""
    words = wanted.casefold().split()
    return [one for one in evidence if all(word in one.text.casefold() for word in words)]


def spans_of(text: str, wanted: Iterable[str]) -> Marks:
    """Find sentences in a text, however its lines break and whichever quotation marks it has."""
    found: set[tuple[int, int]] = set()
    for one in wanted:
        words = (re.escape(word).replace("'", "['’‘\"“”]") for word in one.split())
        pattern = r"\s+".join(words)
        if pattern:
            found.update(match.span() for match in re.finditer(pattern, text, re.IGNORECASE))
    return tuple(sorted(found))


def leaf(
    media: Media, page: int, *, marks: Marks = (), quoted: Sequence[str] = (), **boxes: Any
) -> Leaf:
    """Read a page of a document: as a picture where the format has one, else as marked text.

    ``marks`` are characters of the whole document; ``boxes`` are those of `Leaf`.

    Raises:
        InputError: the file is gone, or has no such page.
    """
    path, info = _opened(media)
    if info.format == "pdf":
        return Leaf(media, page, picture=_drawn(path, path.stat().st_mtime_ns, page), **boxes)
    found = _read(info, page)
    local = tuple((max(0, a - found.char_start), b - found.char_start) for a, b in marks)
    strong = spans_of(found.text, quoted)
    return Leaf(media, page, text=found.text, marks=local, strong=strong)


def quoted_boxes(media: Media, page: int, wanted: Sequence[str]) -> tuple[Box, ...]:
    """Find where on a page sentences stand; reading its text takes longer than drawing it."""
    from docmem.passages import boxes_between

    found = _read(_opened(media)[1], page)
    return tuple(
        box
        for a, b in spans_of(found.text, wanted)
        for box in boxes_between(found, found.char_start + a, found.char_start + b)
    )


def _opened(media: Media) -> tuple[Path, DocumentInfo]:
    path = Path(media.path)
    if is_address(media.path):
        raise InputError(
            f"It was fetched from {media.path} and no copy is kept, so its pages are not shown; "
            "what is remembered of it can be asked."
        )
    if not path.is_file():
        raise InputError(
            f"{path} is not there any more, so its pages cannot be shown; what is remembered of "
            "it can still be asked."
        )
    return path, _info(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=_KEPT)
def _info(path: Path, _changed_ns: int) -> DocumentInfo:
    from docmem.parse import open_document

    return open_document(path)


@lru_cache(maxsize=_KEPT)
def _drawn(path: Path, _changed_ns: int, page: int) -> bytes:
    from docmem.parse import page_picture

    return page_picture(path, page, width_px=PAGE_PX)


@lru_cache(maxsize=_KEPT)
def _read(info: DocumentInfo, page: int) -> Page:
    from docmem.parse import read_pages

    found = next((one for one in read_pages(info, reader=None, first_page=page)), None)
    if found is None:
        raise InputError(f"{info.path.name} has no page {page}.")
    return found
