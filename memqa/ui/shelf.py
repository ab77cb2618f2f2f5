"""The shelf: adding media, their cards, ticks, cancelling and forgetting."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memqa import examples
from memqa.addresses import is_address
from memqa.homes import is_remote
from memqa.kinds import is_named_as_media, may_be_media
from memqa.remote import files_of
from memqa.stale import FINISHED
from memqa.ui import pictures, words
from memqa.ui.cards import Card, card_html, cards
from memqa.ui.collections import above_html, asked_collection
from memqa.ui.desk import Desk
from memqa.ui.markup import Safe, el
from memqa.ui.places import Places
from memqa.ui.uploads import arrived, file_name
from memqa.ui.visitors import visitor
from memqa.values import Collection, Media
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.jobs import Job
    from memqa.library import Library

_FOOT_EVERY_S = 10.0
_MOST_SENT = 16
_MOST_WAITING = 200  # files, until visitors have to wait
_SEARCHED_FROM = 6


class Shelf:
    """What the shelf's buttons do; every public method is one call of the browser."""

    def __init__(
        self,
        library: Library,
        desk: Desk,
        places: Places,
        *,
        cache: Path,
        on_ready: Callable[[], None],
    ) -> None:
        self._library = library
        self._on_ready: Callable[[], None] | None = on_ready
        self._desk = desk
        self._places = places
        self._cache = cache
        self._foot: dict[bool, tuple[float, Safe]] = {}  # with the library's folder, and without
        self._sent: dict[str, dict[str, Safe]] = {}

    def look(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell how the shelf looks: of a ``version`` that the browser has, only what changed.

        ``mine`` are the jobs that this tab added; those of which all is ``told`` are named.
        """
        found = self._cards()
        said, told = self._said(data.get("mine"))
        if self._on_ready is not None and any(card.can_be_asked for card in found):
            on_ready, self._on_ready = self._on_ready, None
            on_ready()
        written = {card.key: card_html(card) for card in found}
        collections, foot = self._library.collections(), self._foot_html()
        above = above_html(found, collections, asked(found))
        version = f"{hash((*written.items(), above, foot)):x}"
        seen = str(data.get("version", ""))
        if seen == version and not said:
            return {"same": True, **told}
        known = self._sent.get(seen, {})
        self._sent[version] = written
        for old in list(self._sent)[:-_MOST_SENT]:
            self._sent.pop(old, None)
        return {
            "version": version,
            "keys": list(written),
            "cards": {key: html for key, html in written.items() if known.get(key) != html},
            "above": above,
            "foot": foot,
            "said": said,
            **told,
            "busy": any(card.state in ("working", "waiting") for card in found),
            "empty": not found,
            "many": len(found) >= _SEARCHED_FROM,
            "scope": {
                **scope(found, collections),
                "empty": not found,
                "reach": _reach(found),
            },
        }

    def add_upload(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take a file that the browser has sent."""
        sent = arrived(str(data.get("path", "")), cache=self._cache)
        try:
            self._check_room_to_wait()
            path = self._library.keep_upload(sent, file_name(str(data.get("name", ""))))
        finally:  # one that is refused does not stay either
            sent.unlink(missing_ok=True)
        return self._add(path)

    def add_path(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take a file that lies on this machine; it stays where it is."""
        typed = str(data.get("path", "")).strip().strip("\"'")
        if not self._places.local:
            raise InputError("Paths are taken only where the page is open to this machine alone.")
        if is_address(typed):
            return self._add_address(typed)
        path = Path(typed).expanduser()
        if not typed or not path.is_absolute():
            raise InputError("Write the whole path of a file, from its root on.")
        if path.is_dir():
            return self._add_folder(path)
        if not path.is_file():
            raise InputError(f"There is no file {path}; check the path.")
        return self._add(path)

    def retry(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Go on with a file that failed, was stopped or put aside."""
        job, path = str(data.get("job", "")), str(data.get("path", ""))
        self._desk.recall(str(data.get("key", "")))
        if job:
            self._library.resume(job)
            return {}
        if path not in {card.path for card in self._cards()}:
            raise InputError("This file is not on the shelf any more.")
        return self._add(path)

    def renew(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Bring a media up to date with the models in use, in the background."""
        self._library.reindex_later(str(data.get("key", "")))
        return {}

    def renew_all(self, _data: Mapping[str, Any]) -> dict[str, Any]:
        """Bring every media up to date that is not."""
        for card in self._cards():
            if card.can_be_renewed and card.media_id:
                self._library.reindex_later(card.media_id)
        return {}

    def pause(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Put a file aside; it goes on where it stopped."""
        self._library.pause(str(data.get("job", "")))
        return {}

    def cancel(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stop indexing a file; what is in memory already stays."""
        self._library.cancel(str(data.get("job", "")))
        return {}

    def dismiss(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take a failed or stopped card off the shelf, and its upload off the disk."""
        from memqa.uploads import drop_upload

        key, media = str(data.get("key", "")), self._library.media()
        known = {one.path for one in media}
        for card in self._cards():
            is_over = card.key == key and card.state in ("failed", "cancelled")
            if is_over and card.media_id is None and card.path not in known:
                drop_upload(self._library.home, Path(card.path))
        jobs = self._library.jobs()
        if key in {*(one.id for one in media), *(job.id for job in jobs)}:
            self._desk.dismiss(key)
        return {}

    def forget(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Erase everything remembered of a media."""
        media = self._library.show(str(data.get("key", "")))
        self._library.forget(media.id)
        self._places.close(media)
        self._desk.tick(media.id, True)
        return {"said": f"{media.name} is forgotten."}

    def tick(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Let a media count for questions, or not."""
        media = self._library.show(str(data.get("media", "")))
        self._desk.tick(media.id, bool(data.get("ticked")))
        return {}

    def poster(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give a media's small picture; where there is none yet, say whether one may come."""
        media = self._library.show(str(data.get("media", "")))
        url = pictures.poster(media) or pictures.remembered(self._library, media, 0.0)
        return {"url": url, "may_come": url is None and media.status not in FINISHED}

    def sample(self, _data: Mapping[str, Any]) -> dict[str, Any]:
        """Index the sample media that travel with memqa."""
        for path in (examples.VIDEO, examples.DOCUMENT):
            self._library.add(path, wait=False)
        return {}

    def _cards(self) -> list[Card]:
        state, jobs = self._desk.state, self._library.jobs()
        ended = {job.path for job in jobs if job.state in ("failed", "cancelled")}
        media = self._library.media()
        if _without_job(media, jobs):
            # Another program is at it, or was killed, which only this tells.
            self._library.settle()
            media = self._library.media()
        return cards(
            media,
            jobs,
            gone={path for path in ended if _is_gone(path)},
            unticked=state.unticked,
            dismissed=state.dismissed,
        )

    def _check_room_to_wait(self) -> None:
        """Refuse a visitor's file where very many wait already."""
        waiting = sum(job.is_open for job in self._library.jobs())
        if visitor().counted_as and waiting >= _MOST_WAITING:
            raise InputError(f"{waiting} files are waiting already; send it once some are read.")

    def _add(self, path: Path | str) -> dict[str, Any]:
        return {"said": "", "jobs": [self._library.add(path, wait=False).id]}

    def _add_address(self, address: str) -> dict[str, Any]:
        """Take what lies at an address, or what is named as media below one of object storage."""
        found = [one for one in files_of(address) if one == address or is_named_as_media(one)]
        if not found:
            raise InputError("There are no documents, videos or recordings below that address.")
        return {"said": "", "jobs": [self._library.add(one, wait=False).id for one in found]}

    def _said(self, mine: object) -> tuple[str, dict[str, list[str]]]:
        """Say of the files that a tab added that they were in the library already; each once."""
        if not isinstance(mine, list) or not mine:
            return "", {}
        jobs = {job.id: job for job in self._library.jobs()}
        ended = [one for one in map(str, mine) if one not in jobs or not jobs[one].is_open]
        known = {one.id: one for one in self._library.media()} if ended else {}
        names = [
            known[job.media_id].name
            for job in (jobs[one] for one in ended if one in jobs)
            if job.state == "done"
            and job.media_id in known
            and _was_there(known[job.media_id], job)
        ]
        said = f"{names[0]} is in the library already." if names else ""
        if len(names) > 1:
            said = f"{len(names)} files are in the library already."
        return said, {"told": ended} if ended else {}

    def _add_folder(self, folder: Path) -> dict[str, Any]:
        found = sorted(one for one in folder.iterdir() if one.is_file() and one.name[0] != ".")
        if not found:
            raise InputError(f"There are no files in {folder}.")
        media = [path for path in found if may_be_media(path)]
        if not media:
            raise InputError(f"There are no documents, videos or recordings in {folder}.")
        jobs = [self._library.add(path, wait=False).id for path in media]
        said = f"Adding {words.counted(len(media), 'file', 'files')} of {folder.name}."
        if skipped := len(found) - len(media):
            said += f" {words.counted(skipped, 'other file is', 'other files are')} no media."
        return {"said": said, "jobs": jobs}

    def _foot_html(self) -> Safe:
        is_told = self._places.local
        made_at, foot = self._foot.get(is_told, (-_FOOT_EVERY_S, Safe("")))
        if time.monotonic() - made_at >= _FOOT_EVERY_S:
            stats = self._library.stats()
            is_away = is_remote(stats.home)
            away = f" in {stats.home if is_told else 'object storage'}" if is_away else ""
            parts = [f"{words.size(stats.tables_bytes)} of memory{away}"]
            if stats.uploads_bytes:
                parts.append(f"{words.size(stats.uploads_bytes)} of uploads")
            here = "" if away and not stats.uploads_bytes else " on disk"
            said = f"{' and '.join(parts)}{here}"
            where = stats.home if is_told else None
            foot = el("p", said, title=where) if stats.media else Safe("")
            self._foot[is_told] = (time.monotonic(), foot)
        return foot


def asked(shelf: Sequence[Card]) -> list[str] | None:
    """Give the ids that a question is asked of, or None for everything.

    With nothing ticked everything is asked, since a question to nothing has no use.
    """
    able = [card for card in shelf if card.can_be_asked and card.media_id is not None]
    ticked = [card.media_id for card in able if card.ticked and card.media_id]
    return ticked if ticked and len(ticked) < len(able) else None


def scope(shelf: Sequence[Card], collections: Sequence[Collection] = ()) -> dict[str, Any]:
    """Word what the next question is asked of."""
    able = [card for card in shelf if card.can_be_asked]
    chosen = asked(shelf)
    collection = asked_collection(collections, shelf)
    count = len(able) if chosen is None else len(chosen)
    if not able:
        line, placeholder = "", "Add a video or a document, then ask"
    elif collection is not None:
        line, placeholder = (
            f"asks the collection {collection.name} ({count} media)",
            "Ask about these media",
        )
    elif count == 1:
        card = able[0] if chosen is None else next(one for one in able if one.media_id == chosen[0])
        line, placeholder = f"asks {card.name}", "Ask about it"
    else:
        of = f"all {len(able)}" if chosen is None else f"{count} of {len(able)}"
        line, placeholder = f"asks {of} media", "Ask about your media"
    return {"line": line, "placeholder": placeholder, "ready": len(able)}


def _is_gone(path: str) -> bool:
    if is_address(path):
        return False
    try:
        return not Path(path).exists()
    except OSError:  # it lies where nobody may look now, and may be there again
        return False


def _without_job(media: Sequence[Media], jobs: Sequence[Job]) -> bool:
    """Whether a media is being indexed, by what is stored, of which no job in the queue is open."""
    open_ = [job for job in jobs if job.is_open and job.task != "live"]
    at_work = {name for job in open_ for name in (job.media_id, job.path)}
    return any(one.status == "indexing" and not {one.id, one.path} & at_work for one in media)


def _was_there(media: Media, job: Job) -> bool:
    if not media.added_at or job.started_at is None:
        return False
    return datetime.fromisoformat(media.added_at).timestamp() < job.started_at


def _reach(shelf: Sequence[Card]) -> dict[str, str]:
    return {card.media_id: card.reach or card.state for card in shelf if card.media_id}
