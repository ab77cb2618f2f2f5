"""Taking stock of a media's memory in plain words, for the memory tab to show.

Pure functions: of `MemoryAccount` for a video, of plain counts for all else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from memqa.account import HeldElement, MemoryAccount
from memqa.findings import duration
from memqa.ui import words
from memqa.values import Media
from models.values import clock

MOST_CELLS = 400  # of the strip; more would be narrower than a pixel
SHOWN = 8  # elements that show their frame
METHODS = {
    "moviechat": "MovieChat",
    "malmm": "MA-LMM",
    "xmem": "XMem",
    "emllm": "EM-LLM",
    "infinite": "∞-Video",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """How full something is; ``share`` in [0, 1], or None where it has no end."""

    name: str
    share: float | None
    told: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of time that is held as one; the more frames in it, the stronger its ``shade``."""

    start_s: float
    end_s: float
    shade: float
    told: str


@dataclass(frozen=True, slots=True)
class Held:
    """An element worth showing: where it is from, and why it is shown."""

    start_s: float
    end_s: float
    told: str


@dataclass(frozen=True, slots=True)
class MemoryView:
    """All that the memory tab says of one media; only a video has bars, cells and elements.

    ``seen`` and ``merged`` are the counts whose growth the page draws while a video is watched.
    """

    media_id: str
    rule: str
    facts: tuple[tuple[str, str], ...]
    bars: tuple[Bar, ...] = ()
    cells: tuple[Cell, ...] = ()
    length_s: float = 0.0
    held: tuple[Held, ...] = ()
    shown_for: str = ""
    seen: int = 0
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What is remembered of a recording or document, counted."""

    pieces: int
    summaries: int
    depth: int
    bytes: int
    rewritten: int = 0


def memory_view(account: MemoryAccount, media: Media) -> MemoryView:
    """Tell what the picture memory of a video holds."""
    elements = account.elements
    frames = sum(one.count for one in elements)
    seen = int(account.figures.get("frames_seen", 0))
    by_use = any(one.usage for one in elements)
    return MemoryView(
        media_id=media.id,
        rule=f"{METHODS.get(account.method, account.method)}: {account.keeps}",
        facts=_facts(account, seen, frames),
        bars=_bars(account),
        cells=_cells(elements),
        length_s=max((one.end_s for one in elements), default=0.0),
        held=_shown(elements, by_use),
        shown_for="Read most often" if by_use else "Standing for most frames",
        seen=seen,
        merged=_merged(elements),
    )


def counts_view(media: Media, counts: Counts) -> MemoryView:
    """Tell what is remembered of a recording or a document, which has no pictures to hold."""
    if media.kind == "document":
        rule = "All of its text is kept, cut into passages, with a tree of summaries over them."
        pieces = "Passages"
    else:
        rule = "All that was said is kept, with a tree of summaries over it."
        pieces = "Stretches"
    told = words.counted(counts.summaries, "summary", "summaries")
    levels = words.counted(counts.depth, "level", "levels")
    facts = [
        (pieces, f"{counts.pieces}"),
        ("Outline", f"{told} on {levels}" if counts.summaries else "made when indexing ends"),
        ("On disk", words.size(counts.bytes)),
    ]
    if media.pages and media.kind == "document":
        facts.insert(0, ("Length", words.pages(media.pages)))
    if counts.rewritten:
        facts.append(("Written by a model", f"{counts.rewritten} of the summaries"))
    return MemoryView(media.id, rule, tuple(facts))


def _bars(account: MemoryAccount) -> tuple[Bar, ...]:
    used = sum(one.bytes for one in account.elements)
    of = f"{words.size(used)} of {words.size(account.budget_bytes)}"
    banks = [
        Bar(
            bank.name.capitalize(),
            None if bank.room is None else min(1.0, bank.held / max(bank.room, 1)),
            f"{bank.held} of {bank.room}" if bank.room is not None else f"{bank.held}, no end",
        )
        for bank in account.banks
    ]
    return (*banks, Bar("Bytes", min(1.0, used / max(account.budget_bytes, 1)), of))


def _facts(account: MemoryAccount, seen: int, frames: int) -> tuple[tuple[str, str], ...]:
    elements = account.elements
    given_up = max(round(account.figures.get("frames_given_up", 0)), 0)
    facts = [
        ("Frames seen", f"{seen}"),
        ("Held as", words.counted(len(elements), "element", "elements")),
        ("Merged", words.counted(_merged(elements), "frame", "frames")),
        ("Given up", words.counted(given_up, "frame", "frames") if given_up else "nothing"),
        ("Tells apart", _apart(account)),
        ("Time line", _line_words(account)),
    ]
    if "events" in account.figures:
        facts.insert(2, ("Events", f"{account.figures['events']:.0f}"))
    facts += [
        ("Captions", f"{words.counted(many, 'event', 'events')} by {model}, checked by nothing")
        for model, many in account.captions.items()
    ]
    return tuple(facts)


def _apart(account: MemoryAccount) -> str:
    lengths = sorted(one.end_s - one.start_s for one in account.elements if one.end_s > one.start_s)
    if not lengths:
        return "nothing yet"
    step, longest = duration(lengths[len(lengths) // 2]), duration(lengths[-1])
    steps = f"in steps of {step}" + (f", {longest} at most" if longest != step else "")
    horizon_s = account.horizon_s
    end_s = account.elements[-1].end_s
    if horizon_s is None or horizon_s >= end_s:
        return f"all {duration(end_s)} so far, {steps}"
    return f"the last {duration(horizon_s)}, {steps}; older and unattended moments blur"


def _line_words(account: MemoryAccount) -> str:
    line = account.timeline
    size, horizon = words.size(int(line.get("nbytes", 0))), duration(line.get("horizon_s", 0.0))
    sticky = words.counted(len(account.sticky), "stretch", "stretches")
    finer = f"; {sticky} held more finely" if account.sticky else ""
    return f"∞-Video in {size}, tells apart the last {horizon}{finer}"


def _merged(elements: Sequence[HeldElement]) -> int:
    return sum(one.count - 1 for one in elements if one.count > 1)


def _cells(elements: Sequence[HeldElement]) -> tuple[Cell, ...]:
    together = -(-len(elements) // MOST_CELLS) or 1
    groups = [elements[at : at + together] for at in range(0, len(elements), together)]
    most = max((sum(one.count for one in group) for group in groups), default=1)
    return tuple(_cell(group, most) for group in groups)


def _cell(group: Sequence[HeldElement], most: int) -> Cell:
    count = sum(one.count for one in group)
    start_s, end_s = group[0].start_s, max(one.end_s for one in group)
    what = words.counted(count, "frame", "frames")
    shows = f"\n{group[0].shows}" if group[0].shows else ""
    held = "held as one" if len(group) == 1 else f"held as {len(group)}"
    shade = math.log1p(count) / math.log1p(max(most, 1))
    return Cell(start_s, end_s, shade, f"{clock(start_s)}–{clock(end_s)}: {what} {held}{shows}")


def _shown(elements: Sequence[HeldElement], by_use: bool) -> tuple[Held, ...]:
    def worth(one: HeldElement) -> tuple[float, int]:
        return (one.usage or 0.0) if by_use else 0.0, one.count

    best = sorted(elements, key=worth, reverse=True)[:SHOWN]
    return tuple(
        Held(
            one.start_s,
            one.end_s,
            f"read for {one.usage or 0:.1%} of its life"
            if by_use
            else words.counted(one.count, "frame", "frames"),
        )
        for one in sorted(best, key=lambda one: one.start_s)
        if by_use or one.count > 1
    )
