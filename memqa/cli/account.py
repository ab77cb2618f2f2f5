"""How a video's memory and a question's attention over its time line read in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from memqa.account import MemoryAccount
from memqa.cli import words
from memqa.findings import duration
from memqa.values import Attention
from models.values import clock

_ROWS = 30  # of a time line
_BAR = 40
_STANDS_OUT = 1.5  # times the mean
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_account(account: MemoryAccount) -> None:
    """Write what a memory holds: its rule, its sums, then every element."""
    print(f"{account.method}: {account.keeps}")
    seen = account.figures.get("frames_seen", 0)
    used = sum(element.bytes for element in account.elements)
    print(
        f"{len(account.elements)} elements of {seen:.0f} frames, {words.size(used)} in a memory of "
        f"{words.size(account.nbytes)}, whatever the length"
    )
    for name, value in account.figures.items():
        if name not in ("frames_seen", "elements", "nbytes"):
            print(f"{name.replace('_', ' ')}: {value:.0f}")
    if account.horizon_s is not None:
        print(f"horizon: what nothing attends to is blurred after {duration(account.horizon_s)}")
    line = account.timeline
    print(
        f"time line: ∞-Video, {line.get('elements', 0):.0f} elements, "
        f"{words.size(line.get('nbytes', 0))}, horizon {duration(line.get('horizon_s', 0))}"
    )
    for model, many in account.captions.items():
        print(f"captions: {many} by {words.printable(model)}, checked by nothing")
    has_usage = any(element.usage is not None for element in account.elements)
    titles = ("time", "frames", "size", *(("used",) if has_usage else ()), "shows")
    words.print_table(
        titles,
        [
            (
                f"{clock(one.start_s)}–{clock(one.end_s)}",
                str(one.count),
                words.size(one.bytes),
                *((f"{one.usage or 0.0:.3f}",) if has_usage else ()),
                one.shows,
            )
            for one in account.elements
        ],
    )


def print_attention(spread: Sequence[Attention]) -> None:
    """Draw a density over time: a row for each thirtieth of the video, its share of attention."""
    end_s = max((one.end_s for one in spread), default=0.0)
    width_s = max(end_s / _ROWS, 1.0)
    rows = int(-(-end_s // width_s))
    shares = [_share(spread, at * width_s, (at + 1) * width_s) for at in range(rows)]
    most = max(shares, default=0.0) or 1.0
    print("time             share of the attention")
    if most < _STANDS_OUT / max(rows, 1):
        print("(spread evenly: nothing stands out)")
    for at, share in enumerate(shares):
        when = f"{clock(at * width_s)}–{clock(min((at + 1) * width_s, end_s))}"
        print(f"{when:>15}  {_bar(share / most)} {share:.1%}")


def _share(spread: Sequence[Attention], start_s: float, end_s: float) -> float:
    return sum(
        one.density * max(0.0, min(one.end_s, end_s) - max(one.start_s, start_s)) for one in spread
    )


def _bar(part: float) -> str:
    eighths = round(part * _BAR * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(_BAR + 1)
