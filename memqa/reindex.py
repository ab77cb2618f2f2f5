"""Bringing media up to date with the models in use: what of each is made anew, and what of it came.

Texts and pictures are made anew beside what there is (``renew``). What other models heard or read
runs through all that follows it, so that such a media is taken in again as a whole.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from memqa.addresses import is_address, is_whole
from memqa.alone import leased
from memqa.facts import FileFacts, sha256_of
from memqa.ingest import Ingest
from memqa.kinds import identify
from memqa.listening import Listener
from memqa.stale import FINISHED, LIVE, load, models_of, stale_of, unsure_of
from memqa.store.schema import MediaRow
from memqa.values import Media, Sense
from models.errors import IngestCancelled, InputError, MemqaError, StoreConflict, UnreadableMedia
from vidmem.values import MediaInfo

if TYPE_CHECKING:
    from memqa.opened import Opened
    from models.values import OnProgress, ShouldStop

log = logging.getLogger(__name__)

ReindexStatus: TypeAlias = Literal["reindexed", "unchanged", "partial", "failed", "cancelled"]
_WHOLE: tuple[Sense, ...] = ("speech", "reading")


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What became of one media: what was made anew, and what is still as other models made it.

    ``error`` tells why something is left; of a "partial" one the rest was done.
    """

    media: Media
    status: ReindexStatus
    renewed: tuple[Sense, ...] = ()
    left: tuple[Sense, ...] = ()
    notes: tuple[str, ...] = ()
    error: Exception | None = field(default=None, compare=False)
    elapsed_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Give the object of ``memqa reindex --json``."""
        error = self.error and {"type": type(self.error).__name__, "message": str(self.error)}
        return {
            "id": self.media.id,
            "path": self.media.path,
            "status": self.status,
            "renewed": list(self.renewed),
            "left": list(self.left),
            "notes": list(self.notes),
            "error": error or None,
            "elapsed_s": round(self.elapsed_s, 3),
        }


def chosen(library: Opened, names: Sequence[str] | str | None = None) -> list[Media]:
    """Give the media that are to be brought up to date; without ``names`` all that are stale.

    A model is loaded where nothing else tells whether it made one of them.

    Raises:
        InputError: a media that is not in the library.
        SetupError: a model that had to be loaded is missing.
    """
    wanted = library.scope(names).media_ids

    def named() -> list[Media]:
        return [one for one in library.media() if wanted is None or one.id in wanted]

    if unsure := {sense for one in named() for sense in one.unsure}:
        load(library.engines, unsure)
    return [one for one in named() if one.stale or wanted is not None]


def reindex(
    library: Opened,
    media: Sequence[Media],
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[Reindexed]:
    """Bring media up to date one after another, and say of each what became of it.

    One that fails does not stop the others. In the end the tables of models that no media uses any
    more are dropped.
    """
    listener = Listener(on_progress, should_stop)
    for one in media:
        outcome = _outcome(library, one, listener)
        yield outcome
        if outcome.status == "cancelled":
            return
    _tidy(library)
    library.store.upkeep.drop_unused()
    library.store.upkeep.compact()


def _outcome(library: Opened, media: Media, listener: Listener) -> Reindexed:
    started = time.monotonic()
    try:
        outcome = _one(library, media, listener)
    except IngestCancelled as exc:
        outcome = Reindexed(
            media, "cancelled", left=media.stale, notes=_begun(library, media), error=exc
        )
    except MemqaError as exc:
        outcome = Reindexed(media, "failed", left=media.stale, error=exc)
    except Exception as exc:  # one media must never stop the others
        log.exception("unexpected while reindexing")
        outcome = Reindexed(media, "failed", left=media.stale, error=exc)
    return replace(outcome, elapsed_s=time.monotonic() - started)


def _one(library: Opened, media: Media, listener: Listener) -> Reindexed:
    row = _finished(library, media)
    if not media.stale:
        return Reindexed(media, "unchanged")
    if not _heard(media.stale):
        return _parts(library, media, listener)
    with ExitStack() as held:
        try:
            file = held.enter_context(
                _file_of(library, row, "what is said or read in it", listener)
            )
        except UnreadableMedia as exc:
            return _parts(library, media, listener, exc)
        return _whole(library, row, media.stale, file, listener)


def _whole(
    library: Opened, row: MediaRow, stale: tuple[Sense, ...], file: FileFacts, listener: Listener
) -> Reindexed:
    """Take a media in again from its file, under the same id."""
    before = _written(library, row.media.id)
    ingest = Ingest(library.store, library.engines, library.settings)
    taken = ingest.take_again(row, file, listener)
    note = (
        f"It was taken in again as a whole, since another {models_of(_heard(stale))} "
        "changes all that follows."
    )
    return Reindexed(
        taken, "reindexed", renewed=stale, notes=(note, *_lost(library, row.media.id, before))
    )


def _parts(
    library: Opened, media: Media, listener: Listener, missing: UnreadableMedia | None = None
) -> Reindexed:
    """Make texts and pictures anew, each as far as it goes without what is ``missing``."""
    from memqa.renew import Renewal

    with leased(library.home, media.id), ExitStack() as held:
        row = _finished(library, media)
        stale = stale_of(row, library.engines.signatures())
        wanted = tuple(one for one in stale if one not in _WHOLE)
        film: MediaInfo | None = None
        if "image" in wanted:
            try:
                film = _film(held.enter_context(_file_of(library, row, "its pictures", listener)))
            except UnreadableMedia as exc:
                missing = missing or exc
                wanted = tuple(one for one in wanted if one != "image")
        left = tuple(one for one in stale if one not in wanted)
        if not wanted:
            if missing is not None:
                raise missing
            return Reindexed(media, "unchanged")
        before = _written(library, media.id)
        listener.progress("Loading models", 0)
        renewal = Renewal(library.store, library.engines, library.settings.video, listener)
        row = renewal.run(row, wanted, film)
        notes = _lost(library, media.id, before)
    done = replace(row.media, stale=left)
    if left:
        return Reindexed(done, "partial", wanted, left, notes, error=missing)
    return Reindexed(done, "reindexed", wanted, notes=notes)


def _finished(library: Opened, media: Media) -> MediaRow:
    row = library.store.read.media_row(media.id)
    if row is None or row.forgetting:
        raise StoreConflict(f"{media.name} was forgotten meanwhile")
    if row.media.status not in FINISHED:
        raise InputError(
            f"{media.name} is not indexed to its end; go on with it: memqa index {media.path}"
        )
    return row


def _film(file: FileFacts) -> MediaInfo:
    found = identify(file.path)
    if not isinstance(found, MediaInfo):
        raise UnreadableMedia(f"{file.place} is no video any more")
    return found


@contextmanager
def _file_of(library: Opened, row: MediaRow, what: str, listener: Listener) -> Iterator[FileFacts]:
    """Find the file that a media was made from, by its bytes, or fetch it for a while.

    Raises:
        UnreadableMedia: it was a live source, or the file is gone or another one by now.
    """
    if LIVE in row.signatures:
        raise UnreadableMedia(
            f"{row.media.name} was a live source, which cannot be watched again; {what} can only "
            "be searched with the model that it was watched with"
        )
    there = [Path(path) for path in (row.media.path, *row.aliases) if Path(path).is_file()]
    for path in there:
        facts = FileFacts.of(path)
        if facts.fits(row) or sha256_of(facts, listener) == row.media.id:
            yield facts
            return
    if not there and is_address(row.media.path):
        with _fetched(library, row, listener) as facts:
            yield facts
        return
    state = "is another one than was indexed" if there else "is missing"
    raise UnreadableMedia(
        f"the file at {row.media.path} {state}, and {what} can only be made anew from it; put it "
        "back and run `memqa reindex` again"
    )


@contextmanager
def _fetched(library: Opened, row: MediaRow, listener: Listener) -> Iterator[FileFacts]:
    """Fetch a media again from the address that a person gave here.

    Raises:
        UnreadableMedia: it was not given here or in part only, or other bytes lie there by now.
        BackendError: it cannot be reached.
    """
    from memqa import remote

    address = row.media.path
    again = f"give the address again: memqa index {address.partition('://')[0]}://…"
    if not row.size_bytes:
        raise UnreadableMedia(f"{address} was given on another machine and is not fetched; {again}")
    if not is_whole(address):
        raise UnreadableMedia(f"{address} held a password or key, which is not kept; {again}")
    facts = FileFacts.of_address(address)
    limits, folder = library.settings.limits, library.home / "fetched"
    with remote.fetched(address, folder, limits=limits, listener=listener) as file:
        here = replace(facts, path=file, size_bytes=facts.size_bytes or file.stat().st_size)
        if sha256_of(here, listener) != row.media.id:
            raise UnreadableMedia(f"what lies at {address} is another file by now; {again}")
        yield here


def _begun(library: Opened, media: Media) -> tuple[str, ...]:
    """Tell how to go on with a media that was being taken in again as a whole."""
    row = library.store.read.media_row(media.id)
    if row is None or row.media.status in FINISHED:
        return ()
    return (f"Only its beginning is remembered now; go on with it: memqa index {media.path}",)


def _heard(stale: Sequence[Sense]) -> tuple[Sense, ...]:
    return tuple(one for one in stale if one in _WHOLE)


def _written(library: Opened, media_id: str) -> tuple[int, int]:
    """Count the captions of events, and the summaries that are in a language model's words."""
    events = library.store.read.memories(media_id, levels=["event"])
    summaries = library.store.read.memories(media_id, levels=["summary"])
    return sum(bool(one.method) for one in events), sum(bool(one.method) for one in summaries)


