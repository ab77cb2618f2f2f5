"""The widget that a notebook shows for a library: its media, a question box, answers, their places.

All goes over the notebook's own channel to the kernel (anywidget's messages): no port is opened,
and clips come as bytes. ``Cell`` is what one widget knows; it answers in threads of its own, so
that the kernel stays free for the next cell.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any, Protocol
from uuid import uuid4

import anywidget

from memqa.chats import Asked
from memqa.library import Library
from memqa.shown import Bundle
from memqa.shown.places import place
from memqa.shown.widget import item_html, scope, spoken, turn_html
from memqa.ui import pictures
from memqa.ui.asking import Asking
from memqa.ui.cards import Card, cards
from memqa.ui.turns import ShownTurn
from memqa.values import Evidence, Media
from models.errors import InputError, MemqaError

log = logging.getLogger(__name__)

_VIEW = "application/vnd.jupyter.widget-view+json"
_BUSY_S, _QUIET_S = 1.0, 3.0  # between two looks at the shelf
_PATIENCE_S = 300.0  # a view that is not heard of so long is gone
_REDRAW_S = 0.08


class Send(Protocol):
    """Carries a message, and bytes with it, to every view of a widget."""

    def __call__(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        """Send it."""
        ...


class Cell:
    """One widget: its chat, which media it asks, and who looks at it."""

    def __init__(self, library: Library, send: Send) -> None:
        self._library = library
        self._asking = Asking(library)
        self._chat = f"notebook-{uuid4().hex[:8]}"
        self._carry, self._carrying = send, threading.Lock()
        self._lock = threading.Lock()
        self._views: dict[str, float] = {}
        self._unticked: set[str] = set()
        self._turns: dict[str, str] = {}
        self._told: list[dict[str, str]] | None = None
        self._watching = False
        self._wake = threading.Event()
        self._does: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "hello": self._hello,
            "here": self._here,
            "gone": self._gone,
            "tick": self._tick,
            "ask": self._ask,
            "stop": self._stop,
            "show": self._show,
        }

    def hear(self, data: Mapping[str, Any]) -> None:
        """Take a message of the browser; what takes time goes to a thread."""
        done = self._does.get(str(data.get("do")))
        if done is not None:
            self._send({"what": "heard"})
            done(data)

    def close(self) -> None:
        """Stop watching and answering."""
        with self._lock:
            self._views.clear()
        self._asking.stop(self._chat)
        self._wake.set()

    # Who looks

    def _hello(self, data: Mapping[str, Any]) -> None:
        """A new view: it is told everything, and the shelf from now on."""
        turn, _ = self._asking.now(self._chat)
        running = turn is not None and turn.running
        self._send({"what": "turns", "html": list(self._turns.values()), "running": running})
        self._told = None
        self._here(data)

    def _here(self, data: Mapping[str, Any]) -> None:
        with self._lock:
            self._views[str(data.get("view"))] = time.monotonic()
            begin, self._watching = not self._watching, True
        self._wake.set()
        if begin:
            self._aside(self._watch)

    def _gone(self, data: Mapping[str, Any]) -> None:
        with self._lock:
            self._views.pop(str(data.get("view")), None)
        self._wake.set()

    def _is_seen(self) -> bool:
        with self._lock:
            since = time.monotonic() - _PATIENCE_S
            self._views = {view: at for view, at in self._views.items() if at > since}
            self._watching = bool(self._views)
            return self._watching

    # The shelf

    def _watch(self) -> None:
        """Tell what changes on the shelf, as long as somebody looks."""
        try:
            while self._is_seen():
                media, shelf = self._look()
                self._tell_shelf(media, shelf)
                busy = any(card.state in ("working", "waiting") for card in shelf)
                self._wake.wait(_BUSY_S if busy else _QUIET_S)
                self._wake.clear()
        except Exception:
            self._watching = False  # the next sign of a view tries again
            raise

    def _look(self) -> tuple[list[Media], list[Card]]:
        with self._lock:
            unticked = set(self._unticked)
        media = self._library.media()
        return media, cards(media, self._library.jobs(), unticked=unticked)

    def _tell_shelf(self, all_media: list[Media], shelf: list[Card]) -> None:
        known = {media.id: media for media in all_media}
        items = []
        for card in shelf:
            media = known.get(card.media_id or "")
            poster = pictures.poster(media) if media is not None and card.can_be_asked else None
            items.append({"key": card.key, "html": item_html(card, poster)})
        if items != self._told:
            self._told = items
            self._send({"what": "shelf", "items": items, "scope": scope(shelf)[1]})

    def _tick(self, data: Mapping[str, Any]) -> None:
        media = str(data.get("media"))
        with self._lock:
            (self._unticked.discard if data.get("ticked") else self._unticked.add)(media)
        self._wake.set()

    # Asking

    def _ask(self, data: Mapping[str, Any]) -> None:
        self._aside(self._answer, str(data.get("question", "")))

    def _answer(self, question: str) -> None:
        _, shelf = self._look()
        if not any(card.can_be_asked for card in shelf):
            raise InputError('There is nothing to ask yet; add a file with lib.add("talk.mp4").')
        media, worded = scope(shelf)
        asked = Asked(None if media is None else tuple(media))
        turn = self._asking.start(self._chat, question, asked)
        version = 0
        first = turn.id  # a turn that is kept goes by another id; here it stays one article
        self._tell_turn(replace(turn, scope=worded))
        while turn.running:
            latest, version = self._asking.follow(self._chat, version)
            assert latest is not None, "a turn that was started is there"
            turn = latest
            self._tell_turn(replace(turn, id=first, scope=worded))
            time.sleep(_REDRAW_S)

    def _tell_turn(self, turn: ShownTurn) -> None:
        self._turns[turn.id] = written = turn_html(turn, self._thumb)
        said = "" if turn.running else spoken(turn)
        self._send({"what": "turn", "html": written, "running": turn.running, "said": said})

    def _thumb(self, item: Evidence) -> str | None:
        picture = self._library.thumbnail(item) if item.thumbnail else None
        return pictures.as_url(picture, "image/jpeg") if picture else None

    def _stop(self, _data: Mapping[str, Any]) -> None:
        self._asking.stop(self._chat)

    # Places

    def _show(self, data: Mapping[str, Any]) -> None:
        self._aside(self._bring, dict(data))

    def _bring(self, wanted: dict[str, Any]) -> None:
        answer = {"what": "place", "view": wanted.get("view"), "number": wanted.get("number")}
        try:
            shown, blobs = place(self._library.show(str(wanted.get("media", ""))), wanted)
        except MemqaError as exc:
            self._send({**answer, "kind": "problem", "text": str(exc)})
        else:
            self._send({**answer, **shown}, blobs)

    # Within

    def _aside(self, work: Callable[..., None], *given: Any) -> None:
        """Do something in a thread; what goes wrong becomes a sentence in the widget."""

        def run() -> None:
            try:
                work(*given)
            except MemqaError as exc:
                self._send({"what": "problem", "text": str(exc)})
            except Exception:
                log.exception("the notebook's widget failed")
                self._send({"what": "problem", "text": "That did not work; the log says why."})

        threading.Thread(target=run, name=f"memqa-{work.__name__}", daemon=True).start()

    def _send(self, content: dict[str, Any], blobs: list[bytes] | None = None) -> None:
        with self._carrying:
            self._carry(content, blobs)


def _asset(name: str) -> str:
    return files("memqa").joinpath(name).read_text(encoding="utf-8")


class LibraryWidget(anywidget.AnyWidget):
    """A library in a notebook: every widget has a chat of its own and asks the same memories."""

    _esm = _asset("notebook.js")
    _css = _asset("notebook.css")

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._cell = Cell(library, self.send)
        self.on_msg(lambda _, content, __: self._cell.hear(content))

    def view(self) -> Bundle:
        """Give what a front end needs to show this widget."""
        made = self._repr_mimebundle_()
        assert made is not None, "a widget has a view"
        return {_VIEW: made[0][_VIEW]}

    def close(self) -> None:
        """Take the widget away and stop what it does."""
        self._cell.close()
        super().close()
