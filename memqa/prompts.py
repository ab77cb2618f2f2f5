"""The words put before a language model; nothing here decides anything.

Written for models of about 100M parameters: few notes, one instruction, the question last. Notes
are data: they are quoted line by line, and markup that a chat template could mistake for its own
is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.values import Message

_SYSTEM = (
    "Answer the question in one short sentence. Copy the fact from the notes; add nothing to it."
)
_MARKUP = re.compile(r"<\|?/?[A-Za-z_][^<>\n]{0,40}\|?>|\[/?INST\]|###+")


def answer_messages(question: str, notes: Sequence[str]) -> list[Message]:
    """Ask for one short sentence that answers the question from the notes."""
    listed = "\n".join(f"- {as_data(note)}" for note in notes)
    return [
        Message("system", _SYSTEM),
        Message("user", f"Notes:\n{listed}\n\nQuestion: {as_data(question)}\nAnswer:"),
    ]


def as_data(text: str) -> str:
    """Put a text on one line and take out what could pass for chat markup."""
    return " ".join(_MARKUP.sub(" ", text).split())
