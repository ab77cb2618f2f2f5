"""What was said as subtitles: cues for the player, and a WebVTT file to take along.

What was said may hold anything, tags too, and is escaped; pure functions of memories.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypedDict

from memqa.store.schema import Memory
from memqa.values import Media
from models.values import TimeSpan

_LEAST_S = 0.5  # that a subtitle stays


class Cue(TypedDict):
    """Words shown in ``[start, end)``, in seconds; ``text`` is escaped as WebVTT wants it."""

    start: float
    end: float
    text: str


def cues(memories: Iterable[Memory]) -> list[Cue]:
    """Give what was said as cues in order of time."""
    said = [
        Cue(
            start=one.locator.start_s,
            end=max(one.locator.end_s, one.locator.start_s + _LEAST_S),
            text=escape(" ".join(one.text.split()), quote=False),
        )
        for one in memories
        if one.modality == "said"
        and one.level == "observation"
        and isinstance(one.locator, TimeSpan)
    ]
    return sorted(said, key=lambda cue: cue["start"])


def as_webvtt(said: Iterable[Cue]) -> str:
    """Write cues as a WebVTT file."""
    from webvtt import Caption, WebVTT

    captions = [Caption(_stamp(cue["start"]), _stamp(cue["end"]), cue["text"]) for cue in said]
    return str(WebVTT(captions=captions).content)


def file_name(media: Media) -> str:
    """Name the subtitles after their media: ``talk.vtt``."""
    return f"{media.name.rpartition('.')[0] or media.name}.vtt"


def _stamp(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"
