"""Knows the questions that lie beside made videos and real clips, and where their answers are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOLERANCE_S = 2.0
QUICK_PER_TYPE = 6
GROUPS = {
    "when": "seen",
    "when_all": "seen",
    "clip": "seen",
    "needle": "seen",
    "chapter": "seen",
    "chapter_theme": "seen",
    "said": "said",
    "sign": "read",
    "sign_where": "read",
    "text_in_photo": "read",
    "text": "read",
    "what_after": "order",
    "what_before": "order",
    "order": "order",
    "just_before": "order",
    "count": "count",
    "now": "now",
    "absent": "absent",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a data set with the file it is about."""

    video: Path
    row: dict[str, Any]

    @property
    def group(self) -> str:
        """The group that its type folds into."""
        return GROUPS.get(self.row["type"], "other")


def questions(data: Path, *, quick: bool) -> Iterator[Asked]:
    """Yield the questions of every made video and of the real clips below a folder."""
    per_type: Counter[tuple[str, str]] = Counter()
    for file in sorted(data.glob("*.questions.jsonl")):
        video = _video_beside(file)
        for row in _rows(file) if video else ():
            per_type[file.name, row["type"]] += 1
            if video and (not quick or per_type[file.name, row["type"]] <= QUICK_PER_TYPE):
                yield Asked(video, row)
    clips = data / "qa" / "clip_qa.jsonl"
    for row in _rows(clips) if clips.is_file() else ():
        yield Asked(data / row["clip"], row)


def found(centre_s: float, times: Sequence[Sequence[float]]) -> bool:
    """Tell whether the centre of a moment lies in a true span, 2 s around it forgiven."""
    return any(start - TOLERANCE_S <= centre_s <= end + TOLERANCE_S for start, end in times)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _video_beside(file: Path) -> Path | None:
    stem = file.name.removesuffix(".questions.jsonl")
    beside = (file.parent / f"{stem}{ending}" for ending in (".mp4", ".mkv", ".webm", ".mov"))
    return next((path for path in beside if path.is_file()), None)
