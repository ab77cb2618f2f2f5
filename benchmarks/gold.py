"""Knows where the evidence of document questions lies, and how much of it some places hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.values import PageSpan

WINDOW_TURNS = {"locomo": 6}  # other transcripts: 20


@dataclass(frozen=True, slots=True)
class Gold:
    """Where the evidence of a question lies: pages, or character spans of turns.

    ``windows`` are the spans into which the transcript is cut for counting.
    """

    pages: frozenset[int] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()
    windows: tuple[tuple[int, int], ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether anybody wrote down where the evidence lies."""
        return bool(self.pages or self.spans)

    def found_in(self, places: Sequence[PageSpan]) -> float | None:
        """Give the recall: any gold page, or the share of gold turns; None without gold."""
        if self.pages:
            return float(self.share_in(places) > 0)
        return self.share_in(places) if self.spans else None

    def share_in(self, places: Sequence[PageSpan]) -> float:
        """Give the share of the gold pages or turns that places touch."""
        if self.pages:
            touched = {page for place in places for page in range(place.page, place.page_end + 1)}
            return len(touched & self.pages) / len(self.pages)
        hit = [any(_meet(place, span) for place in places) for span in self.spans]
        return sum(hit) / len(hit)

    def distinct(self, places: Sequence[PageSpan]) -> list[PageSpan]:
        """Give what counts as one place each, in their order: pages, or windows of turns.

        Of the windows that a place lies in, the one that it shares most with comes first.
        """
        if self.pages:
            pages = [page for one in places for page in range(one.page, one.page_end + 1)]
            return [PageSpan(page, page, 0, 0) for page in dict.fromkeys(pages)]
        kept: dict[tuple[int, int], None] = {}
        for place in places:
            met = [window for window in self.windows if _meet(place, window)]
            for window in sorted(met, key=lambda one: -_shared(place, one)):
                kept.setdefault(window)
        return [PageSpan(1, 1, *window) for window in kept]


def gold_of(row: Mapping[str, Any], data: Path, document: Mapping[str, Any]) -> Gold:
    """Read where a question's evidence lies; turns become character spans of the text file."""
    evidence = row.get("evidence") or {}
    if evidence.get("type") == "pages":
        return Gold(pages=frozenset(evidence["pages"]))
    if evidence.get("type") not in ("turn_spans", "turn_ids"):
        return Gold()
    turns = list(rows(data / document["turns_file"]))
    spans = turn_characters((data / document["file"]).read_text(encoding="utf-8"), turns)
    if evidence["type"] == "turn_ids":
        wanted = set(evidence["turn_ids"])
        chosen = [
            i for i, turn in enumerate(turns) if turn.get("turn_id", turn.get("id")) in wanted
        ]
    else:
        chosen = [i for first, last in evidence["spans"] for i in range(first, last + 1)]
    step = WINDOW_TURNS.get(row["source"], 20)
    cut = [spans[first : first + step] for first in range(0, len(spans), step)]
    return Gold(
        spans=tuple(spans[i] for i in dict.fromkeys(chosen) if i < len(spans)),
        windows=tuple((part[0][0], part[-1][1]) for part in cut),
    )


def turn_characters(text: str, turns: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Find each turn's words in the text of its transcript, in order; half-open spans."""
    spans, at = [], 0
    for turn in turns:
        start = text.find(turn["text"], at)
        start = at if start < 0 else start
        at = start + len(turn["text"])
        spans.append((start, at))
    return spans


def subsets_of(row: Mapping[str, Any], gold: Gold) -> list[str]:
    """Name the subsets of its source that a question belongs to.

    ``several``: its evidence lies on several pages, or in turns that do not follow each other;
    ``list``: a list is asked for; ``whole``: the whole text is needed.
    """
    names = [str(row["category"])] if row.get("category") else []
    names += ["text_only"] if row.get("text_only") else []
    names += ["list"] if row.get("answer_list") else []
    names += ["whole"] if row.get("global_question") else []
    evidence = row.get("evidence") or {}
    many = len(gold.pages) > 1 or len(evidence.get("spans") or ()) > 1
    return names + (["several"] if many or len(evidence.get("turn_ids") or ()) > 1 else [])


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of JSON lines."""
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _shared(place: PageSpan, window: tuple[int, int]) -> int:
    return min(place.char_end, window[1]) - max(place.char_start, window[0])


def _meet(place: PageSpan, span: tuple[int, int]) -> bool:
    return place.char_start < span[1] and span[0] < place.char_end
