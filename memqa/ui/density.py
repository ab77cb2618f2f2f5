"""Where a question's attention lies along a video, as the time line's first row.

Pure functions of what `Library.density` gives. Attention is gathered into cells of equal length,
so that a short stretch does not look like a strong one; what does not stand out is not drawn tall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memqa.ui.markup import Safe, el, join
from memqa.values import Attention
from models.values import TimeSpan, clock

MOST_CELLS = 120
_LEAST_CELL_S = 1.0
_STANDS_OUT = 3.0  # times an even share
_STICKY = "held more finely than the rest: later moments looked like it, so more room was kept"


@dataclass(frozen=True, slots=True)
class Spread:
    """The share of a question's attention in each cell of ``cell_s`` seconds, from 0 on."""

    cell_s: float
    shares: tuple[float, ...]

    @property
    def peak(self) -> int:
        """The cell with most attention."""
        return max(range(len(self.shares)), key=self.shares.__getitem__)

    @property
    def stands_out(self) -> bool:
        """Whether any cell has clearly more than an even share."""
        return self.shares[self.peak] >= _STANDS_OUT / len(self.shares)


def spread(attention: Sequence[Attention], duration_s: float) -> Spread:
    """Gather attention into at most `MOST_CELLS` cells of the same length."""
    cells = max(1, min(MOST_CELLS, round(duration_s / _LEAST_CELL_S)))
    cell_s = duration_s / cells
    shares = [0.0] * cells
    for one in attention:
        first = min(cells - 1, int(one.start_s / cell_s))
        last = min(cells - 1, int(one.end_s / cell_s))
        for cell in range(first, last + 1):
            inside = min(one.end_s, (cell + 1) * cell_s) - max(one.start_s, cell * cell_s)
            shares[cell] += one.density * max(0.0, inside)
    return Spread(cell_s, tuple(shares))


def attention_html(found: Spread, question: str) -> Safe:
    """Draw the area, with a cell for each stretch that says what it has when pointed at."""
    return join([_area(found), [_cell(found, at, question) for at in range(len(found.shares))]])


def attention_words(found: Spread, question: str) -> str:
    """Say what the area shows."""
    if not found.stands_out:
        return f"“{question}” looks everywhere alike: no moment stands out."
    start_s = found.peak * found.cell_s
    share = f"{found.shares[found.peak]:.0%}".replace("%", "\u00a0%")
    return f"“{question}” looks most at {clock(start_s)}: {share} of its attention lies there."


def sticky_html(sticky: Sequence[TimeSpan], duration_s: float) -> list[Safe]:
    """Bracket the stretches that the memory of the time line holds more finely."""
    return [
        el(
            "span",
            class_="sticky",
            style=_place(span.start_s, span.duration_s, duration_s),
            data_start=span.start_s,
            data_end=span.end_s,
            data_quote=f"{clock(span.start_s)}–{clock(span.end_s)} is {_STICKY} for it.",
        )
        for span in sticky
    ]


STICKY_WORDS = f"Brackets: {_STICKY}."


def _area(found: Spread) -> Safe:
    width = 1000 / len(found.shares)
    full = max(found.shares[found.peak], _STANDS_OUT / len(found.shares))
    steps = [
        f"L{at * width:.2f} {100 - 100 * share / full:.2f}H{(at + 1) * width:.2f}"
        for at, share in enumerate(found.shares)
    ]
    path = f"M0 100{''.join(steps)}L1000 100Z"
    drawn = el("path", d=path)
    return el("svg", drawn, viewBox="0 0 1000 100", preserveAspectRatio="none", aria_hidden="true")


def _cell(found: Spread, at: int, question: str) -> Safe:
    start_s, share = at * found.cell_s, found.shares[at]
    told = f"{share:.0%}" if share >= 0.01 else "less than 1%"
    return el(
        "span",
        class_="cell",
        style=_place(start_s, found.cell_s, found.cell_s * len(found.shares)),
        data_start=round(start_s, 3),
        data_end=round(start_s + found.cell_s, 3),
        data_share=round(share, 4),
        data_quote=f"{clock(start_s)}: {told} of the attention of “{question}”",
    )


def _place(start_s: float, length_s: float, duration_s: float) -> str:
    return f"left:{100 * start_s / duration_s:.3f}%;width:{100 * length_s / duration_s:.3f}%"
