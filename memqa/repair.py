"""What is damaged in a library, found and put right where it can be, one check for each sort.

Each looks first; only when told to does it mend, and then says what it did. What another process is
at work on is left alone.
"""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.alone import leased
from memqa.doctor import Check, can_be_read
from memqa.homes import told
from memqa.jobs import Queue
from memqa.room import writing_to
from memqa.stale import FINISHED, LIVE
from memqa.store.broken import broken_tables, mend
from models.errors import MemqaError, StoreConflict

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.store.schema import MediaRow

log = logging.getLogger(__name__)

REPAIR = "memqa doctor --repair"
_NAMED = 3  # so many names stand in a line
_FRESH_S = 3600.0  # an upload may lie for a while before its media begins


def checks(library: Library, *, mending: bool = False) -> list[Check]:
    """Look for damage, and mend it where ``mending``; loads a model only to make vectors anew."""
    found: list[Check] = []
    try:
        for check in _each(library, mending):
            found.append(check)
    except MemqaError as exc:
        found.append(Check("the rest", "problem", f"could not be looked at: {exc}"))
    return found


def _each(library: Library, mending: bool) -> Iterator[Check]:
    if not can_be_read(library.home):
        return
    tables = list(_tables(library.home, mending=mending))
    yield from tables
    if not is_unreadable(tables):
        yield from _Looking(library, mending).all()


def is_unreadable(found: Sequence[Check]) -> bool:
    """Say whether a table cannot be read, so that nothing else can be looked at."""
    return any(one.name.startswith("table ") and one.finding == "problem" for one in found)


def _tables(home: Path, *, mending: bool) -> Iterator[Check]:
    found = broken_tables(home)
    if not found:
        yield Check("tables", "ok", "every row of every table can be read")
    for broken in found:
        name, done = f"table {broken.name}", mend(home, broken.name) if mending else ""
        able = broken.is_torn or broken.older is not None or broken.is_derived
        if done:
            yield Check(name, "note", f"mended: {done}")
        elif able:
            yield Check(name, "problem", f"cannot be read: {broken.why}", REPAIR)
        else:
            yield Check(
                name,
                "problem",
                f"cannot be read, nor is there an older version of it: {broken.why}",
                f"put {told(home)} back from a copy, or index your files into a new --home",
            )


