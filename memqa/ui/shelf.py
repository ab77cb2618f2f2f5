"""The shelf: adding media, their cards, ticks, cancelling and forgetting."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from memqa import examples
from memqa.kinds import may_be_media
from memqa.ui import pictures, words
from memqa.ui.cards import Card, cards, shelf_html
from memqa.ui.desk import Desk
from memqa.ui.markup import Safe, el, icon
from memqa.ui.parts import part
from memqa.ui.places import Places
from memqa.ui.uploads import arrived, file_name
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.library import Library

_FOOT_EVERY_S = 10.0
TAKES = "Video, audio, PDF, Word, PowerPoint, EPUB, subtitles, text, Markdown, HTML"


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
        self._foot: tuple[float, Safe] = (-_FOOT_EVERY_S, Safe(""))

    def look(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell how the shelf looks, unless the browser has that ``version`` already."""
        found = self._cards()
        if self._on_ready is not None and any(card.can_be_asked for card in found):
            on_ready, self._on_ready = self._on_ready, None
            on_ready()
        busy = any(card.state in ("working", "waiting") for card in found)
        html, foot = shelf_html(found), self._foot_html()
        version = hashlib.sha256((html + foot).encode()).hexdigest()[:16]
        if data.get("version") == version:
            return {"same": True}
        empty = not found
        return {
            "version": version,
            "html": html,
            "foot": foot,
            "busy": busy,
            "empty": empty,
            "scope": {**scope(found), "empty": empty, "reach": _reach(found)},
        }

    def add_upload(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take a file that the browser has sent."""
        sent = arrived(str(data.get("path", "")), cache=self._cache)
        path = self._library.keep_upload(sent, file_name(str(data.get("name", ""))))
        return self._add(path)

    def add_path(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take a file that lies on this machine; it stays where it is."""
        typed = str(data.get("path", "")).strip().strip("\"'")
        if not self._places.local:
            raise InputError("Paths are taken only where the page is open to this machine alone.")
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
        return self._add(Path(path))

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
        from memqa.ingest import drop_upload

        key = str(data.get("key", ""))
        for card in self._cards():
            if card.key == key and card.media_id is None:
                drop_upload(self._library.home, Path(card.path))
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
        self._desk.tick(str(data.get("media", "")), bool(data.get("ticked")))
        return {}

    def poster(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Give a media's small picture."""
        media = self._library.show(str(data.get("media", "")))
        url = pictures.poster(media)
        return {"url": url or pictures.remembered(self._library, media, 0.0)}

    def sample(self, _data: Mapping[str, Any]) -> dict[str, Any]:
        """Index the sample media that travel with memqa."""
        for path in (examples.VIDEO, examples.DOCUMENT):
            self._library.add(path, wait=False)
        return {}

    def _cards(self) -> list[Card]:
        state, jobs = self._desk.state, self._library.jobs()
        ended = {job.path for job in jobs if job.state in ("failed", "cancelled")}
        return cards(
            self._library.media(),
            jobs,
            gone={path for path in ended if not Path(path).exists()},
            unticked=state.unticked,
            dismissed=state.dismissed,
        )

    def _add(self, path: Path) -> dict[str, Any]:
        known = {media.path: media for media in self._library.media()}
        media = known.get(str(path))
        self._library.add(path, wait=False)
        if media is not None and media.status == "indexed":
            return {"said": f"{media.name} is in the library already."}
        return {"said": ""}

    def _add_folder(self, folder: Path) -> dict[str, Any]:
        found = sorted(one for one in folder.iterdir() if one.is_file() and one.name[0] != ".")
        if not found:
            raise InputError(f"There are no files in {folder}.")
        media = [path for path in found if may_be_media(path)]
        if not media:
            raise InputError(f"There are no documents, videos or recordings in {folder}.")
        for path in media:
            self._library.add(path, wait=False)
        said = f"Adding {words.counted(len(media), 'file', 'files')} of {folder.name}."
        if skipped := len(found) - len(media):
            said += f" {words.counted(skipped, 'other file is', 'other files are')} no media."
        return {"said": said}

    def _foot_html(self) -> Safe:
        made_at, foot = self._foot
        if time.monotonic() - made_at >= _FOOT_EVERY_S:
            stats = self._library.stats()
            taken = words.size(stats.tables_bytes + stats.uploads_bytes)
            foot = el("p", f"{taken} on disk", title=stats.home) if stats.media else Safe("")
            self._foot = (time.monotonic(), foot)
        return foot


def asked(shelf: Sequence[Card]) -> list[str] | None:
    """Give the ids that a question is asked of, or None for everything.

    With nothing ticked everything is asked, since a question to nothing has no use.
    """
    able = [card for card in shelf if card.can_be_asked and card.media_id is not None]
    ticked = [card.media_id for card in able if card.ticked and card.media_id]
    return ticked if ticked and len(ticked) < len(able) else None


def scope(shelf: Sequence[Card]) -> dict[str, Any]:
    """Word what the next question is asked of."""
    able = [card for card in shelf if card.can_be_asked]
    chosen = asked(shelf)
    count = len(able) if chosen is None else len(chosen)
    if not able:
        line, placeholder = "", "Add a video or a document, then ask"
    elif count == 1:
        card = able[0] if chosen is None else next(one for one in able if one.media_id == chosen[0])
        line, placeholder = f"asks {card.name}", "Ask about it"
    else:
        of = f"all {len(able)}" if chosen is None else f"{count} of {len(able)}"
        line, placeholder = f"asks {of} media", "Ask about your media"
    return {"line": line, "placeholder": placeholder, "ready": len(able)}


def _reach(shelf: Sequence[Card]) -> dict[str, str]:
    return {card.media_id: card.reach or card.state for card in shelf if card.media_id}


def shelf_part(shelf: Shelf, *, with_paths: bool) -> gr.HTML:
    """Make the shelf."""
    names = (
        "look",
        "add_upload",
        "add_path",
        "retry",
        "pause",
        "cancel",
        "dismiss",
        "forget",
        "tick",
        "poster",
        "sample",
    )
    return part("shelf", _skeleton(with_paths), {name: getattr(shelf, name) for name in names})


def _skeleton(with_paths: bool) -> Safe:
    picker = el(
        "label",
        icon("add"),
        el("span", "Add media"),
        el(
            "input",
            type="file",
            multiple=True,
            class_="sr",
            aria_label="Add media from your device",
        ),
        class_="button add",
    )
    path_box = el(
        "details",
        el("summary", "or a path on this machine"),
        el(
            "form",
            el(
                "input",
                type="text",
                name="path",
                aria_label="Path of a file or folder",
                placeholder="/home/me/talk.mp4",
                autocomplete="off",
                spellcheck="false",
            ),
            el("button", "Add", type="submit"),
            class_="path-box",
        ),
        class_="paths",
    )
    unfold = el(
        "button",
        icon("shelf"),
        type="button",
        class_="unfold-shelf icon-button",
        aria_label="Show the whole shelf",
        aria_expanded="false",
        title="Shelf",
    )
    return el(
        "nav",
        el("header", el("h1", "memqa"), unfold),
        el(
            "div",
            picker,
            el("p", f"or drop files anywhere. {TAKES}.", class_="hint"),
            path_box if with_paths else None,
            el("button", "Watch live…", type="button", class_="watch-live", data_watch_live=True),
            class_="adding",
        ),
        el("p", class_="shelf-status", role="status"),
        el("ul", class_="sending", aria_label="Files being copied"),
        el("ul", class_="cards", aria_label="Media"),
        el("footer", class_="shelf-foot"),
        class_="shelf empty",
        aria_label="Library",
    )
