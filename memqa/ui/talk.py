"""What the chat asks for: questions, branches to look at, chats that are kept or taken along.

Every public method of ``Talk`` is one call of the browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from docmem.passages import HEADING_JOIN
from memqa.chats import Asked
from memqa.places import in_words
from memqa.store.schema import Memory, memory_id
from memqa.ui.asking import Asking
from memqa.ui.cards import Card, cards
from memqa.ui.desk import Desk
from memqa.ui.markup import Safe, el
from memqa.ui.pace import Pace
from memqa.ui.shelf import asked
from memqa.ui.suggest import LEVELS, Known, known_of, suggestions
from memqa.ui.transcript import Told, file_name, markdown
from memqa.ui.turns import STATES, ShownTurn, steps_of, turn_html, when
from memqa.ui.visitors import chat_of, visitor
from memqa.ui.way import led_to, way_html
from memqa.values import Collection, Media
from models.errors import InputError
from models.values import PageSpan

if TYPE_CHECKING:
    from memqa.chats import Chat, Turn
    from memqa.library import Library

_MOST_KNOWN = 3  # media that questions are suggested about
_MOST_CHARACTERS = 8000  # of a question
_MOST_REMEMBERED = 64  # media whose suggestions are not made again


class Talk:
    """The chat over a library; which chat is open and what is ticked stand on the desk."""

    def __init__(self, library: Library, desk: Desk, asking: Asking) -> None:
        self._library = library
        self._desk = desk
        self._asking = asking
        self._pace = Pace(library, asking)
        self._known: dict[str, tuple[int, Known]] = {}  # with how many memories it was made of

    def talk(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Open a chat, the last one where none is named, with all its turns."""
        stamp = self._asking.stamp_of(visitor().key)
        chat = self._opened(data)
        turns, version = self._turns(chat)
        return {
            "chat": visitor().called(chat),
            "html": self._html(turns) or self._start(),
            "chats": self._chats(chat),
            "kept": bool(turns),
            "running": bool(turns) and turns[-1].running,
            "version": version,
            "stamp": stamp,
        }

    def ask(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to answer a question over the ticked media, or of a moment of one ``media``."""
        moment, of = _moment(data), str(data.get("media") or "")
        if moment is not None and of:
            return self._begin(data, Asked((self._library.show(of).id,), moment))
        shelf = self._shelf()
        if not any(card.can_be_asked for card in shelf):
            raise InputError("There is nothing to ask yet; add a video or a document first.")
        chosen = asked(shelf)
        return self._begin(data, Asked(None if chosen is None else tuple(chosen), moment))

    def steer(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Let a walk go on from one of its branches, with the same question."""
        media = self._library.show(str(data.get("media", "")))
        node = str(data.get("node", ""))
        return self._begin(data, Asked((media.id,), _moment(data), node))

    def follow(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Wait for news of the answer in the making."""
        chat = chat_of(data)
        turn, version = self._asking.follow(chat, int(data.get("version") or 0))
        if turn is None:
            return {"html": "", "version": version, "running": False, "said": "", "chats": ""}
        done = not turn.running
        return {
            "html": self._html([turn]),
            "version": version,
            "running": turn.running,
            "said": _spoken(turn) if done else "",
            "chats": self._chats(chat) if done else "",
        }

    def pulse(self, _data: Mapping[str, Any]) -> dict[str, Any]:
        """Tell whether this person asked or was answered, here or in another tab."""
        return {"stamp": self._asking.stamp_of(visitor().key)}

    def stop(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stop the answer in the making."""
        self._asking.stop(chat_of(data))
        return {}

    def way(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Draw how a turn's answer was found."""
        turns, _ = self._turns(chat_of(data))
        wanted = str(data.get("turn", ""))
        turn = next((one for one in turns if wanted in (one.id, one.was)), None)
        if turn is None:
            raise InputError("This answer is not kept any more.")
        steps = steps_of(turn)
        known = self._library.store.read.memories_by_id(led_to(steps))
        return {"html": way_html(steps, known)}

    def drop(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Delete a chat, and open the one of this person's own that was used last before it."""
        chat = chat_of(data)
        self._asking.drop(chat)
        self._library.drop_chat(chat)
        whom = visitor()
        left = [one.id for one in self._kept() if whom.began(one.id)]
        return self.talk({"chat": whom.called(left[0]) if left else "new"})

    def export(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Write a chat as Markdown, its places as links to the page at ``address``."""
        turns = self._library.turns(chat_of(data))
        if not turns:
            raise InputError("There is no answer in this chat yet.")
        scopes = self._scopes([_shown(turn) for turn in turns])
        told = [
            Told(turn.question, turn.answer, turn.at, scope)
            for turn, scope in zip(turns, scopes, strict=True)
        ]
        title = turns[0].question
        text = markdown(title, told, address=str(data.get("address", "")))
        return {"name": file_name(title, turns[0].at), "text": text}

    def _begin(self, data: Mapping[str, Any], wanted: Asked) -> dict[str, Any]:
        question, whom = str(data.get("question", "")), visitor()
        if len(question) > _MOST_CHARACTERS:
            raise InputError(
                f"The question has {len(question)} characters, up to {_MOST_CHARACTERS} are read."
            )
        with self._pace.let(whom.counted_as):
            chat = self._opened(data)
            turn = self._asking.start(chat, question, wanted, by=whom.counted_as)
        return {"chat": whom.called(chat), "html": self._html([turn]), "version": 0}

    def _turns(self, chat: str) -> tuple[list[ShownTurn], int]:
        """Give the turns of a chat, those stopped and the one in the making among them."""
        kept = [_shown(turn) for turn in self._library.turns(chat)]
        last, version = self._asking.now(chat)
        if last is not None and last.answer is not None:
            # What is answered is kept, by now; else it was forgotten since.
            kept, last = [_shown(turn) for turn in self._library.turns(chat)], None
        elif last is not None and last.running:  # kept already, it has not heard so yet
            kept = [one for one in kept if one.at < last.at]
        turns = sorted([*kept, *self._asking.left(chat)], key=lambda turn: turn.at)
        return (turns if last is None else [*turns, last]), version

    def _html(self, turns: Sequence[ShownTurn]) -> Safe:
        scopes = self._scopes(turns)
        told = (replace(turn, scope=one) for turn, one in zip(turns, scopes, strict=True))
        return Safe("".join(map(turn_html, told)))

    def _scopes(self, turns: Sequence[ShownTurn]) -> list[str]:
        if all(turn.asked.media is None for turn in turns):
            return [when(turn.asked.at_s) for turn in turns]
        names = {media.id: media.name for media in self._library.media()}
        picked = {node for turn in turns if (node := _node(turn.asked))}
        nodes = self._library.store.read.memories_by_id(picked) if picked else {}
        collections = self._library.collections()
        return [scope_of(turn.asked, names, nodes, collections) for turn in turns]

    def _opened(self, data: Mapping[str, Any]) -> str:
        wanted = str(data.get("chat", ""))
        chat = chat_of(data) if wanted and wanted != "new" else ""
        if not chat and wanted != "new":
            chat = self._desk.state.chat
        chat = chat or visitor().own(uuid4().hex[:12])
        if chat != self._desk.state.chat and not data.get("quiet"):
            self._desk.turn_to(chat)
        return chat

    def _chats(self, current: str) -> Safe:
        kept = self._kept()
        options = [_option(chat) for chat in kept]
        if current not in {chat.id for chat in kept}:
            options.insert(0, el("option", "New chat", value=visitor().called(current)))
        return Safe("".join(options))

    def _kept(self) -> list[Chat]:
        whom = visitor()
        return [chat for chat in self._library.chats() if whom.owns(chat.id)]

    def _shelf(self) -> list[Card]:
        return cards(
            self._library.media(), self._library.jobs(), unticked=self._desk.state.unticked
        )

    def _start(self) -> Safe:
        """What an empty chat says, with questions to begin with."""
        shelf = self._shelf()
        if not any(card.can_be_asked for card in shelf):
            text = "Once something is in the library, ask about it here."
            return el("div", el("p", text), class_="start", data_key="start")
        text = (
            "Ask about something seen, said, shown as text or written. Each sentence of the "
            "answer ends with the places it rests on; click one to go there."
        )
        able = {card.media_id for card in shelf if card.can_be_asked}
        wanted = asked(shelf) or able
        media = [one for one in self._library.media() if one.id in wanted][:_MOST_KNOWN]
        offered = suggestions([self._what_is_known(one) for one in media])
        buttons = [
            el("li", el("button", one, type="button", data_act="suggest", data_question=one))
            for one in offered
        ]
        questions = el("ul", buttons, class_="suggestions", aria_label="Questions to begin with")
        return el(
            "div", el("p", text), questions if buttons else None, class_="start", data_key="start"
        )

    def _what_is_known(self, media: Media) -> Known:
        many, known = self._known.get(media.id, (-1, Known(media.name, False)))
        if many != media.memories:
            memories = self._library.store.read.memories(media.id, levels=LEVELS)
            known = known_of(media, memories)
            self._known.pop(media.id, None)
            self._known[media.id] = media.memories, known
            for old in list(self._known)[:-_MOST_REMEMBERED]:
                self._known.pop(old, None)
        return known


def scope_of(
    wanted: Asked,
    names: Mapping[str, str],
    nodes: Mapping[str, Memory],
    collections: Sequence[Collection] = (),
) -> str:
    """Say in words what a question was asked of; nothing where it was asked of everything."""
    parts = []
    node = nodes.get(_node(wanted))
    media = wanted.media or ()
    only = names.get(media[0], "a media forgotten since") if len(media) == 1 else ""
    if wanted.resume:
        parts.append(_branch(node, only) if node else f"from a branch of {only}")
    elif together := _together(media, collections):
        parts.append(f"asked of the collection {together} ({len(media)} media)")
    elif only:
        parts.append(f"asked of {only}")
    elif media:
        parts.append(f"asked of {len(media)} media")
    return ", ".join(part for part in (*parts, when(wanted.at_s)) if part)


def _together(media: Sequence[str], collections: Sequence[Collection]) -> str:
    """Name the collection that exactly these media are; empty where there is none."""
    wanted = set(media)
    return next((one.name for one in collections if wanted and wanted == {*one.media_ids}), "")


def _branch(node: Memory, name: str) -> str:
    """Name a branch: its pages or time, and the headings that its part has of its own."""
    place = f"from {in_words(node.locator)} of {name}"
    heading, line, _ = node.text.partition("\n")
    own = heading.split(HEADING_JOIN)[-1]
    has_headings = isinstance(node.locator, PageSpan) and line and own
    return f"{place} (“{shorten(own, 60, placeholder=' …')}”)" if has_headings else place


def _node(wanted: Asked) -> str:
    """Name the memory of the branch that was picked; empty where none was."""
    if not wanted.resume or not wanted.media:
        return ""
    return memory_id(wanted.media[0], wanted.resume)


def _moment(data: Mapping[str, Any]) -> float | None:
    at_s = data.get("at")
    return float(at_s) if isinstance(at_s, int | float) else None


def _shown(turn: Turn) -> ShownTurn:
    return ShownTurn(turn.id, turn.question, answer=turn.answer, asked=turn.asked, at=turn.at)


def _spoken(turn: ShownTurn) -> str:
    if turn.answer is None:
        return turn.error or "stopped"
    return f"{STATES[turn.answer.state][0]}: {turn.answer.text}"


def _option(chat: Chat) -> Safe:
    title = " ".join(chat.title.split())
    return el(
        "option", title if len(title) <= 60 else f"{title[:59]}…", value=visitor().called(chat.id)
    )
