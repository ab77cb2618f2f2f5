"""A folder that another library was exported to, taken into this one, media by media.

The folder is data from elsewhere: where files lie is told by their bytes alone, and a media whose
file did not come is pointed at a place in this library where nothing lies.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.carried import Carried, Manifest
from memqa.chats import turn_from
from memqa.export import copied
from memqa.ingest import LIVE, FileFacts, leased, sha256_of
from memqa.listening import Listener
from memqa.scope import proper_name
from memqa.stale import FINISHED
from memqa.store.schema import FILE_ABSENT, MediaRow
from models.errors import IngestCancelled, InputError, MemqaError, SetupError

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.store.source import Source

_ADDRESS = re.compile(r"webcam(:\d{1,3})?|screen|(https?|rtsps?|rtmp)://\S+")
_MOST_NAME_BYTES = 200


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the file of a media lies here; ``came`` says that it came with the folder."""

    path: str
    size_bytes: int
    mtime_ns: int
    came: bool = False
    note: str = ""


def bring(library: Library, folder: Path, listener: Listener) -> Iterator[Carried]:
    """Take in the media of an exported folder; see `Library.import_from`."""
    from memqa.store.source import Source

    folder = folder.expanduser().resolve()
    manifest = Manifest.read(folder)
    if folder == library.home:
        raise InputError(f"{folder} is the library itself; import it into another --home")
    if (folder / "tables").is_symlink():
        raise InputError(f"{folder / 'tables'} is a link; {folder} is no export of memqa")
    source = Source(folder)
    rows = sorted(source.media(), key=lambda row: row.media.added_at)
    if missing := {entry.id for entry in manifest.media} - {row.media.id for row in rows}:
        names = [entry.name for entry in manifest.media if entry.id in missing]
        raise InputError(f"{folder} is damaged: {names[0]} is not in it; export it again")
    bringing = _Bringing(library, folder, source, listener)
    for done, row in enumerate(rows):
        listener.progress("Taking in memories", done, len(rows), "media")
        yield bringing.media(row)
    bringing.collections({row.media.id for row in rows})
    bringing.chats()
    library.store.upkeep.compact()


