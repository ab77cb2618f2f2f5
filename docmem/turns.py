"""How a turn of a transcript begins: with its speaker, with its time, or with both.

Knows ``Ann: …``, ``[0:12] Ann: …``, ``0:12 Ann: …``, ``Ann (0:12): …``, ``[0:12] …``, and a line of
its own with speaker and time above the words, as recorders of meetings write it.
"""

from __future__ import annotations

import re

_TIME = r"\d{1,2}(?::[0-5]\d){1,2}(?:[.,]\d{1,3})?"
_BRACKETED = rf"[\[(]{_TIME}[\])]"
_NAME = r"[^\W\d_a-z][^:\n!?()\[\]]{0,60}"
_HEADS = re.compile(
    rf"{_NAME} ?{_BRACKETED}:?(?= ?\S)"
    rf"|(?:{_BRACKETED}|{_TIME}) ?[–—-]? ?{_NAME}:(?= ?\S)"
    rf"|\[{_TIME}\](?= ?\S)"
    r"|[^\W\d_a-z][^:\n!?]{0,120}:(?= ?\S)"
)
_TIMES = re.compile(rf"{_BRACKETED}|\b{_TIME}")
_STAMP = re.compile(rf"{_NAME}?(?:(?: {{2,}}|\t+){_TIME}| ?{_BRACKETED})\s*$")


def turn_head(text: str) -> str:
    """Give the speaker and time with which a turn begins; empty where none does."""
    bare = text.lstrip()
    if is_stamp(bare.split("\n", 1)[0]):
        return " ".join(bare.split("\n", 1)[0].split())
    head = _HEADS.match(bare)
    return head.group().rstrip() if head else ""


def speaker_of(head: str) -> str:
    """Give the speaker's name in the head of a turn; empty where it holds a time alone."""
    return _TIMES.sub(" ", head).strip(" :–—-\t")


def is_stamp(line: str) -> bool:
    """Tell a line that says who speaks and when, with the words on the lines below."""
    return bool(_STAMP.match(line.strip()))
