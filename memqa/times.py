"""Knows how a question names times: moments ("at 12:30") and stretches ("in the last minute")."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from models.values import TimeSpan

_CLOCK = r"(?:(?:\d{1,2}:)?\d{1,3}:[0-5]\d)(?!\d)"
_UNIT = r"(?:s|secs?|seconds?|min|mins|minutes?|h|hours?)"
_TENS = dict(zip(("twenty", "thirty", "forty", "fifty", "sixty"), range(20, 70, 10), strict=True))
_ONES = [
    (word, number)
    for number, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen".split(),
        1,
    )
]
_NUMBERS = {
    "half an": 0.5, "an": 1.0, "a": 1.0,
    **{f"{ten} {one}": tens + n for ten, tens in _TENS.items() for one, n in _ONES[:9]},
    **{ten: float(tens) for ten, tens in _TENS.items()},
    **{one: float(n) for one, n in _ONES},
}  # fmt: skip
_NUMBER = "|".join(
    sorted((re.sub(" ", r"[\\s-]", word) for word in _NUMBERS), key=len, reverse=True)
)
_AMOUNT = rf"(?:\d+(?:\.\d+)?\s*{_UNIT}|(?:{_NUMBER})\s+{_UNIT})"
_TIME = rf"(?:{_CLOCK}|minute\s+\d+(?:\.\d+)?|second\s+\d+(?:\.\d+)?|{_AMOUNT})"
_AT = re.compile(
    rf"\b(?:at|around|near)\s+({_TIME})(?!\w)|\babout\s+({_CLOCK})"
    r"|\bin\s+((?:minute|second)\s+\d+(?:\.\d+)?)(?!\w)",
    re.I,
)
_NOW = re.compile(
    r"\b(?:(?:right |just |as of )?now|currently|at (?:the|this) (?:very )?moment)\b", re.I
)
_EDGE = re.compile(
    rf"\b(?:in|during|within|for|over)\s+(?:the\s+)?(first|last)\s+({_AMOUNT}|{_UNIT})(?!\w)", re.I
)
_HALF = re.compile(
    r"\b(?:in|during|within)\s+the\s+(first|second|last)\s+half\b(?!\s+of)"
    r"|\b(?:in|during|within)\s+the\s+(first|second|last)\s+half\s+of\s+(?:the|this)\s+"
    r"(?:video|film|movie|clip|recording|talk|stream)\b",
    re.I,
)
_BETWEEN = re.compile(
    rf"\b(?:between|from)\s+({_TIME})\s+(?:and|to|until|till)\s+({_TIME})(?!\w)", re.I
)
_ONE_SIDED = re.compile(rf"\b(before|until|till|after|since|from)\s+({_TIME})(?!\w)", re.I)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a video as a question names it: half-open, in seconds or in shares of the whole.

    Negative seconds count from the end, as in "the last two minutes".
    """

    start: float
    end: float
    is_share: bool = False

    def of(self, duration_s: float) -> TimeSpan:
        """Give it in seconds of a video that is so long."""
        scale = duration_s if self.is_share else 1.0
        start_s, end_s = (
            min(max(0.0, edge + duration_s if edge < 0 else edge), duration_s)
            for edge in (self.start * scale, self.end * scale)
        )
        return TimeSpan(start_s, max(start_s, end_s))


def as_of(stretch: Stretch, at_s: float) -> Stretch:
    """Give a stretch as of a moment: the end it counts from is there, and nothing lies later."""
    if stretch.is_share:
        return Stretch(stretch.start * at_s, stretch.end * at_s)
    start_s = stretch.start if stretch.start >= 0 else max(0.0, at_s + stretch.start)
    return Stretch(start_s, min(stretch.end, at_s))


def moment_named(text: str) -> float | None:
    """Give the second that a question names ("at 12:30", "at minute 4"), or None."""
    match = _AT.search(text)
    return seconds_of(match[1] or match[2] or match[3]) if match else None


def stretch_named(text: str) -> tuple[Stretch | None, str]:
    """Give the stretch that a question names, and the question without it."""
    for pattern, made in _STRETCHES:
        if match := pattern.search(text):
            rest = " ".join(f"{text[: match.start()]} {text[match.end() :]}".split())
            return made(match), re.sub(r"\s+([?.!,])", r"\1", rest)
    return None, text


def without_moment(text: str) -> str:
    """Give the question without the moment that it names."""
    return _AT.sub(" ", text)


def without_now(text: str) -> str | None:
    """Give the question without its "now"; None where it says none."""
    return _NOW.sub(" ", text) if _NOW.search(text) else None


def seconds_of(text: str) -> float:
    """Turn ``1:02:11``, ``12:30``, ``minute 4``, ``95 seconds`` or ``two minutes`` into seconds."""
    if ":" in text:
        total = 0.0
        for part in text.split(":"):
            total = 60 * total + float(part)
        return total
    words = text.lower().split()
    if words[0] in ("minute", "second") and len(words) == 2:
        return float(words[1]) * _SECONDS[words[0][0]]
    amount, unit = _amount_and_unit(text.lower())
    return amount * _SECONDS[unit[0]]


def _amount_and_unit(text: str) -> tuple[float, str]:
    number = re.match(r"[\d.]*", text)
    assert number is not None
    if number[0]:
        return float(number[0]), text[number.end() :].strip()
    *amount, unit = re.split(r"[\s-]+", text.strip())
    return _NUMBERS[" ".join(amount)] if amount else 1.0, unit


def _at_an_edge(match: re.Match[str]) -> Stretch:
    length_s = seconds_of(match[2])
    if not length_s:
        return Stretch(math.inf, math.inf)  # nothing lies in it
    return Stretch(0.0, length_s) if match[1].lower() == "first" else Stretch(-length_s, math.inf)


def _one_half(match: re.Match[str]) -> Stretch:
    is_first = (match[1] or match[2]).lower() == "first"
    return Stretch(*((0.0, 0.5) if is_first else (0.5, 1.0)), is_share=True)


def _between(match: re.Match[str]) -> Stretch:
    start_s, end_s = sorted((seconds_of(match[1]), seconds_of(match[2])))
    return Stretch(start_s, end_s)


def _one_sided(match: re.Match[str]) -> Stretch:
    at_s = seconds_of(match[2])
    is_before = match[1].lower() in ("before", "until", "till")
    return Stretch(0.0, at_s) if is_before else Stretch(at_s, math.inf)


_STRETCHES = (
    (_EDGE, _at_an_edge),
    (_HALF, _one_half),
    (_BETWEEN, _between),
    (_ONE_SIDED, _one_sided),
)