class _Bringing:
    """One import under way."""

    def __init__(self, library: Library, folder: Path, source: Source, listener: Listener) -> None:
        self._library, self._store = library, library.store
        self._folder, self._source = folder, source
        self._listener = listener

    def media(self, row: MediaRow) -> Carried:
        """Take one media in, or say why not; what is at fault does not stop the others."""
        name = row.media.path
        try:
            with leased(self._store.home, row.media.id):
                return self._taken(row)
        except IngestCancelled:
            raise
        except OSError as exc:
            error = SetupError(
                f"{_name(row)} cannot be copied into {self._store.home}: {exc.strerror or exc}"
            )
            return Carried(name, "failed", row.media, error=error)
        except MemqaError as exc:
            return Carried(name, "failed", row.media, error=exc)

    def _taken(self, row: MediaRow) -> Carried:
        id_, known = row.media.id, self._known(row)
        if known is not None:
            came = None if Path(known.media.path).is_file() else self._copied(row)
            if came is not None:
                known = self._store.write.relocate(
                    id_, came.path, size_bytes=came.size_bytes, mtime_ns=came.mtime_ns
                )
            return Carried(known.media.path, "unchanged", known.media, with_file=came is not None)
        place = self._place(row)
        notes = (*row.media.notes, *filter(None, [place.note]))
        here = replace(
            row,
            media=replace(row.media, path=place.path, notes=notes),
            aliases=(),
            size_bytes=place.size_bytes,
            mtime_ns=place.mtime_ns,
        )
        try:
            taken = self._store.receive.take(self._source, here, should_stop=self._listener.stops)
            if taken is None:
                raise IngestCancelled("the import was stopped; run it again to go on")
        except BaseException:
            self._store.upkeep.forget(id_)
            if place.came:
                shutil.rmtree(Path(place.path).parent, ignore_errors=True)
            raise
        self._store.upkeep.after_commit()
        told = tuple(filter(None, [place.note]))
        return Carried(place.path, "imported", taken.media, with_file=place.came, notes=told)

    def _known(self, row: MediaRow) -> MediaRow | None:
        """Give the media as it is here already, unless the folder has more of it."""
        for other in self._store.read.media_rows():
            # Ids of memories begin with these characters; another media's would be overwritten.
            if other.media.id[:16] == row.media.id[:16] and other.media.id != row.media.id:
                raise InputError(f"{_name(row)} has an id that {other.media.name} has here")
        known = self._store.read.media_row(row.media.id)
        if known is None:
            return None
        is_less = known.media.status not in FINISHED and (
            row.media.status in FINISHED or known.committed_segment < row.committed_segment
        )
        return None if is_less else known

    # Where its file lies

    def _place(self, row: MediaRow) -> _Place:
        if LIVE in row.signatures and _ADDRESS.fullmatch(row.media.path):
            return _Place(row.media.path, 0, 0)
        found = self._copied(row) or self._here_already(row)
        if found is not None:
            return found
        nowhere = self._store.home / "uploads" / row.media.id[:12] / _name(row)
        lay = (row.aliases or (row.media.path,))[0]
        note = f"{FILE_ABSENT}; it lay at {lay}. To play or show it here: memqa index FILE"
        return _Place(str(nowhere), row.size_bytes, row.mtime_ns, note=note)

    def _copied(self, row: MediaRow) -> _Place | None:
        """Copy the file that came with the folder, if its bytes are those that were indexed."""
        file = _only_file(self._folder, row.media.id)
        if file is None:
            return None
        into = self._store.home / "uploads" / row.media.id[:12]
        copy = copied(file, into, row.media.id, self._listener)
        if copy is None:
            return None
        stat = copy.stat()
        return _Place(str(copy), stat.st_size, stat.st_mtime_ns, came=True)

    def _here_already(self, row: MediaRow) -> _Place | None:
        """Find a file of the same bytes where it lay on the other machine."""
        for path in map(Path, (row.media.path, *row.aliases)):
            with suppress(InputError, ValueError, OSError):
                if not path.is_absolute() or not path.is_file():
                    continue
                facts = FileFacts.of(path)
                same_size = facts.size_bytes == row.size_bytes
                if same_size and sha256_of(facts, self._listener) == row.media.id:
                    return _Place(str(facts.path), facts.size_bytes, facts.mtime_ns)
        return None

    # What ties them together

    def collections(self, came: set[str]) -> None:
        """Put the media that came into the collections they were in."""
        known = {media.id for media in self._store.read.media()}
        for name, members in self._source.collections():
            ids = [one for one in members if one in came & known]
            if ids:
                self._store.collections.add(proper_name(name), ids)

    def chats(self) -> None:
        """Add the turns that are not here yet."""
        known = {turn["id"] for turn in self._store.read.turns()}
        for turn in self._source.turns():
            if turn["id"] in known:
                continue
            try:
                turn_from(turn)
            except (KeyError, TypeError, ValueError, AttributeError) as exc:
                raise InputError(f"{self._folder} is damaged: a chat in it cannot be read") from exc
            self._store.write.add_turn(turn)


def _only_file(folder: Path, media_id: str) -> Path | None:
    """Give the one plain file that lies in the folder for a media; a link is none."""
    below = folder / "uploads" / media_id[:12]
    if below.is_symlink() or below.parent.is_symlink() or not below.is_dir():
        return None
    files = list(below.iterdir())
    if len(files) != 1 or files[0].is_symlink() or not files[0].is_file():
        return None
    return files[0]


def _name(row: MediaRow) -> str:
    """Give a name that a file may have here: the last part of a path, whatever else is in it."""
    name = row.media.path.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    is_usable = name not in ("", ".", "..") and len(name.encode()) <= _MOST_NAME_BYTES
    return name if is_usable else f"media-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
