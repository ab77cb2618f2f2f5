"""What a walk is asked, what it may use, and what it leaves behind: plain values, no rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from models.ports import LanguageModel, OptionScorer

Tier: TypeAlias = Literal["A", "B", "C", "D"]
Stop: TypeAlias = Literal["sure", "enough", "nothing left"]
Scores: TypeAlias = Callable[[str], Mapping[str, float]]
Read: TypeAlias = Callable[[str], str]

# Retrieval's share in what a place is worth; the rest is the model's (design §6.3).
RETRIEVAL: Mapping[Tier, float] = MappingProxyType({"A": 0.3, "B": 0.7, "C": 1.0, "D": 1.0})


@dataclass(frozen=True, slots=True)
class Query:
    """A question; ``many`` where one fact is not all of it (lists, comparisons, counts)."""

    text: str
    many: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guide:
    """What leads a walk: retrieval, the passages' text, and in tiers A and B a model.

    ``scores`` gives a question's nodes and passages by id, ``read`` a passage's full text. Tier D
    walks as C does: without a model there is still retrieval.
    """

    scores: Scores
    read: Read
    model: LanguageModel | None = None
    tier: Tier = "C"

    def __post_init__(self) -> None:
        if self.tier in ("A", "B") and self.model is None:
            raise ValueError(f"a walk in tier {self.tier} needs a model")
        if self.tier == "B" and not isinstance(self.model, OptionScorer):
            raise ValueError("a walk in tier B needs a model that scores options")


@dataclass(frozen=True, slots=True)
class WalkParams:
    """How many branches stay open below a node, and how many passages are read at most.

    ``leaves`` is 12 for a deep walk. A passage is a yes above ``sure``, in calibrated log-odds.
    """

    beam: int = 3
    leaves: int = 6
    sure: float = 0.0

    def __post_init__(self) -> None:
        if self.beam < 1 or self.leaves < 1:
            raise ValueError(f"not a walk: {self}")


PARAMS = WalkParams()


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One look: at a node and its children with their worth, or at a passage (no options).

    ``chosen`` are the children that were opened; of a passage its own id where it was kept.
    ``tokens`` is what was read for it, ``ms`` how long it took.
    """

    node: str
    options: tuple[tuple[str, float], ...]
    chosen: tuple[str, ...]
    reason: str
    tokens: int = 0
    ms: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Extract:
    """What a kept passage says on the question, under the headings of its node.

    The quote stands at characters ``[char_start, char_end)`` of the passage's text.
    """

    passage: str
    node: str
    heading: str
    quote: str
    char_start: int
    char_end: int


@dataclass(frozen=True, slots=True)
class Walk:
    """The way from the root down, and what it came to.

    ``leaves`` are the passages that were read, in the order read; ``kept`` those that help, in
    document order. In tier C every passage reached is kept: there is no one to say no.
    ``rewritten`` is the question of the second try, empty where there was none; ``answer`` what a
    model of tier A said at the passage on which it stopped.
    """

    steps: tuple[WalkStep, ...]
    leaves: tuple[str, ...]
    kept: tuple[Extract, ...] = ()
    stop: Stop = "nothing left"
    rewritten: str = ""
    answer: str = ""
