"""The way to an answer as the tree it went: the looks of a walk in the shape of the document.

A branch hangs below the node that offered it, whenever it was looked at; of several media the root
is their collection's node. Knows nothing of how a face draws it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from memqa.values import Look, Option, Step

Fate: TypeAlias = Literal["opened", "kept", "refused", "passed"]
_LEAF = re.compile(r"(?:.*:)?(p\d+)", re.S)
_NODE = re.compile(r"(?:.*:)?(n\d+-\d+)", re.S)


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of the tree or a passage that a walk saw, and what it saw below.

    What is ``opened`` was looked into; ``kept`` counts for the answer, as a passage or as a summary
    read together with its parent's; a passage is ``refused`` once it was read, and what is
    ``passed`` was offered and not looked at. ``score`` is what it was offered for.
    """

    node: str
    place: str
    text: str
    fate: Fate
    score: float | None = None
    media: str = ""
    looks: tuple[Look, ...] = ()
    below: tuple[Branch, ...] = ()

    @property
    def is_passage(self) -> bool:
        """Whether it is a passage, below which there is nothing to look at."""
        return _LEAF.fullmatch(self.node) is not None

    @property
    def local(self) -> str:
        """Its name in its own media's tree; empty for a collection's node."""
        found = _LEAF.fullmatch(self.node) or _NODE.fullmatch(self.node)
        return found[1] if found else ""

    def all(self) -> Iterator[Branch]:
        """Give it and all that is below it, from the top."""
        yield self
        for one in self.below:
            yield from one.all()


def way_of(steps: Iterable[Step]) -> Branch | None:
    """Arrange the looks among some steps as one tree; None where nothing was walked."""
    looks = [step.look for step in steps if step.look is not None]
    return _Looks(looks).branch(looks[0].path[0], None) if looks else None


def is_passage(node: str) -> bool:
    """Tell whether the name of a place is a passage's."""
    return _LEAF.fullmatch(node) is not None


class _Looks:
    """The looks of a walk by their node, and the order in which nodes were looked at."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks: dict[str, list[Look]] = {}
        for look in looks:
            self._looks.setdefault(look.node, []).append(look)
        self._order = {node: at for at, node in enumerate(self._looks)}

    def branch(self, node: str, offered: Option | None) -> Branch:
        """Give a node with what was opened below it, then what was not, the best first."""
        looks = self._looks.get(node, [])
        options = {option.id: option for look in looks for option in look.options}
        opened = [one for one in self._children(node, options) if one in self._looks]
        unseen = [one for one in options.values() if one.id not in self._looks]
        passed = sorted((one for one in unseen if not one.chosen), key=lambda one: -one.score)
        return Branch(
            node,
            looks[0].place if looks else "",
            looks[0].text if looks else "",
            "opened",
            score=offered.score if offered else None,
            media=looks[0].media if looks else "",
            looks=tuple(looks),
            below=(
                *(self._seen(one, options.get(one)) for one in opened),
                *(self._read_along(one) for one in unseen if one.chosen),
                *(_unseen(one, "passed") for one in passed),
            ),
        )

    def _seen(self, node: str, offered: Option | None) -> Branch:
        if not is_passage(node):
            return self.branch(node, offered)
        look = self._looks[node][-1]
        score = offered.score if offered else None
        fate: Fate = "kept" if look.chosen else "refused"
        return Branch(node, look.place, look.text, fate, score, look.media, (look,))

    def _read_along(self, option: Option) -> Branch:
        """Give a node whose summary was read together with its parent's."""
        leaves = tuple(self._seen(leaf, None) for leaf in self._children(option.id, ()))
        return _unseen(option, "kept", leaves)

    def _children(self, node: str, options: Iterable[str]) -> list[str]:
        """Give what lies directly below a node, offered or read, in the order looked at."""
        read = [
            looks[0].node
            for looks in self._looks.values()
            if len(looks[0].path) > 1 and looks[0].path[-2] == node
        ]
        known = dict.fromkeys([*options, *read])
        return sorted(known, key=lambda one: self._order.get(one, len(self._order)))


def _unseen(option: Option, fate: Fate, below: tuple[Branch, ...] = ()) -> Branch:
    return Branch(
        option.id, option.place, option.text, fate, option.score, option.media, below=below
    )
