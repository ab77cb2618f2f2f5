"""Taking one file in: known or new, what kind, who may work on it, and how the work ended.

The memories themselves are made in ``ingest_video`` and ``ingest_document``. Whatever happens, and
whenever the process dies, the library holds whole segments only, and the next run goes on from the
last of them.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING
from uuid import uuid4

from memqa.addresses import is_address, is_whole
from memqa.engines import Engines
from memqa.kinds import identify
from memqa.listening import Listener
from memqa.near import did_you_mean
from memqa.room import writing_to
from memqa.settings import Settings
from memqa.stale import FINISHED, compared, indexed_with_others
from memqa.store.lock import locked
from memqa.store.schema import NO_COPY, NOTHING_COMMITTED, MediaRow
from memqa.values import Media, MediaStatus, Outcome, OutcomeStatus
from models.errors import (
    BackendError,
    IngestCancelled,
    InputError,
    MediaChanged,
    MediaGone,
    MemqaError,
    StoreConflict,
    UnreadableMedia,
    UnsupportedMedia,
)
from vidmem.memory.methods import DEFAULT, METHODS
from vidmem.values import MediaInfo

if TYPE_CHECKING:
    from memqa.kinds import Found
    from memqa.store.store import Store
    from vidmem.live import Live

log = logging.getLogger(__name__)

LIVE = "live"  # the signature of a media that came from a live source
_BLOCK_BYTES = 8 * 2**20
_MOST_NAMES = 10_000  # of a folder, among which a misspelt one is looked for


@dataclass(frozen=True, slots=True)
class Task:
    """One media being taken in: how far its last commit came, the opened file, whom to tell.

    ``earlier`` is what lay at the same path before the file was edited, to be replaced at the end.
    """

    row: MediaRow
    found: Found
    states: Mapping[str, bytes]
    listener: Listener
    earlier: MediaRow | None = None
    live: Live | None = None
    facts: FileFacts | None = None

    def check_file(self) -> None:
        """See that what was read till now are the bytes that the media is known by.

        Raises:
            MediaChanged: the file was changed meanwhile.
            MediaGone: it was removed.
        """
        if self.facts is not None:
            self.facts.check()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What tells cheaply whether a file changed.

    ``address`` is the name of the address that its bytes were fetched from; then the other facts
    are those of its server, and ``path`` is theirs only for a while.
    """

    path: Path
    size_bytes: int
    mtime_ns: int
    inode: int = 0
    address: str = ""

    @property
    def place(self) -> str:
        """Where the media lies, as it is stored."""
        return self.address or str(self.path)

    @classmethod
    def of(cls, path: Path) -> FileFacts:
        """Look at a file.

        Raises:
            UnsupportedMedia: it is a pipe, a socket or a device.
            UnreadableMedia: it is not there or may not be looked at.
        """
        try:
            stat = path.stat()
        except OSError as exc:
            near = did_you_mean(path.name, _names_beside(path))
            raise UnreadableMedia(f"there is no file {path}; check its name.{near}") from exc
        if not (S_ISREG(stat.st_mode) or S_ISDIR(stat.st_mode)):
            raise UnsupportedMedia(f"{path.name} is a pipe or a device and no file; copy it first")
        whole = path.resolve()
        try:
            str(whole).encode()
        except UnicodeEncodeError as exc:
            raise UnreadableMedia(
                f"the name {str(path)!a} is not written in UTF-8; rename the file or its folder"
            ) from exc
        return cls(whole, stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def check(self) -> None:
        """Look at the file again.

        Raises:
            MediaChanged: it is not the same any more, by all appearances.
            MediaGone: it is not there any more, or may not be looked at.
        """
        if self.address:  # what was fetched of it is ours alone
            return
        try:
            stat = self.path.stat()
        except OSError as exc:
            raise MediaGone(
                f"{self.path.name} was removed while it was being indexed; what is remembered of "
                f"it so far stays: put it back at {self.path.parent} and index it again"
            ) from exc
        if (stat.st_size, stat.st_mtime_ns, stat.st_ino) != (
            self.size_bytes,
            self.mtime_ns,
            self.inode,
        ):
            raise MediaChanged(
                f"{self.path.name} was changed while it was being indexed, so nothing of this "
                "state of it is kept; index it again once it is written to its end"
            )

    def fits(self, row: MediaRow) -> bool:
        """Say whether a media was made from this file, by all appearances."""
        if self.address and not self.mtime_ns:  # its server tells nothing of changes
            return False
        same = (self.place, self.size_bytes, self.mtime_ns)
        return same == (row.media.path, row.size_bytes, row.mtime_ns)

    @classmethod
    def of_address(cls, address: str) -> FileFacts:
        """Look at a media that lies at an address, without fetching it.

        Raises:
            InputError: there is none, or it may not be fetched.
            BackendError: it cannot be reached.
        """
        from memqa import remote

        name = remote.named(address)
        size_bytes, mark = remote.facts(address)
        return cls(Path(name), size_bytes, mark, address=name)


class Ingest:
    """Takes files into one library."""

    def __init__(self, store: Store, engines: Engines, settings: Settings) -> None:
        self._store = store
        self._engines = engines
        self._settings = settings

    def take(self, path: Path | str, *, method: str, listener: Listener) -> Outcome:
        """Take a file, or what lies at an address, in, or find that it is in already.

        Raises:
            InputError: the file or the method is at fault; nothing of the file is kept.
            SetupError: a model is missing.
            StoreConflict: another process is taking the same file in.
            BackendError: an address cannot be reached.
            IngestCancelled: the listener wished it; what is remembered so far stays.
        """
        if isinstance(path, str) and is_address(path):
            return self._take_address(path, method=method, listener=listener)
        started, chosen, path = time.monotonic(), self._method(method), Path(path)
        try:
            taken = self._found_or_taken(FileFacts.of(path), chosen, listener)
        except InputError:
            drop_upload(self._store.home, path)
            raise
        media, is_new = self._told(taken, method, listener)
        return _outcome(str(path), media, is_new, started)

    def _take_address(self, address: str, *, method: str, listener: Listener) -> Outcome:
        """Fetch it, for as long as it takes; nothing where it is known and did not change."""
        from memqa import remote

        started, chosen = time.monotonic(), self._method(method)
        listener.progress("Connecting", 0)
        facts = FileFacts.of_address(address)
        if (known := self._unchanged(facts)) is not None:
            taken = known, False
        else:
            limits, folder = self._settings.limits, self._store.home / "fetched"
            with remote.fetched(address, folder, limits=limits, listener=listener) as file:
                size_bytes = facts.size_bytes or file.stat().st_size
                here = replace(facts, path=file, size_bytes=size_bytes)
                taken = self._found_or_taken(here, chosen, listener)
        media, is_new = self._told(taken, method, listener)
        return _outcome(facts.place, media, is_new, started)

    def _found_or_taken(
        self, facts: FileFacts, method: str, listener: Listener
    ) -> tuple[Media, bool]:
        """Give the media of a file, and whether it was taken in now."""
        if (media := self._unchanged(facts)) is not None:
            return media, False
        found = self._identified(facts.path)
        media_id = sha256_of(facts, listener)
        if (media := self._same_bytes(media_id, facts)) is not None:
            return media, False
        return self._take(media_id, facts, (found, method), listener), True

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

    def take_again(self, row: MediaRow, facts: FileFacts, listener: Listener) -> Media:
        """Take a finished media in anew from its file, in its place; it can be asked as it grows.

        Raises:
            InputError: the file is at fault; the media stays, unfinished if it was begun.
            StoreConflict: another process works on it.
            IngestCancelled: the listener wished it; the next `memqa index` goes on.
        """
        media = row.media
        found = self._identified(facts.path)
        with leased(self._store.home, media.id):
            listener.progress("Loading models", 0)
            fresh = self._fresh(media.id, facts, found, self._method(media.method or "auto"))
            fresh = replace(
                fresh,
                media=replace(fresh.media, added_at=media.added_at),
                aliases=tuple(one for one in (media.path, *row.aliases) if one != facts.place),
            )
            begun = self._store.write.begin(fresh)
            listener.progress("Taking it in again as a whole", 0)
            try:
                return self._remembered(Task(begun, found, {}, listener, facts=facts))
            except BaseException as exc:
                # What could be asked before must not be lost, even if nothing is remembered yet.
                stopped = isinstance(exc, IngestCancelled) or not isinstance(exc, Exception)
                status: MediaStatus = "cancelled" if stopped else "failed"
                error = None if stopped else str(exc) or type(exc).__name__
                last = self._store.read.media_row(media.id) or begun
                self._store.write.settle(replace(last.media, status=status, error=error))
                raise

    def take_live(
        self, address: str, *, method: str, for_s: float | None, listener: Listener
    ) -> Outcome:
        """Watch a live source until it ends, ``for_s`` is over, or the listener wishes it.

        It is a media of its own, whose memories can be asked while it grows. It cannot be taken
        up again, so whatever ends it, what was seen stays.

        Raises:
            InputError: the address or the method is at fault; nothing is kept.
            SetupError: a model is missing, or this machine gives no access to the source.
            BackendError: the decoder died before anything was seen.
        """
        from memqa.ingest_video import open_live

        started = time.monotonic()
        method = self._method(method)
        most_s = self._settings.limits.max_video_hours * 3600
        wished_s = most_s if for_s is None else min(for_s, most_s)
        listener.progress("Connecting", 0)
        live = open_live(address, self._settings.video, for_s=wished_s, listener=listener)
        with closing(live):
            listener.progress("Loading models", 0)
            facts = FileFacts(Path(live.info.path), 0, 0)
            row = self._fresh(uuid4().hex + uuid4().hex, facts, live.info, method)
            row = replace(
                row,
                media=replace(row.media, path=live.info.path),
                signatures={**row.signatures, LIVE: live.info.container},
            )
            with leased(self._store.home, row.media.id):
                row = self._store.write.begin(row)
                listener.found(row.media)
                # its end is wished for, and what was seen till then is remembered all the same
                unhurried = replace(listener, should_stop=None)
                try:
                    media = self._remember(Task(row, live.info, {}, unhurried, live=live))
                except BaseException as exc:
                    settle_unfinished(self._store, row.media.id, exc)
                    raise
                self._store.upkeep.compact()
        ended: OutcomeStatus = "partial" if media.status == "partial" else "indexed"
        return Outcome(live.info.path, ended, media, elapsed_s=time.monotonic() - started)

    # Is it in already?

    def _unchanged(self, facts: FileFacts) -> Media | None:
        """Find the finished media of a file that has not changed since, without reading it."""
        for row in self._store.read.rows_at(facts.place):
            if row.media.status in FINISHED and not row.forgetting and facts.fits(row):
                return row.media
        return None

    def _compared(self, media: Media) -> Media:
        """Note of a media that is in already whether other models than those in use made it."""
        row = self._store.read.media_row(media.id)
        if row is None:
            return media
        media = compared(media, row, self._engines.signatures())
        note = indexed_with_others(media)
        return replace(media, notes=(*media.notes, note)) if note else media

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

    # It is not

    def _method(self, method: str) -> str:
        wished = self._settings.video.method if method == "auto" else method
        chosen = DEFAULT if wished == "auto" else wished
        if chosen not in METHODS:
            raise InputError(f"no memory method {chosen!r}; there are: auto, {', '.join(METHODS)}")
        return chosen

    def _identified(self, path: Path) -> Found:
        found = identify(path)
        limit_h = self._settings.limits.max_video_hours
        if isinstance(found, MediaInfo) and (found.duration_s or 0) > limit_h * 3600:
            raise InputError(
                f"{path.name} runs for {(found.duration_s or 0) / 3600:.1f} hours, the settings "
                f"allow {limit_h:g}; raise limits.max_video_hours"
            )
        return found

    def _take(
        self, media_id: str, facts: FileFacts, what: tuple[Found, str], listener: Listener
    ) -> Media:
        found, method = what
        with leased(self._store.home, media_id):
            # Another process may have finished it between our look and our lease.
            if (media := self._same_bytes(media_id, facts)) is not None:
                return media
            self._forget_to_the_end(media_id)
            listener.progress("Loading models", 0)
            row = self._store.write.begin(self._fresh(media_id, facts, found, method))
            listener.found(row.media)
            states, earlier = self._store.read.states(media_id), self._earlier(row.media)
            try:
                media = self._remembered(Task(row, found, states, listener, earlier, facts=facts))
            except BaseException as exc:
                settle_unfinished(self._store, media_id, exc)
                raise
            # From here on it is whole: what fails or is stopped now does not undo that.
            if not self._replace_earlier(media):
                self._store.upkeep.compact()
        return media

    def _forget_to_the_end(self, media_id: str) -> None:
        """Finish forgetting what is now added again, where a killed process only began to."""
        row = self._store.read.media_row(media_id)
        if row is not None and row.forgetting:
            self._store.upkeep.repair()

    def _fresh(self, media_id: str, facts: FileFacts, found: Found, method: str) -> MediaRow:
        is_video = isinstance(found, MediaInfo)
        media = Media(
            id=media_id,
            path=facts.place,
            kind=found.kind if isinstance(found, MediaInfo) else "document",
            status="indexing",
            duration_s=found.duration_s if isinstance(found, MediaInfo) else None,
            pages=None if isinstance(found, MediaInfo) else found.pages,
            method=method if is_video else "",
            added_at=self._now_at(facts.place),
            notes=(*found.notes, *((NO_COPY,) if facts.address else ())),
        )
        return MediaRow(
            media,
            size_bytes=facts.size_bytes,
            mtime_ns=facts.mtime_ns,
            signatures=self._signatures(method if is_video else None),
        )

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

    def _signatures(self, method: str | None) -> dict[str, str]:
        """Name what the states of an unfinished media depend on, so that a change is noticed."""
        signatures = {"text": self._engines.text_encoder().signature}
        if method is None:
            from docmem.passages import PassageParams

            settings = f"{self._settings.document.model_dump_json()} {PassageParams()}"
            return signatures | {"settings": settings}
        signatures["image"] = self._engines.image_encoder().signature
        if self._settings.video.listen:
            signatures["speech"] = self._engines.transcriber().signature
        if self._settings.video.read_screen:
            signatures["reader"] = self._engines.text_reader().signature
        from memqa.ingest_video import manner

        return signatures | {"settings": manner(self._settings.video, method)}

    def _remembered(self, task: Task) -> Media:
        """Remember a file; one that fails since it was changed or removed is not called damaged."""
        try:
            return self._remember(task)
        except (InputError, BackendError):
            task.check_file()
            raise

    def _remember(self, task: Task) -> Media:
        if isinstance(task.found, MediaInfo):
            from memqa.ingest_video import VideoIngest

            return VideoIngest(self._store, self._engines, self._settings.video).run(task)
        from memqa.ingest_document import DocumentIngest

        return DocumentIngest(self._store, self._engines, self._settings.document).run(task)

    # How it ended

    def _earlier(self, media: Media) -> MediaRow | None:
        """Find the newest finished media that the same path held before its file was changed."""
        rows = [row for row in self._replaced(media) if row.media.status in FINISHED]
        return max(rows, key=lambda row: row.media.added_at, default=None)

    def _replace_earlier(self, media: Media) -> bool:
        """Forget the media that the same path held before; say whether one was forgotten."""
        forgotten = False
        for row in self._replaced(media):
            if others := [one for one in row.aliases if is_address(one) or Path(one).exists()]:
                self._store.write.relocate(row.media.id, others[0], size_bytes=0, mtime_ns=0)
            else:
                self._store.collections.replace(row.media.id, media.id)
                forgotten |= self._store.upkeep.forget(row.media.id, chats_too=False)
        return forgotten

    def _replaced(self, media: Media) -> list[MediaRow]:
        """Give the media that the same path held; an address told in part may be another's."""
        if is_address(media.path) and not is_whole(media.path):
            return []
        return [
            row
            for row in self._store.read.rows_at(media.path)
            if row.media.id != media.id and row.media.added_at <= media.added_at
        ]


def outcome_of(path: str, work: Callable[[], Outcome]) -> Outcome:
    """Give the outcome of the work on one file, whatever happens in it."""
    started = time.monotonic()
    try:
        return work()
    except IngestCancelled as exc:
        return Outcome(path, "cancelled", error=exc, elapsed_s=time.monotonic() - started)
    except MemqaError as exc:
        return Outcome(path, "failed", error=exc, elapsed_s=time.monotonic() - started)
    except Exception as exc:  # one file must never stop the batch
        log.exception("unexpected while indexing")
        return Outcome(path, "failed", error=exc, elapsed_s=time.monotonic() - started)


def settle_unfinished(store: Store, media_id: str, error: BaseException) -> None:
    """Keep what was committed for the next run; of a file that is at fault, keep nothing."""
    row = store.read.media_row(media_id)
    if row is None or row.forgetting:
        return
    if isinstance(error, InputError) or row.committed_segment == NOTHING_COMMITTED:
        store.upkeep.forget(media_id)
    elif isinstance(error, Exception) and not isinstance(error, IngestCancelled):
        text = str(error) or type(error).__name__
        store.write.settle(replace(row.media, status="failed", error=text))
    else:
        store.write.settle(replace(row.media, status="cancelled"))


def _outcome(place: str, media: Media, is_new: bool, started: float) -> Outcome:
    ended: OutcomeStatus = "partial" if media.status == "partial" else "indexed"
    status = ended if is_new else "unchanged"
    return Outcome(place, status, media, elapsed_s=time.monotonic() - started)


def settle_abandoned(store: Store, waiting: Collection[str] = ()) -> None:
    """Settle media whose process died while it took them in, so that they can be gone on with.

    Those with an id or a path in ``waiting`` are left to the worker, which takes them up itself. A
    live source cannot be taken up again: what was seen of it is kept as it is.
    """
    for row in store.read.media_rows():
        if _is_left(row) and not {row.media.id, row.media.path} & set(waiting):
            with suppress(StoreConflict), leased(store.home, row.media.id):
                # It may have come to its end between our look and our lease.
                last = store.read.media_row(row.media.id)
                if last is not None and _is_left(last):
                    _settle(store, last)


def _is_left(row: MediaRow) -> bool:
    return row.media.status == "indexing" and not row.forgetting


def _settle(store: Store, row: MediaRow) -> None:
    if LIVE not in row.signatures:
        store.write.settle(replace(row.media, status="cancelled"))
    elif row.committed_segment == NOTHING_COMMITTED:
        store.upkeep.forget(row.media.id)
    else:
        notes = (*row.media.notes, "Watching was cut short.")
        store.write.settle(replace(row.media, status="partial", notes=notes))


def _names_beside(path: Path) -> list[str]:
    with suppress(OSError):
        return [one.name for one in islice(path.parent.iterdir(), _MOST_NAMES)]
    return []


@contextmanager
def leased(home: Path, media_id: str, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Be the only one, over all processes and machines, who works on a media.

    Raises:
        StoreConflict: another one does.
        DiskFull, ReadOnly: the library's folder cannot be written to.
    """
    from memqa.store.ground import ground_of

    name = f"media-{media_id[:16]}"
    path = home / "locks" / f"{name}.lock"
    with ExitStack() as stack:
        with writing_to(home):
            held = stack.enter_context(locked(path, timeout_s=timeout_s))
        if not held:
            raise StoreConflict("this file is being indexed by another process; wait for that one")
        try:
            with ground_of(home).leased(name, timeout_s=timeout_s):
                yield
        finally:
            with suppress(OSError):  # Windows keeps a file that is open; an empty one may stay.
                path.unlink()


def drop_upload(home: Path, path: Path) -> None:
    """Delete a file that was uploaded into this library; any other file is left alone."""
    if is_upload(home, path):
        folder = path.resolve().relative_to((home / "uploads").resolve()).parts[0]
        shutil.rmtree(home / "uploads" / folder, ignore_errors=True)


def is_upload(home: Path, path: Path) -> bool:
    """Say whether a file lies among those that were uploaded into this library."""
    try:
        return (home / "uploads").resolve() in path.resolve().parents
    except (OSError, RuntimeError):  # a link that leads to itself, as pathlib before 3.13 says it
        return False


def sha256_of(facts: FileFacts, listener: Listener) -> str:
    """Hash a file's bytes.

    Raises:
        UnreadableMedia: they cannot be read.
        IngestCancelled: the listener wished it.
    """
    digest, done = hashlib.sha256(), 0
    try:
        with facts.path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                if listener.stops():
                    raise IngestCancelled(f"stopped while checking {facts.path.name}")
                digest.update(block)
                done += len(block)
                listener.progress("Checking the file", done, facts.size_bytes, "bytes")
    except OSError as exc:
        raise UnreadableMedia(f"{facts.path.name} cannot be read: {exc.strerror}") from exc
    return digest.hexdigest()
