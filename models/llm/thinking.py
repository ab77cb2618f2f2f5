"""Knows which part of a reply is said, and which is thought aloud before it."""

from __future__ import annotations

from collections.abc import Iterator

OPENS, CLOSES = "<think>", "</think>"


def spoken(pieces: Iterator[str]) -> Iterator[str]:
    """Yield a reply without the thoughts that it begins with, nor the space around them.

    A thought stands between ``<think>`` and ``</think>``; the marks may lie across pieces. Marks
    that come after the first spoken word are text. A thought without an end leaves nothing to say.
    """
    held, thinks, has_thought = "", False, False
    for piece in pieces:
        held += piece
        while thinks or held.lstrip().startswith(OPENS):
            if not thinks:
                held, thinks, has_thought = held.lstrip()[len(OPENS) :], True, True
            thought, closed, rest = held.partition(CLOSES)
            if not closed:
                held = thought[1 - len(CLOSES) :]
                break
            held, thinks = rest.lstrip(), False
        if not thinks and not OPENS.startswith(held.lstrip()):
            yield held.lstrip() if has_thought else held
            yield from pieces
            return
    if held and not thinks:
        yield held
