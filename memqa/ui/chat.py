"""The chat: asking, watching the answer come, stopping it, and the chats that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import gradio as gr

from memqa.ui.asking import Asking
from memqa.ui.cards import Card, cards
from memqa.ui.desk import Desk
from memqa.ui.markup import Safe, el, icon
from memqa.ui.parts import part
from memqa.ui.shelf import asked, scope
from memqa.ui.turns import STATES, ShownTurn, option_ids, turn_html, when
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.chats import Chat, Turn
    from memqa.library import Library


class Talk:
    """What the chat asks for; every public method is one call of the browser."""

    def __init__(self, library: Library, desk: Desk, asking: Asking) -> None:
        self._library = library
        self._desk = desk
        self._asking = asking

    def talk(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Open a chat, the last one where none is named, with all its turns."""
        chat = self._opened(str(data.get("chat", "")))
        stored = shown(self._library.turns(chat), chat)
        last, version = self._asking.now(chat)
        turns = stored if last is None or _is_kept(last, stored) else [*stored, last]
        return {
            "chat": chat,
            "html": Safe("".join(map(self._html, turns))) or self._start(),
            "chats": self._chats(chat),
            "running": last is not None and last.running,
            "version": version,
        }

    def ask(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to answer a question over the ticked media."""
        shelf = self._shelf()
        if not any(card.can_be_asked for card in shelf):
            raise InputError("There is nothing to ask yet; add a video or a document first.")
        chat = self._opened(str(data.get("chat", "")))
        at_s = data.get("at")
        moment = float(at_s) if isinstance(at_s, int | float) else None
        chosen = asked(shelf)
        told = scope(shelf)["line"] if chosen is not None else ""
        turn = self._asking.start(
            chat,
            str(data.get("question", "")),
            media=chosen,
            at_s=moment,
            scope=", ".join(part for part in (told, when(moment)) if part),
        )
        return {"chat": chat, "html": turn_html(turn), "version": 0}

    def follow(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Wait for news of the answer in the making."""
        chat = str(data.get("chat", ""))
        turn, version = self._asking.follow(chat, int(data.get("version") or 0))
        if turn is None:
            return {"html": "", "version": version, "running": False, "said": "", "chats": ""}
        done = not turn.running
        return {
            "html": self._html(turn),
            "version": version,
            "running": turn.running,
            "said": _spoken(turn) if done else "",
            "chats": self._chats(chat) if done else "",
        }

    def stop(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stop the answer in the making."""
        self._asking.stop(str(data.get("chat", "")))
        return {}

    def _html(self, turn: ShownTurn) -> Safe:
        wanted = option_ids(turn.answer.walk if turn.answer is not None else turn.steps)
        known = self._library.store.read.memories_by_id(
            {one for ids in wanted.values() for one in ids}
        )
        options = {key: known[one] for key, ids in wanted.items() for one in ids if one in known}
        return turn_html(turn, options)

    def _opened(self, wanted: str) -> str:
        chat = wanted if wanted and wanted != "new" else ""
        if not chat and wanted != "new":
            chat = self._desk.state.chat
        chat = chat or uuid4().hex[:12]
        if chat != self._desk.state.chat:
            self._desk.turn_to(chat)
        return chat

    def _chats(self, current: str) -> Safe:
        kept = self._library.chats()
        options = [_option(chat) for chat in kept]
        if current not in {chat.id for chat in kept}:
            options.insert(0, el("option", "New chat", value=current))
        return Safe("".join(options))

    def _shelf(self) -> list[Card]:
        return cards(
            self._library.media(), self._library.jobs(), unticked=self._desk.state.unticked
        )

    def _start(self) -> Safe:
        """What an empty chat says."""
        if not any(card.can_be_asked for card in self._shelf()):
            text = "Once something is in the library, ask about it here."
        else:
            text = (
                "Ask about something seen, said, shown as text or written. Each sentence of the "
                "answer ends with the places it rests on; click one to go there."
            )
        return el("div", el("p", text), class_="start")


def shown(turns: Sequence[Turn], chat: str) -> list[ShownTurn]:
    """Turn the kept turns of a chat into what the page shows."""
    return [
        ShownTurn(id=f"{chat}-{place}", question=turn.question, answer=turn.answer)
        for place, turn in enumerate(turns)
    ]


def _is_kept(turn: ShownTurn, stored: Sequence[ShownTurn]) -> bool:
    return turn.answer is not None and any(
        one.answer is not None
        and one.question == turn.question
        and one.answer.text == turn.answer.text
        for one in stored[-2:]
    )


def _spoken(turn: ShownTurn) -> str:
    if turn.answer is None:
        return turn.error or "stopped"
    return f"{STATES[turn.answer.state][0]}: {turn.answer.text}"


def _option(chat: Chat) -> Safe:
    title = " ".join(chat.title.split())
    return el("option", title if len(title) <= 60 else f"{title[:59]}…", value=chat.id)


def chat_part(talk: Talk) -> gr.HTML:
    """Make the chat."""
    names = ("talk", "ask", "follow", "stop")
    return part("chat", _skeleton(), {name: getattr(talk, name) for name in names})


def _skeleton() -> Safe:
    head = el(
        "header",
        el("select", class_="chats", aria_label="Chats"),
        el(
            "button",
            icon("add"),
            type="button",
            class_="new-chat icon-button",
            aria_label="New chat",
            title="New chat",
        ),
        class_="chat-head",
    )
    box = el(
        "textarea",
        id="memqa-question",
        rows=1,
        aria_label="Question",
        placeholder="Ask",
        autocomplete="off",
    )
    buttons = el(
        "div",
        el("span", class_="scope-line"),
        el(
            "button",
            icon("clock"),
            el("span"),
            type="button",
            class_="moment",
            hidden=True,
            aria_pressed="false",
            title="Ask what was known by this moment of the video",
        ),
        el("button", icon("up"), type="submit", class_="send", aria_label="Ask", title="Ask"),
        el(
            "button",
            icon("stop"),
            type="button",
            class_="stop",
            aria_label="Stop",
            title="Stop",
            hidden=True,
        ),
        class_="composer-foot",
    )
    return el(
        "section",
        head,
        el(
            "p",
            "memqa does not answer any more. Is it still running?",
            class_="connection error",
            role="alert",
            hidden=True,
        ),
        el(
            "div",
            class_="log",
            tabindex=0,
            role="log",
            aria_live="off",
            aria_label="Questions and answers",
        ),
        el("p", class_="chat-error error", role="alert"),
        el("form", box, buttons, class_="composer"),
        el("p", class_="live sr", aria_live="polite"),
        class_="chat",
        aria_label="Ask",
    )