@dataclass(frozen=True, slots=True)
class _Looking:
    """The checks of one run over a library whose tables can be read."""

    library: Library
    mending: bool

    def all(self) -> Iterator[Check]:
        """Make every check; what one mends the next may rest on."""
        yield self._orphans()
        yield self._half_written()
        yield self._lone_vectors()
        yield self._lost()
        yield self._vectors()
        yield self._pictures()
        yield self._moved()
        yield self._uploads()
        yield self._indexes()

    def _told(self, name: str, well: str, wrong: str, done: str = "") -> Check:
        """Say that all is well, or what is wrong, or that it is mended."""
        if not wrong:
            return Check(name, "ok", well)
        if self.mending:
            return Check(name, "note", f"mended: {done or wrong}")
        return Check(name, "problem", wrong, REPAIR)

    def _orphans(self) -> Check:
        damage = self.library.store.damage
        many = sum(loose.rows for loose in damage.orphans())
        if many and self.mending:
            damage.drop_orphans()
        wrong = f"{many} rows belong to no file of this library" if many else ""
        done = f"deleted {many} rows that belonged to no file"
        return self._told("rows without file", "none", wrong, done)

    def _half_written(self) -> Check:
        store = self.library.store
        found = [
            row.media.name
            for row in store.damage.half_written(self._free())
            if not self.mending or self._alone(row, store.write.drop_beyond)
        ]
        wrong = f"there is half a segment of {_names(found)}" if found else ""
        done = f"removed half a segment of {_names(found)}"
        return self._told("segments", "all whole", wrong, done)

    def _lone_vectors(self) -> Check:
        damage = self.library.store.damage
        many = sum(loose.rows for loose in damage.lone_vectors())
        if many and self.mending:
            damage.drop_lone_vectors()
        wrong = f"{many} vectors belong to no memory" if many else ""
        done = f"deleted {many} vectors that belonged to no memory"
        return self._told("vectors without memory", "none", wrong, done)

    def _lost(self) -> Check:
        """What holds too little cannot be mended from within: its file has to be read again."""
        store = self.library.store
        short = store.damage.short(self._free())
        # An element's vector is made from pictures that are not kept.
        lacking = store.damage.without_vectors(self._free())
        blind = {
            media_id
            for media_id, ids in lacking.items()
            if any(memory.level == "long" for memory in store.read.memories_by_id(ids).values())
        }
        lost = [row for row in self._free() if row in short or row.media.id in blind]
        if not lost:
            return Check("memories", "ok", "as many as there were")
        # What was watched live has no file to be read again.
        again = [row for row in lost if LIVE not in row.signatures]
        for row in again if self.mending else ():
            self._alone(row, store.damage.give_up)
        paths = " ".join(shlex.quote(row.media.path) for row in again[:_NAMED])
        index = f"memqa index {paths}{' …' if len(again) > _NAMED else ''}"
        if not again:
            index = "nothing brings back what was watched live; the rest can be asked as before"
        elif not self.mending:
            index = f"{REPAIR}, then {index}"
        names = _names([row.media.name for row in lost])
        return Check("memories", "problem", f"some are lost of {names}", index)

    def _vectors(self) -> Check:
        """Count memories without a vector of the model that their media was made with."""
        store, free = self.library.store, self._free()
        lacking = store.damage.without_vectors(free)
        many = sum(len(ids) for ids in lacking.values())
        if not many or not self.mending:
            wrong = f"{many} memories have no vector and are found by their words alone"
            return self._told("memories without vector", "none", wrong if many else "")
        made = sum(self._made_vectors(row, lacking.get(row.media.id, ())) for row in free)
        if made == many:
            return Check("memories without vector", "note", f"mended: made {made} vectors anew")
        return Check(
            "memories without vector",
            "problem",
            f"made {made} of {many} vectors anew; the rest is of another model, or being worked on",
            "memqa reindex",
        )

    def _made_vectors(self, row: MediaRow, ids: Sequence[str]) -> int:
        """Make the vectors of these memories of a media again, and count them."""
        from memqa.embedding import text_batch
        from memqa.listening import Listener

        if not ids:
            return 0
        store, encoder = self.library.store, self.library.engines.text_encoder()
        if row.signatures.get("text") != encoder.signature:
            return 0
        found = store.read.memories_by_id(ids).values()
        owners = [memory for memory in found if memory.level != "long"]  # made of pictures
        batch = text_batch(encoder, owners, Listener())
        is_made = self._alone(row, lambda _: store.write.add_vectors(batch, owners))
        return len(batch.ids) if is_made else 0

    def _pictures(self) -> Check:
        from memqa.pictures import made_again

        store = self.library.store
        lacking = store.damage.without_picture()
        many = sum(len(ids) for ids in lacking.values())
        if not many:
            return Check("pictures", "ok", "none is missing")
        if not self.mending:
            return Check("pictures", "problem", f"{many} small pictures are missing", REPAIR)
        made = sum(made_again(store, media_id, ids) for media_id, ids in lacking.items())
        told = f"mended: made {made} of {many} small pictures again"
        if made == many:
            return Check("pictures", "note", told)
        return Check("pictures", "note", told, "the rest needs the videos' files where they were")

    def _moved(self) -> Check:
        from memqa.moved import Search, is_absent

        store, found, absent = self.library.store, [], []
        search = Search(store.home)
        for row in store.read.media_rows():
            if row.forgetting or LIVE in row.signatures or not is_absent(row):
                continue
            if there := search.found(row):
                found.append(row.media.name)
                if self.mending:
                    at = there.stat()
                    store.write.relocate(
                        row.media.id, str(there), size_bytes=at.st_size, mtime_ns=at.st_mtime_ns
                    )
            else:
                absent.append(row.media.name)
        if found and not self.mending:
            return Check("files", "problem", f"{_names(found)} lie elsewhere now", REPAIR)
        told = f"mended: noted where {_names(found)} lie now" if found else ""
        if not absent:
            return Check("files", "note" if found else "ok", told or "all where they were")
        gone = f"{_names(absent)} not found; can be asked as before, but not shown or played"
        remedy = "put them back, or memqa index their new place, which is noted then"
        return Check("files", "note", "; ".join(filter(None, [told, gone])), remedy)

    def _uploads(self) -> Check:
        left = self._left_uploads()
        if left and self.mending:
            import shutil

            with writing_to(self.library.home):
                for folder in left:
                    shutil.rmtree(folder)
        wrong = f"{len(left)} were left behind by work that was cut short" if left else ""
        done = f"deleted {len(left)} that were left behind"
        return self._told("uploads", "each belongs to a file", wrong, done)

    def _left_uploads(self) -> list[Path]:
        """Find uploads that neither a media nor a job names, and that are not just being made."""
        uploads = self.library.home / "uploads"
        rows = self.library.store.read.media_rows()
        named = {path for row in rows for path in (row.media.path, *row.aliases)}
        # A job that failed or was cancelled too: it can be tried again.
        named |= {job.path for job in Queue(self.library.home).all()}
        used = {part for path in named for part in Path(path).parts}
        folders = [one for one in sorted(uploads.glob("*/")) if not one.is_symlink()]
        old = time.time() - _FRESH_S
        return [one for one in folders if one.name not in used and _touched_s(one) < old]

    def _indexes(self) -> Check:
        """A missing index makes searches slow, one that cannot be used makes them fail."""
        store = self.library.store
        lame, missing = store.indexes.lame(), store.indexes.missing()
        if not lame and not missing:
            return Check("indexes", "ok", "all there that are needed")
        if self.mending:
            store.indexes.rebuild(lame)
            store.upkeep.compact()
            return Check("indexes", "note", f"mended: made {_names([*lame, *missing])} anew")
        parts = [f"{_names(lame)} cannot be used" if lame else ""]
        parts.append(f"{_names(missing)} not made yet, searches are slower" if missing else "")
        return Check(
            "indexes", "problem" if lame else "note", "; ".join(filter(None, parts)), REPAIR
        )

    def _alone(self, row: MediaRow, mend: Callable[[str], object]) -> bool:
        """Mend a media; False where another process is at work on it, or was since we looked."""
        store = self.library.store
        try:
            with leased(store.home, row.media.id):
                if store.read.media_row(row.media.id) != row:
                    return False
                mend(row.media.id)
        except StoreConflict as exc:
            log.info("%s is left alone: %s", row.media.id[:16], exc)
            return False
        return True

    def _free(self) -> list[MediaRow]:
        """Give the media that are finished."""
        rows = self.library.store.read.media_rows()
        return [row for row in rows if row.media.status in FINISHED and not row.forgetting]


def _touched_s(folder: Path) -> float:
    """Tell when something last came into a folder, or grew in it."""
    try:
        return max(one.stat().st_mtime for one in (folder, *folder.iterdir()))
    except FileNotFoundError:  # it got its name, or went, just now
        return time.time()


def _names(names: Sequence[str] | Collection[str]) -> str:
    several = list(names)
    more = len(several) - _NAMED
    return ", ".join(several[:_NAMED]) + (f" and {more} more" if more > 0 else "")
