"""The memory tab: bars, the strip of what is held along the video, and the frames of a few."""

from __future__ import annotations

from memqa.ui.leads import lead
from memqa.ui.markup import Safe, el, icon
from memqa.ui.stock import Bar, MemoryView
from models.values import TimeSpan, clock


def memory_html(view: MemoryView) -> Safe:
    """Write the memory tab."""
    facts = [el("div", el("dt", name), el("dd", value)) for name, value in view.facts]
    return el(
        "div",
        el("p", view.rule, class_="rule quiet"),
        el("div", [_bar(bar) for bar in view.bars], class_="bars") if view.bars else None,
        _strip(view) if view.cells else None,
        el("dl", facts, class_="memory-facts"),
        el("div", class_="growth", hidden=True, data_key="growth") if view.cells else None,
        _gallery(view) if view.held else None,
        class_="memory",
        data_media=view.media_id,
        data_seen=view.seen,
        data_merged=view.merged,
    )


def _bar(bar: Bar) -> Safe:
    full = 0.0 if bar.share is None else bar.share
    meter = el(
        "div",
        el("span", style=f"width:{100 * full:.1f}%"),
        class_="bar" if bar.share is not None else "bar endless",
        role="img",
        aria_label=f"{bar.name}: {bar.told}",
    )
    return el(
        "div",
        el("span", bar.name, class_="bar-name"),
        meter,
        el("span", bar.told, class_="bar-told", aria_hidden="true"),
        class_="bar-row",
    )


def _strip(view: MemoryView) -> Safe:
    length_s = view.length_s or 1.0
    cells = [
        el(
            "a",
            class_="held",
            style=f"left:{100 * cell.start_s / length_s:.3f}%;"
            f"width:{100 * (cell.end_s - cell.start_s) / length_s:.3f}%;"
            f"--shade:{cell.shade:.2f}",
            data_quote=cell.told,
            aria_label=cell.told,
            tabindex=-1 if at else 0,
            **lead(view.media_id, TimeSpan(cell.start_s, cell.end_s)),
        )
        for at, cell in enumerate(view.cells)
    ]
    ends = (
        el("span", "0:00"),
        el("span", "stronger colour: more frames in one"),
        el("span", clock(length_s)),
    )
    return el(
        "figure",
        el("div", cells, class_="held-strip"),
        el("figcaption", ends, class_="quiet"),
        class_="strip-figure",
        aria_label=f"What is held along the video, {len(view.cells)} stretches",
    )


def _gallery(view: MemoryView) -> Safe:
    tiles = [
        el(
            "li",
            el(
                "a",
                el("span", class_="frame", data_at=(one.start_s + one.end_s) / 2, data_key="frame"),
                el("span", icon("play"), clock(one.start_s), class_="at"),
                el("span", one.told, class_="told"),
                **lead(view.media_id, TimeSpan(one.start_s, one.end_s)),
            ),
            data_key=f"{one.start_s:.2f}-{one.end_s:.2f}",
        )
        for one in view.held
    ]
    return el("section", el("h3", view.shown_for), el("ul", tiles), class_="gallery")
