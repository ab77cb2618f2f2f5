"""When something happened that is told in relative words, by the date of what tells it.

A diary, a chat or minutes say "yesterday" under a heading that holds the day. English only.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise

_MONTHS = (
    "january february march april may june july august september october november december".split()
)
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_MONTH = rf"({'|'.join(_MONTHS)}|{'|'.join(month[:3] for month in _MONTHS)})\.?"
_STATED = (
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH},?\s+(?P<year>\d{{4}})\b", re.I),
    re.compile(rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})\b", re.I),
)
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_HEADING = re.compile(r"^#{1,6} .*$", re.M)
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_RELATIVE = re.compile(
    r"\b(?:(?P<near>yesterday|today|tonight|tomorrow|this morning|this afternoon|this evening)|"
    rf"(?P<many>\d{{1,3}}|{'|'.join(_NUMBERS)}) (?P<unit>day|week|month|year)s? ago|"
    rf"(?P<side>last|next|this|past|coming) (?P<what>week|month|year|weekend|{'|'.join(_DAYS)}))\b",
    re.I,
)
_NEAR = {"yesterday": -1, "tomorrow": 1}


def date_in(text: str) -> date | None:
    """Give the first full date that a heading states: ``20 January, 2023``, ``2023-01-20``."""
    if match := _ISO.search(text):
        return _date(*map(int, match.groups()))
    for pattern in _STATED:
        if match := pattern.search(text):
            name = next(part for part in match.groups() if part and part[0].isalpha())
            month = [m[:3] for m in _MONTHS].index(name[:3].lower()) + 1
            return _date(int(match["year"]), month, int(match["day"]))
    return None


def entries(text: str, heading: str) -> list[tuple[date | None, str]]:
    """Cut a text at its headings and give each part with the day that its own heading states.

    What comes before the first of them stands under ``heading``.
    """
    cuts = [match.start() for match in _HEADING.finditer(text)]
    parts = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    days = [date_in(heading), *(date_in(part.splitlines()[0]) for part in parts[1:])]
    return [(day, part) for day, part in zip(days, parts, strict=True) if part.strip()]


def happened(sentence: str, told: date) -> str | None:
    """Say when something was, is or will be that a sentence tells of in relative words.

    As exactly as the words allow: a day, ``the week before 8 February 2023``, a month, a year;
    None where the sentence holds no such words. ``told`` is the day on which it was said.
    """
    match = _RELATIVE.search(sentence)
    try:
        return _meant(match, told) if match else None
    except (OverflowError, ValueError):  # before the year 1, or after 9999
        return None


def written(day: date) -> str:
    """Write a day as ``19 January 2023``."""
    return f"{day.day} {_MONTHS[day.month - 1].capitalize()} {day.year}"


def _meant(match: re.Match[str], told: date) -> str:
    if near := match["near"]:
        return written(told + timedelta(days=_NEAR.get(near.lower(), 0)))
    if unit := match["unit"]:
        many = match["many"].lower()
        return _ago(_NUMBERS[many] if many in _NUMBERS else int(many), unit.lower(), told)
    return _beside(match["side"].lower(), match["what"].lower(), told)


def _ago(many: int, unit: str, told: date) -> str:
    if unit == "day":
        return written(told - timedelta(days=many))
    if unit == "week":
        return f"about {written(told - timedelta(weeks=many))}"
    return _month(told, -many) if unit == "month" else str(_whole(told.year - many))


def _beside(side: str, what: str, told: date) -> str:
    step = {"last": -1, "past": -1, "this": 0}.get(side, 1)
    if what == "year":
        return str(_whole(told.year + step))
    if what == "month":
        return _month(told, step)
    if what in ("week", "weekend"):
        return f"the {what} {('before', 'of', 'after')[step + 1]} {written(told)}"
    ahead = (_DAYS.index(what) - told.weekday()) % 7
    if step < 0:
        return written(told - timedelta(days=7 - ahead))
    return written(told + timedelta(days=ahead or 7 * step))


def _month(told: date, step: int) -> str:
    years, month = divmod(told.month - 1 + step, 12)
    return f"{_MONTHS[month].capitalize()} {_whole(told.year + years)}"


def _whole(year: int) -> int:
    return date(year, 1, 1).year  # ValueError for a year that no calendar has


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # no such day
        return None
