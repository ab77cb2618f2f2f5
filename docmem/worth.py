"""What retrieval says each place of a tree is worth, and where a walk therefore begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from docmem.tree import Tree

NOTHING = float("-inf")
SEEDS = 30
MOST_MASS = 0.8
_LEAST_MASS = 1e-6


@dataclass(frozen=True, slots=True)
class Worth:
    """The retrieval score of every passage, and of every node the best one below it.

    A summary alone hides what lies under it, the best of all descendants does not (document-memory
    design §6.3: a gold page among three, 0.54 against 0.46). What retrieval does not name is worth
    nothing; a named node none of whose passages is named lends them its score.
    """

    tree: Tree
    best: Mapping[str, float]
    top: float
    floor: float

    @classmethod
    def of(cls, tree: Tree, own: Mapping[str, float]) -> Worth:
        """Spread the scores that retrieval gave over the tree."""
        best: dict[str, float] = {}

        def value(place: str, lent: float) -> float:
            score = own.get(place, NOTHING)
            if not tree.is_node(place):
                best[place] = score if score > NOTHING else lent
                return best[place]
            below = leaves_under(tree, place)
            lent = NOTHING if any(leaf in own for leaf in below) else max(score, lent)
            children = [value(child, lent) for child in tree.node(place).children]
            best[place] = max(score, *children)
            return best[place]

        value(tree.root, NOTHING)
        scores = [score for score in best.values() if score > NOTHING]
        return cls(tree, best, max(scores, default=0.0), min([0.0, *scores]))

    def share(self, place: str) -> float:
        """Give a place's score in [0, 1], relative to the best of the tree; 0 for nothing."""
        if self.best[place] == NOTHING or self.top <= self.floor:
            return 0.0
        return (self.best[place] - self.floor) / (self.top - self.floor)

    def highest(self, places: Iterable[str], most: int) -> list[str]:
        """Give the best places, best first; what is worth nothing is left out; ties keep order."""
        named = [place for place in places if self.best[place] > NOTHING]
        return sorted(named, key=lambda place: -self.best[place])[:most]

    def starts(self, under: str, seeds: Sequence[str], *, most: int, share: float) -> list[str]:
        """Give the lowest nodes, at most ``most``, that together hold this share of the seeds.

        Seeds weigh by their scores (document-memory design §6.4, 2): the lowest common ancestors
        with the most mass.
        """
        mass = {seed: max(self.share(seed), _LEAST_MASS) for seed in seeds}
        needed = share * sum(mass.values()) - _LEAST_MASS / 2
        found = [under]
        while all(self.tree.is_node(self.tree.node(node).children[0]) for node in found):
            children = [child for node in found for child in self.tree.node(node).children]
            held = {
                child: sum(mass.get(leaf, 0.0) for leaf in leaves_under(self.tree, child))
                for child in children
            }
            heaviest = sorted(children, key=lambda child: -held[child])[:most]
            chosen = [child for child in children if child in heaviest and held[child] > 0]
            if not chosen or sum(held[child] for child in chosen) < needed:
                break
            found = chosen
        return found


def leaves_under(tree: Tree, place: str) -> list[str]:
    """Give the passages below a node in document order; a passage is its own."""
    if not tree.is_node(place):
        return [place]
    return [leaf for child in tree.node(place).children for leaf in leaves_under(tree, child)]
