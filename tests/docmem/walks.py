"""A small document for walks: sixteen stories in a tree of four by four, and scripted guides."""

from __future__ import annotations

from collections.abc import Mapping

from docmem.passages import Passage
from docmem.steps import Guide, Tier
from docmem.tree import Tree, TreeParams, build
from models.ports import LanguageModel
from models.values import PageSpan
from tests.fakes import FakeTextEncoder

THINGS = (
    "anchor barrel candle dagger engine feather goblet hammer island jacket kettle lantern mirror "
    "needle orchid pistol"
).split()


def text_of(order: int) -> str:
    thing = THINGS[order % len(THINGS)]
    return f"The {thing} number {order} was bought in {1900 + order}. Nobody else wanted it then."


def tree_of(count: int = 16, fan_out: int = 4) -> Tree:
    passages = [
        Passage(n, PageSpan(n + 1, n + 1, 10 * n, 10 * n + 9), text_of(n)) for n in range(count)
    ]
    even = TreeParams(fan_out=fan_out, anchoring=0)  # else what a text says moves its borders
    return build(passages, encode=FakeTextEncoder().encode, params=even)


def read(passage: str) -> str:
    return text_of(int(passage.removeprefix("p")))


def guide(own: Mapping[str, float], model: LanguageModel | None = None, tier: Tier = "C") -> Guide:
    return Guide(lambda question: own, read, model, tier)
