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

from memqa.addresses import is_address, shown
from memqa.alone import leased
from memqa.carried import Carried, Manifest
from memqa.chats import turn_from
from memqa.copying import SPARE_BYTES, copied, drop_if_empty, only_file
from memqa.facts import FileFacts, sha256_of
from memqa.homes import refuse_address
from memqa.listening import Listener
from memqa.scope import proper_name
from memqa.stale import FINISHED, LIVE
from memqa.store.schema import FILE_ABSENT, NOTHING_COMMITTED, MediaRow
from models.errors import IngestCancelled, InputError, MemqaError, SetupError

if TYPE_CHECKING:
    from memqa.opened import Opened
    from memqa.store.source import Source, Space

_ADDRESS = re.compile(r"webcam(:\d{1,3})?|screen|(https?|rtsps?|rtmp)://\S+")
_MOST_NAME_BYTES = 200


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the file of a media lies here.

    ``came`` says that it came with the folder, ``is_new`` that it was copied just now.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    came: bool = False
    is_new: bool = False
    notes: tuple[str, ...] = ()


def bring(library: Opened, folder: Path, listener: Listener) -> Iterator[Carried]:
    """Take in the media of an exported folder; see `Library.import_from`."""
    from memqa.store.source import Source

    refuse_address(folder, "`memqa --home s3://BUCKET/PREFIX export DIR` makes one of a library")
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

    def __init__(self, library: Opened, folder: Path, source: Source, listener: Listener) -> None:
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
        known = self._known(row)
        if known is not None and known.committed_segment > NOTHING_COMMITTED:
            return self._unchanged(row, known)
        for space in self._source.spaces(row):
            self._prove(space)
        place = self._place(row, known)
        notes = [one for one in row.media.notes if not one.startswith(FILE_ABSENT)]
        paths = (known.media.path, *known.aliases) if known else ()
        here = replace(
            row,
            media=replace(row.media, path=place.path, notes=(*notes, *place.notes)),
            aliases=tuple(one for one in dict.fromkeys(paths) if one != place.path),
            size_bytes=place.size_bytes,
            mtime_ns=place.mtime_ns,
        )
        try:
            taken = self._store.receive.take(self._source, here, should_stop=self._listener.stops)
            if taken is None:
                raise IngestCancelled("the import was stopped; run it again to go on")
        except BaseException:
            # Only what this run made: chats and collections may know of the media for long.
            self._store.receive.undo(row.media.id, known)
            self._store.upkeep.drop_unused()
            if place.is_new:
                Path(place.path).unlink(missing_ok=True)
                drop_if_empty(Path(place.path).parent)
            raise
        self._store.upkeep.after_commit()
        return Carried(place.path, "imported", taken.media, with_file=place.came, notes=place.notes)

    def _known(self, row: MediaRow) -> MediaRow | None:
        """Give the media as it is here already."""
        for other in self._store.read.media_rows():
            # Ids of memories begin with these characters; another media's would be overwritten.
            if other.media.id[:16] == row.media.id[:16] and other.media.id != row.media.id:
                raise InputError(f"{_name(row)} has an id that {other.media.name} has here")
        known = self._store.read.media_row(row.media.id)
        if known is not None and known.forgetting:  # whoever forgot it was killed
            self._store.upkeep.repair()
            return None
        return known

    def _unchanged(self, row: MediaRow, known: MediaRow) -> Carried:
        """Leave what is here as it is, even half indexed: it could not be put back if cut short."""
        notes: tuple[str, ...] = ()
        came: _Place | None = None
        if known.media.status not in FINISHED and (
            row.media.status in FINISHED or known.committed_segment < row.committed_segment
        ):
            notes = (
                "It is half indexed here, and stays so: `memqa index FILE` goes on with it; to "
                f"have what came instead, `memqa forget {known.media.id[:8]}` and import again.",
            )
        if known.media.status in FINISHED and not known.settled:  # an earlier run ended just then
            known = self._store.write.settle(known.media)
        if not _is_file(known.media.path):
            came = self._copied(row)
        if came is not None:
            known = self._store.write.relocate(
                known.media.id, came.path, size_bytes=came.size_bytes, mtime_ns=came.mtime_ns
            )
        return Carried(
            known.media.path, "unchanged", known.media, with_file=came is not None, notes=notes
        )

    def _prove(self, space: Space) -> None:
        """Refuse vectors that are not what the encoder of their name makes.

        Their table would else be in the way of all that is indexed here later.
        """
        if self._store.receive.knows(space):
            return
        engines = self._library.engines
        in_use = engines.signatures()
        true: tuple[str, int] | None = None
        if space.signature == in_use.get("text"):
            true = "cosine", engines.text_encoder().dim
        elif space.signature == in_use.get("image"):
            true = engines.image_encoder().metric, engines.image_encoder().dim
        if true not in (None, (space.metric, space.dim)):
            raise InputError(
                f"{self._folder} is damaged: its vectors are not those of the encoder that they "
                "are named after; export it again"
            )

    # Where its file lies

    def _place(self, row: MediaRow, known: MediaRow | None) -> _Place:
        if LIVE in row.signatures and _ADDRESS.fullmatch(row.media.path):
            return _Place(row.media.path, 0, 0)
        if is_address(row.media.path) and (only := self._at_address(row, known)) is not None:
            return only
        lay = (row.media.path, *row.aliases)
        found = self._here_already(row, (known.media.path, *known.aliases)) if known else None
        found = found or self._copied(row) or self._here_already(row, lay)
        if found is not None:
            return found
        nowhere = self._store.home / "uploads" / row.media.id[:12] / _name(row)
        last = (row.aliases or (row.media.path,))[0]
        note = f"{FILE_ABSENT}; it lay at {last}. To play or show it here: memqa index FILE"
        return _Place(str(nowhere), row.size_bytes, row.mtime_ns, notes=(note,))

    def _at_address(self, row: MediaRow, known: MediaRow | None) -> _Place | None:
        """Keep the address of a media whose file neither came nor lies here, as what it is called.

        That it has no size here tells that nobody gave it here, so that it is never fetched.
        """
        lay = (*row.aliases, *((known.media.path, *known.aliases) if known else ()))
        if self._here_already(row, lay) is not None or only_file(self._folder, row.media.id):
            return None
        return _Place(shown(row.media.path), 0, 0)

    def _copied(self, row: MediaRow) -> _Place | None:
        """Copy the file that came with the folder, if its bytes are those that were indexed."""
        file = only_file(self._folder, row.media.id)
        if file is None or file.lstat().st_size != row.size_bytes:
            return None
        target = self._store.home / "uploads" / row.media.id[:12] / _name(row)
        if target.exists():
            return self._left_there(target, row)
        free = shutil.disk_usage(self._store.home).free
        if row.size_bytes + SPARE_BYTES > free:
            raise SetupError(
                f"the file of {_name(row)} needs {row.size_bytes / 1e9:.1f} GB, and "
                f"{free / 1e9:.1f} GB are free at {self._store.home}; free some room and import "
                "again"
            )
        if not copied(file, target, row.media.id, self._listener):
            return None
        stat = target.stat()
        return _Place(str(target), stat.st_size, stat.st_mtime_ns, came=True, is_new=True)

    def _left_there(self, target: Path, row: MediaRow) -> _Place:
        """Give the copy that an earlier run made; what else lies there is left alone."""
        facts = FileFacts.of(target)
        if sha256_of(facts, self._listener) != row.media.id:
            raise InputError(
                f"{target} is in the way of the file that came; move it elsewhere and import again"
            )
        return _Place(str(target), facts.size_bytes, facts.mtime_ns, came=True)

    def _here_already(self, row: MediaRow, lay: tuple[str, ...]) -> _Place | None:
        """Find a file of the same bytes at one of these places."""
        for path in map(Path, lay):
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
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
                raise InputError(f"{self._folder} is damaged: a chat in it cannot be read") from exc
            self._store.write.add_turn(turn)


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a folder that may not be looked into; a NUL in it
        return False


def _name(row: MediaRow) -> str:
    """Give a name that a file may have here: the last part of a path, whatever else is in it."""
    name = row.media.path.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    is_usable = name not in ("", ".", "..") and len(name.encode()) <= _MOST_NAME_BYTES
    return name if is_usable else f"media-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
