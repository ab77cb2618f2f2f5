"""How the way to an answer is drawn in a terminal: its steps, and the walk as the tree it went.

A branch is drawn below the node that offered it, whenever it was looked at, so that the drawing has
the shape of the document; of several media the root is their collection's node. What was not opened
stays as one line, by its name, for ``--resume``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from memqa.values import Look, Option, Step
from models.quoting import one_line

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

_OPENED, _PASSED, _KEPT = "▸", "·", "✓"
_MOST_PASSED = 3
_LEAF = re.compile(r"(?:.*:)?(p\d+)", re.S)


def print_way(steps: Sequence[Step]) -> None:
    """Draw the steps on the way to an answer; without colours where it is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:  # nothing to fit: a line of a file may be as long as it is
        console = Console(highlight=False, width=200)
    console.print(steps_tree(steps))


def steps_tree(steps: Sequence[Step]) -> Tree:
    """Draw the steps in their order; all looks of the walk share one drawing of the tree."""
    from rich.text import Text
    from rich.tree import Tree

    drawing = Tree("how it was found", guide_style="dim")
    looks = [step.look for step in steps if step.look is not None]
    is_drawn = False
    for step in steps:
        if step.look is None:
            drawing.add(_line(step))
        elif not is_drawn:
            is_drawn = True
            branch = drawing.add(Text(f"the walk: {_summed_up(looks)}"))
            _Drawing(looks).below(branch, looks[0].path[0], None)
    return drawing


class _Drawing:
    """The looks of a walk by their node, and every place that any of them offered."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks: dict[str, list[Look]] = {}
        for look in looks:
            self._looks.setdefault(look.node, []).append(look)
        self._order = {look.node: at for at, look in reversed(list(enumerate(looks)))}

    def below(self, branch: Tree, node: str, offered: Option | None) -> None:
        """Draw a node and, below it, what was opened and the best of what was not."""
        looks = self._looks.get(node, [])
        here = branch.add(_node_line(node, looks, offered))
        for look in looks:
            if look.reason:
                here.add(_reason_line(look))
        options = {option.id: option for look in looks for option in look.options}
        opened = [one for one in self._children(node, options) if one in self._looks]
        for child in opened:
            if _is_leaf(child):
                here.add(_leaf_line(self._looks[child][-1], options.get(child)))
            else:
                self.below(here, child, options.get(child))
        unseen = [one for one in options.values() if one.id not in self._looks]
        for one in unseen:
            if one.chosen:  # its summary was read together with its parent's
                there = here.add(_option_line(_KEPT, one, style=""))
                for leaf in self._children(one.id, ()):
                    there.add(_leaf_line(self._looks[leaf][-1], None))
        passed = [one for one in unseen if not one.chosen]
        passed.sort(key=lambda one: -one.score)
        for one in passed[:_MOST_PASSED]:
            here.add(_option_line(_PASSED, one, style="dim"))
        if len(passed) > _MOST_PASSED:
            here.add(_dim(f"{_PASSED} {len(passed) - _MOST_PASSED} more"))

    def _children(self, node: str, options: Iterable[str]) -> list[str]:
        """Give what lies directly below a node, offered or read, in the order looked at."""
        read = [
            looks[0].node
            for looks in self._looks.values()
            if len(looks[0].path) > 1 and looks[0].path[-2] == node
        ]
        known = dict.fromkeys([*options, *read])
        return sorted(known, key=lambda one: self._order.get(one, len(self._order)))


def _line(step: Step) -> Text:
    from rich.text import Text

    told = f"{step.name}: {step.detail}" if step.detail else step.name
    line = Text(_plain(told))
    if step.elapsed_s:
        line.append(f"  {step.elapsed_s:.2f} s", style="dim")
    return line


def _node_line(node: str, looks: Sequence[Look], offered: Option | None) -> Text:
    from rich.text import Text

    if not looks:
        return Text(_plain(node))
    line = Text(f"{_OPENED} ", style="bold")
    line.append(_plain(node), style="bold cyan")
    line.append(f"  {looks[0].place}  ", style="cyan")
    if offered is not None:
        line.append(f"{offered.score:.2f}  ")
    line.append(_plain(looks[0].text))
    return line


def _reason_line(look: Look) -> Text:
    from rich.text import Text

    line = Text(_plain(look.reason), style="italic")
    line.append(_cost(look), style="dim")
    return line


def _leaf_line(look: Look, option: Option | None) -> Text:
    from rich.text import Text

    line = Text(f"{_KEPT if look.chosen else _PASSED} ", style="green" if look.chosen else "red")
    line.append(_own_name(look.node), style="bold")
    line.append(f"  {look.place}  ", style="cyan")
    if option is not None:
        line.append(f"{option.score:.2f}  ")
    line.append(f"“{_plain(look.text)}”  ")
    line.append(_plain(look.reason), style="italic")
    line.append(_cost(look), style="dim")
    return line


def _option_line(mark: str, option: Option, *, style: str) -> Text:
    from rich.text import Text

    told = f"{mark} {_own_name(option.id)}  {option.place}  {option.score:.2f}  {option.text}"
    return Text(_plain(told), style=style)


def _plain(text: str) -> str:
    """Put a text on one line that nothing in it can leave."""
    return one_line(text)


def _is_leaf(node: str) -> bool:
    return _LEAF.fullmatch(node) is not None


def _own_name(node: str) -> str:
    """Give a node's name as it can be picked; a passage, which cannot, by its name in its media."""
    leaf = _LEAF.fullmatch(node)
    return leaf[1] if leaf else node


def _dim(text: str) -> Text:
    from rich.text import Text

    return Text(text, style="dim")


def _cost(look: Look) -> str:
    spent = [f"{look.tokens} tokens"] if look.tokens else []
    return "  (" + ", ".join([*spent, f"{look.ms:.0f} ms"]) + ")" if spent else ""


def _summed_up(looks: Sequence[Look]) -> str:
    read = [look for look in looks if not look.options and _is_leaf(look.node)]
    kept = sum(bool(look.chosen) for look in read)
    tokens, ms = sum(look.tokens for look in looks), sum(look.ms for look in looks)
    nodes = len({look.node for look in looks} - {look.node for look in read})
    opened = f"{nodes} branch{'es' if nodes != 1 else ''} opened"
    passages = f"{len(read)} passage{'s' if len(read) != 1 else ''} read"
    return f"{opened}, {passages}, {kept} kept, {tokens} tokens, {ms:.0f} ms"
