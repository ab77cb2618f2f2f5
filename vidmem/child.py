"""Knows which module decodes videos in a child; ``models/child.py`` knows how children are run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeAlias

from models.child import Answer, Limits, converse_with, name_of
from models.errors import DecodeFailed
from models.values import ShouldStop

__all__ = ["Answer", "Converse", "Limits", "ask", "converse"]

Converse: TypeAlias = Callable[[dict[str, Any], Limits], Generator[Answer, None, None]]

_USUAL = Limits()


def ask(request: dict[str, Any], limits: Limits = _USUAL) -> Answer:
    """Give the child's first answer to a request.

    Raises:
        MemqaError: what the child reported, or DecodeFailed if it died.
    """
    with closing(converse(request, limits)) as answers:
        for answer in answers:
            return answer
    raise DecodeFailed(f"The decoder gave no answer about {name_of(request)}.")


def converse(
    request: dict[str, Any], limits: Limits = _USUAL, *, should_end: ShouldStop | None = None
) -> Generator[Answer, None, None]:
    """Yield the decoding child's answers to a request, as ``models.child.converse_with`` does."""
    return converse_with("vidmem.reader", request, limits, should_end=should_end)
