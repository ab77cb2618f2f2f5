"""The turns of a chat: how a question and its answer are kept, and read back whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from memqa.values import Answer


@dataclass(frozen=True, slots=True)
class Turn:
    """One question in a chat, the answer it got, and when (ISO 8601, UTC)."""

    chat: str
    at: str
    question: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as a list shows it: named after its first question."""

    id: str
    title: str
    started_at: str
    turns: int


def turn_row(chat: str, question: str, answer: Answer) -> dict[str, Any]:
    """Write a turn, asked just now, as a row of the table of chats."""
    return {
        "id": uuid4().hex,
        "chat": chat,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "question": question,
        "answer": json.dumps(answer.as_json()),
        "media_ids": sorted({item.media_id for item in answer.evidence}),
    }


def turn_from(row: Mapping[str, Any]) -> Turn:
    """Read a turn from its row."""
    return Turn(
        row["chat"], row["at"], row["question"], Answer.from_json(json.loads(row["answer"]))
    )


def chats_of(turns: list[Turn]) -> list[Chat]:
    """List the chats that turns, given in the order asked, belong to; the latest used first."""
    by_chat: dict[str, list[Turn]] = {}
    for turn in turns:
        by_chat.setdefault(turn.chat, []).append(turn)
    latest_first = sorted(by_chat.values(), key=lambda own: own[-1].at, reverse=True)
    return [Chat(own[0].chat, own[0].question, own[0].at, len(own)) for own in latest_first]