def _lost(library: Opened, media_id: str, before: tuple[int, int]) -> tuple[str, ...]:
    """Say how many captions and summaries that models wrote were let go."""
    left = _written(library, media_id)
    captions, summaries = (was - now for was, now in zip(before, left, strict=True))
    notes = []
    if captions > 0:
        notes.append(f"{captions} captions were let go; `memqa enrich` writes them anew")
    if summaries > 0:
        notes.append(
            f"{summaries} summaries in a language model's words rested on other extracts and are "
            "extracts again; write them anew with `memqa enrich`"
        )
    return tuple(notes)


def _tidy(library: Opened) -> None:
    """Finish what a killed run left beside media that are up to date, where no one works on them.

    A media that is or may be stale keeps what was begun of it for the run that goes on.
    """
    store, in_use = library.store, library.engines.signatures()
    for row in store.read.media_rows():
        is_done = row.media.status in FINISHED and not row.forgetting
        may_be_begun = stale_of(row, in_use) or unsure_of(row, in_use)
        if is_done and not may_be_begun and _is_untidy(library, row):
            with suppress(StoreConflict), leased(library.home, row.media.id):
                store.write.tidy(row.media)


def _is_untidy(library: Opened, row: MediaRow) -> bool:
    return not row.settled or library.store.read.has_foreign_vectors(row)
