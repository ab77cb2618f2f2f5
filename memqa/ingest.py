"""Taking one file in: known or new, what kind, who may work on it, and how the work ended.

Whether it is in already is told by ``known``; the memories themselves are made in ``ingest_video``
and ``ingest_document``. Whatever happens, and whenever the process dies, the library holds whole
segments only, and the next run goes on from the last of them.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from memqa.addresses import is_address
from memqa.alone import leased
from memqa.facts import FileFacts, sha256_of
from memqa.kinds import identify
from memqa.known import Known
from memqa.listening import Listener
from memqa.settled import settle_unfinished
from memqa.stale import LIVE
from memqa.store.schema import NO_COPY, MediaRow
from memqa.task import Task
from memqa.uploads import drop_upload
from memqa.values import Media, MediaStatus, Outcome, OutcomeStatus
from models.errors import BackendError, IngestCancelled, InputError
from vidmem.memory.methods import DEFAULT, METHODS
from vidmem.values import MediaInfo

if TYPE_CHECKING:
    from memqa.kinds import Found


class Ingest(Known):
    """Takes files into one library."""

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

    # It is not in yet

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


def _outcome(place: str, media: Media, is_new: bool, started: float) -> Outcome:
    ended: OutcomeStatus = "partial" if media.status == "partial" else "indexed"
    status = ended if is_new else "unchanged"
    return Outcome(place, status, media, elapsed_s=time.monotonic() - started)
