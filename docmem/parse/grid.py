"""Tables between ruled lines: which rules on a page form a grid, and which words stand in a cell.

Knows no PDF library: it is handed rules and words in points of the page as shown, origin top left.
Tables without upright rules are left to ``docmem/tables.py``, which tells them by their numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from docmem.parse.layout import Rect

_NEAR_PT = 2.5
_MAX_RULES = 4_000  # a drawing has more
_MAX_CELLS = 5_000
_MAX_CELL_WORDS = 60  # cells with more on average are boxes around prose
_MOST_CROSSED = 0.03


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line: ``at`` is its y if it lies, its x if it stands; from ``low`` to ``high``."""

    is_upright: bool
    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table: where it is, and its rows of cells from top to bottom.

    A cell is the indices of its words, in the order in which the words were given.
    """

    rect: Rect
    rows: tuple[tuple[tuple[int, ...], ...], ...]


def find_grids(rules: Sequence[Rule], words: Sequence[Rect]) -> list[Grid]:
    """Find the tables of two rows and two columns or more whose rules no word crosses."""
    if not 6 <= len(rules) <= _MAX_RULES:
        return []
    found = (_grid(part, words) for part in _connected(_merged(rules)))
    return [grid for grid in found if grid is not None]


def _merged(rules: Sequence[Rule]) -> list[Rule]:
    """Join rules that go on from each other: borders are often drawn cell by cell."""
    merged: list[Rule] = []
    ordered = sorted(rules, key=lambda rule: (rule.is_upright, round(rule.at), rule.low))
    for rule in ordered:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.is_upright == rule.is_upright
            and abs(last.at - rule.at) <= _NEAR_PT / 2
            and rule.low <= last.high + _NEAR_PT
        ):
            high = max(last.high, rule.high)
            merged[-1] = Rule(last.is_upright, last.at, min(last.low, rule.low), high)
        else:
            merged.append(rule)
    return merged


def _connected(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Part rules into groups whose members touch."""
    lying = [index for index, rule in enumerate(rules) if not rule.is_upright]
    upright = [index for index, rule in enumerate(rules) if rule.is_upright]
    root = list(range(len(rules)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    lying.sort(key=lambda index: rules[index].at)
    heights = [rules[index].at for index in lying]
    for stands in upright:
        rule = rules[stands]
        first = bisect_right(heights, rule.low - _NEAR_PT)
        last = bisect_right(heights, rule.high + _NEAR_PT)
        for index in lying[first:last]:
            if rules[index].low - _NEAR_PT <= rule.at <= rules[index].high + _NEAR_PT:
                root[find(index)] = find(stands)
    groups: dict[int, list[Rule]] = defaultdict(list)
    for index, rule in enumerate(rules):
        groups[find(index)].append(rule)
    return list(groups.values())


def _grid(rules: Sequence[Rule], words: Sequence[Rect]) -> Grid | None:
    xs = _distinct([rule.at for rule in rules if rule.is_upright])
    ys = _distinct([rule.at for rule in rules if not rule.is_upright])
    columns, rows = len(xs) - 1, len(ys) - 1
    if columns < 2 or rows < 2 or columns * rows > _MAX_CELLS:
        return None
    rect = Rect(xs[0], ys[0], xs[-1], ys[-1])
    owners = _owners(rules, xs, ys)
    inside: dict[int, list[int]] = defaultdict(list)
    placed = crossed = 0
    for index, word in enumerate(words):
        x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
        if not (rect.x0 < x < rect.x1 and rect.y0 < y < rect.y1):
            continue
        row, column = bisect_right(ys, y) - 1, bisect_right(xs, x) - 1
        owner = owners[row][column]
        edge = bisect_right(xs, word.x0 + _NEAR_PT) - 1
        crossed += not 0 <= edge < columns or owners[row][edge] != owner
        placed += 1
        inside[owner].append(index)
    filled = len(inside)
    is_table = filled >= 4 and placed <= filled * _MAX_CELL_WORDS
    if not is_table or crossed > max(1, placed * _MOST_CROSSED):
        return None
    return Grid(rect, tuple(_rows(owners, inside)))


def _rows(
    owners: Sequence[Sequence[int]], inside: dict[int, list[int]]
) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Give the cells that begin in each row; one that spans rows is told in its first."""
    told: set[int] = set()
    for row in owners:
        distinct = list(dict.fromkeys(row))
        cells = [() if one in told else tuple(inside.get(one, ())) for one in distinct]
        told.update(distinct)
        if any(cells):
            yield tuple(cells)


def _owners(rules: Sequence[Rule], xs: Sequence[float], ys: Sequence[float]) -> list[list[int]]:
    """Number the cells; fields of the grid without a rule between them are one cell."""
    columns, rows = len(xs) - 1, len(ys) - 1
    owners = [[row * columns + column for column in range(columns)] for row in range(rows)]
    lying: dict[int, list[Rule]] = defaultdict(list)
    upright: dict[int, list[Rule]] = defaultdict(list)
    for rule in rules:
        (upright if rule.is_upright else lying)[
            _nearest(xs if rule.is_upright else ys, rule.at)
        ].append(rule)
    for row, (top, bottom) in enumerate(pairwise(ys)):
        for column, (left, right) in enumerate(pairwise(xs)):
            beside = _covers(upright[column], (top + bottom) / 2)
            above = _covers(lying[row], (left + right) / 2)
            if column and not beside:
                owners[row][column] = owners[row][column - 1]
            elif row and not above:
                owners[row][column] = owners[row - 1][column]
    return owners


def _covers(rules: Sequence[Rule], at: float) -> bool:
    return any(rule.low - _NEAR_PT <= at <= rule.high + _NEAR_PT for rule in rules)


def _nearest(places: Sequence[float], at: float) -> int:
    return min(range(len(places)), key=lambda index: abs(places[index] - at))


def _distinct(values: Sequence[float]) -> list[float]:
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > _NEAR_PT:
            found.append(value)
    return found
