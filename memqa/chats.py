"""The turns of a chat: how a question and its answer are kept, and read back whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any
from uuid import uuid4

from memqa.values import Answer


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question was asked of: media by their ids, or all; a moment; a branch of a walk."""

    media: tuple[str, ...] | None = None
    at_s: float | None = None
    resume: str | None = None


EVERYTHING = Asked()
# What the chats of the page's users and visitors begin with, whom their key tells apart.
OF_USER, OF_VISITOR = "user:", "visitor:"
_FORGOTTEN = "a file forgotten since"


@dataclass(frozen=True, slots=True)
class Turn:
    """One question in a chat, the answer it got, when (ISO 8601, UTC), and what it was asked of."""

    chat: str
    at: str
    question: str
    answer: Answer
    asked: Asked = EVERYTHING
    id: str = ""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as a list shows it: named after its first question."""

    id: str
    title: str
    started_at: str
    turns: int


def is_visitors(chat: str) -> bool:
    """Say whether a chat is a user's or visitor's of the page, who reads what is asked in it."""
    whose, join, _ = chat.partition("/")
    return bool(join) and whose.startswith((OF_USER, OF_VISITOR))


def turn_row(chat: str, question: str, answer: Answer, asked: Asked = EVERYTHING) -> dict[str, Any]:
    """Write a turn, asked just now, as a row of the table of chats."""
    return {
        "id": uuid4().hex,
        "chat": chat,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "question": question,
        "answer": json.dumps(answer.as_json() | {"asked": asdict(asked)}),
        "media_ids": sorted({item.media_id for item in answer.evidence}),
    }


def turn_from(row: Mapping[str, Any]) -> Turn:
    """Read a turn from its row."""
    kept = json.loads(row["answer"])
    return Turn(
        row["chat"],
        row["at"],
        row["question"],
        Answer.from_json(kept),
        _asked(kept.get("asked")),  # turns of chats from before have none
        row["id"],
    )


def shown_in(row: Mapping[str, Any]) -> set[str]:
    """Give the ids of all media that a turn's row shows something of, in its walk too."""
    kept = json.loads(row["answer"])
    looked = [step.get("media") for step in kept.get("walk", ())]
    offered = [one.get("media") for step in kept.get("walk", ()) for one in step.get("options", ())]
    return {one for one in (*(row["media_ids"] or ()), *looked, *offered) if one}


def without(row: Mapping[str, Any], media_id: str, name: str) -> dict[str, Any] | None:
    """Give a turn's row without what its walk shows of a media; None where the turn rests on it.

    A question or an answer that names the media's file rests on it as well, unless another media
    of the same name is shown.
    """
    kept = json.loads(row["answer"])
    names = {PurePath(item["path"]).name for item in kept.get("evidence", ())}
    named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?!\w)" if name not in names else r"(?!)")
    told = f"{row['question']}\n{kept.get('answer', '')}"
    if media_id in (row["media_ids"] or ()) or named.search(told):
        return None
    walk = [
        _scrubbed(step, media_id, named)
        for step in kept.get("walk", ())
        if step.get("media") != media_id
    ]
    return {**row, "answer": json.dumps(kept | {"walk": walk})}


def chats_of(turns: list[Turn]) -> list[Chat]:
    """List the chats that turns, given in the order asked, belong to; the latest used first."""
    by_chat: dict[str, list[Turn]] = {}
    for turn in turns:
        by_chat.setdefault(turn.chat, []).append(turn)
    latest_first = sorted(by_chat.values(), key=lambda own: own[-1].at, reverse=True)
    return [Chat(own[0].chat, own[0].question, own[0].at, len(own)) for own in latest_first]


def _asked(kept: Mapping[str, Any] | None) -> Asked:
    if kept is None:
        return EVERYTHING
    media = kept["media"]
    return Asked(None if media is None else tuple(media), kept["at_s"], kept["resume"])


def _scrubbed(step: Mapping[str, Any], media_id: str, named: re.Pattern[str]) -> dict[str, Any]:
    """Take a media's branches out of a step, and its name out of the words."""
    words = ("detail", "reason", "place", "text")
    told: dict[str, Any] = {key: named.sub(_FORGOTTEN, step[key]) for key in words if step.get(key)}
    options = step.get("options", ())
    gone = {
        one["id"]
        for one in options
        if one.get("media") == media_id or (not one.get("media") and named.search(one["id"]))
    }
    if gone:
        told["options"] = [one for one in options if one["id"] not in gone]
        told["chosen"] = [one for one in step["chosen"] if one not in gone]
    if step.get("scores"):
        own = media_id[:16]  # what the ids of its memories begin with
        told["scores"] = {key: one for key, one in step["scores"].items() if key[:16] != own}
    return {**step, **told}
