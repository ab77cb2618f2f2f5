"""How the way to an answer is drawn in a terminal: its steps, and the walk as the tree it went.

What was not opened stays as one line, by its name, for ``--resume``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memqa.values import Look, Step
from memqa.way import Branch, is_passage, way_of
from models.quoting import one_line

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

_OPENED, _PASSED, _KEPT = "▸", "·", "✓"
_MOST_PASSED = 3


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
            way = way_of(steps)
            assert way is not None, "a step of it has a look"
            _draw(drawing.add(Text(f"the walk: {_summed_up(looks)}")), way)
    return drawing


def _draw(above: Tree, branch: Branch) -> None:
    """Draw a node and, below it, what was opened and the best of what was not."""
    here = above.add(_node_line(branch))
    for look in branch.looks:
        if look.reason:
            here.add(_reason_line(look))
    passed = [one for one in branch.below if one.fate == "passed"]
    for one in branch.below:
        if one.is_passage and one.looks:
            here.add(_leaf_line(one))
        elif one.fate == "opened":
            _draw(here, one)
        elif one.fate == "kept":  # its summary was read together with its parent's
            there = here.add(_option_line(_KEPT, one, style=""))
            for leaf in one.below:
                there.add(_leaf_line(leaf))
    for one in passed[:_MOST_PASSED]:
        here.add(_option_line(_PASSED, one, style="dim"))
    if len(passed) > _MOST_PASSED:
        here.add(_dim(f"{_PASSED} {len(passed) - _MOST_PASSED} more"))


def _line(step: Step) -> Text:
    from rich.text import Text

    told = f"{step.name}: {step.detail}" if step.detail else step.name
    line = Text(_plain(told))
    if step.elapsed_s:
        line.append(f"  {step.elapsed_s:.2f} s", style="dim")
    return line


def _node_line(branch: Branch) -> Text:
    from rich.text import Text

    if not branch.looks:
        return Text(_plain(branch.node))
    line = Text(f"{_OPENED} ", style="bold")
    line.append(_plain(branch.node), style="bold cyan")
    line.append(f"  {branch.place}  ", style="cyan")
    if branch.score is not None:
        line.append(f"{branch.score:.2f}  ")
    line.append(_plain(branch.text))
    return line


def _reason_line(look: Look) -> Text:
    from rich.text import Text

    line = Text(_plain(look.reason), style="italic")
    line.append(_cost(look), style="dim")
    return line


def _leaf_line(leaf: Branch) -> Text:
    from rich.text import Text

    is_kept, look = leaf.fate == "kept", leaf.looks[-1]
    line = Text(f"{_KEPT if is_kept else _PASSED} ", style="green" if is_kept else "red")
    line.append(leaf.local, style="bold")
    line.append(f"  {leaf.place}  ", style="cyan")
    if leaf.score is not None:
        line.append(f"{leaf.score:.2f}  ")
    line.append(f"“{_plain(leaf.text)}”  ")
    line.append(_plain(look.reason), style="italic")
    line.append(_cost(look), style="dim")
    return line


def _option_line(mark: str, option: Branch, *, style: str) -> Text:
    from rich.text import Text

    # A passage cannot be picked, so its name in its media is enough.
    name = option.local if option.is_passage else option.node
    told = f"{mark} {name}  {option.place}  {option.score or 0:.2f}  {option.text}"
    return Text(_plain(told), style=style)


def _plain(text: str) -> str:
    """Put a text on one line that nothing in it can leave."""
    return one_line(text)


def _dim(text: str) -> Text:
    from rich.text import Text

    return Text(text, style="dim")


def _cost(look: Look) -> str:
    spent = [f"{look.tokens} tokens"] if look.tokens else []
    return "  (" + ", ".join([*spent, f"{look.ms:.0f} ms"]) + ")" if spent else ""


def _summed_up(looks: Sequence[Look]) -> str:
    read = [look for look in looks if not look.options and is_passage(look.node)]
    kept = sum(bool(look.chosen) for look in read)
    tokens, ms = sum(look.tokens for look in looks), sum(look.ms for look in looks)
    nodes = len({look.node for look in looks} - {look.node for look in read})
    opened = f"{nodes} branch{'es' if nodes != 1 else ''} opened"
    passages = f"{len(read)} passage{'s' if len(read) != 1 else ''} read"
    return f"{opened}, {passages}, {kept} kept, {tokens} tokens, {ms:.0f} ms"
