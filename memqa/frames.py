"""The frames of a video at moments that its memory names: from its file, else as it kept them.

A file that was moved, changed or damaged since leaves the small pictures of the events; whoever
asks is told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.facts import FileFacts, sha256_of
from memqa.listening import Listener
from memqa.store.schema import MediaRow, Memory
from models.errors import BackendError, InputError
from models.values import Picture

if TYPE_CHECKING:
    from memqa.store.read import Reader

SIDE_PX = 768  # what models that see take without cutting a picture into many


@dataclass(frozen=True, slots=True)
class Shown:
    """Pictures, each with its moment, in the order asked for; ``note`` says what they lack.

    Moments without any picture are left out.
    """

    pictures: tuple[tuple[Memory, float, Picture], ...]
    note: str = ""


def show(
    reader: Reader,
    row: MediaRow,
    moments: Sequence[tuple[Memory, float]],
    *,
    side_px: int = SIDE_PX,
) -> Shown:
    """Give the frames of one video at times within its events, at most ``side_px`` on a side."""
    from vidmem.video import stills

    file = _file_of(row)
    note = f"the file {row.media.path} is not there as it was indexed"
    if file is not None:
        try:
            found = stills(file, [at_s for _, at_s in moments], side_px=side_px)
            pairs = zip(moments, found, strict=True)
            return Shown(tuple((event, at_s, picture) for (event, at_s), picture in pairs))
        except (InputError, BackendError) as exc:
            note = str(exc)
    return Shown(_kept(reader, moments), f"{note.rstrip('.')}; stored small pictures are used.")


def thumbnails(reader: Reader, memories: Sequence[Memory]) -> Mapping[str, bytes]:
    """Give the JPEGs of those memories that have one, by id."""
    found = {one.id: reader.thumbnail(one.id) for one in memories if one.has_thumbnail}
    return {name: blob for name, blob in found.items() if blob is not None}


def _kept(
    reader: Reader, moments: Sequence[tuple[Memory, float]]
) -> tuple[tuple[Memory, float, Picture], ...]:
    """Give each event's own picture once, whatever times in it were asked for."""
    from vidmem.frame import picture_of

    first: dict[str, tuple[Memory, float]] = {}
    for event, at_s in moments:
        first.setdefault(event.id, (event, at_s))
    blobs = thumbnails(reader, [event for event, _ in first.values()])
    return tuple((*first[name], picture_of(blob)) for name, blob in blobs.items())


def _file_of(row: MediaRow) -> Path | None:
    """Find the file among the paths it is known by; one that changed since is another file."""
    for path in (row.media.path, *row.aliases):
        try:
            facts = FileFacts.of(Path(path))
            if facts.fits(row) or (
                facts.size_bytes == row.size_bytes and _is_made_of(row.media.id, facts)
            ):
                return facts.path
        except (InputError, ValueError):
            continue
    return None


@lru_cache(maxsize=64)
def _is_made_of(media_id: str, facts: FileFacts) -> bool:
    """Compare a file that was touched or copied by its bytes, once."""
    return sha256_of(facts, Listener()) == media_id
