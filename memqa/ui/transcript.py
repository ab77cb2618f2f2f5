"""Answers as text that leaves the page: to be pasted, or a whole chat as a Markdown file.

Places keep their file's name and their time or page in words, so that a text reads well away from
the page; in Markdown they also link to it. What came from media is escaped, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from memqa.addresses import title
from memqa.ui.leads import lead
from memqa.ui.markup import without_turns
from memqa.values import Answer, Evidence
from models.values import TimeSpan, clock

STATE_WORDS = {
    "grounded": "grounded: each sentence rests on a place in the media",
    "ungrounded": "ungrounded: the media may not bear this out, look at the place",
    "unanswered": "not found: the media do not seem to say",
}
_MARKS = re.compile(r"[\\`*_\[\]<>~|$#]|&(?=#?\w+;)")
_BEGINNING = re.compile(r"^([-+=]|\d+[.)])")
_MOST_QUOTED = 200


@dataclass(frozen=True, slots=True)
class Told:
    """One question of a chat with its answer, when (ISO 8601, UTC), and what it was asked of."""

    question: str
    answer: Answer
    at: str
    scope: str = ""


def plain(answer: Answer) -> str:
    """Write an answer as plain text, its places numbered below it, with a warning that it needs."""
    pieces, places = _cited(answer)
    text = "".join(f"{words}{''.join(f' [{n}]' for n in marks)}" for words, marks in pieces)
    lines = [f"[{number}] {where(item)}" for number, item in enumerate(places, start=1)]
    title = [] if answer.citations else ["Closest places:"]
    if answer.state == "ungrounded":
        text = f"{text}\n({STATE_WORDS['ungrounded']})"
    return "\n".join([text, "", *title, *lines]) if lines else text


def markdown(title: str, told: Sequence[Told], *, address: str) -> str:
    """Write a chat as Markdown; places link to the page at ``address``."""
    first = _when(told[0].at) if told else ""
    count = f"{len(told)} question{'s' if len(told) != 1 else ''}"
    head = [f"# {escaped(title)}", f"{first} · {count} asked with memqa"]
    return "\n\n".join([*head, *(_turn(one, address) for one in told)]) + "\n"


def file_name(title: str, at: str) -> str:
    """Name the file that a chat is saved as."""
    words = re.findall(r"[^\W_]+", title)[:8]
    return "-".join([at[:10], *words]).lower()[:80] + ".md"


def where(item: Evidence) -> str:
    """Say where a piece of evidence lies: ``talk.mp4, 0:15–0:26``, ``report.pdf, p. 37``."""
    name = title(item.path)
    span = item.locator
    at = f"{clock(span.start_s)}–{clock(span.end_s)}" if isinstance(span, TimeSpan) else item.label
    return f"{name}, {at}"


def escaped(text: str) -> str:
    """Write any text on one line so that Markdown shows it as it is."""
    line = " ".join(without_turns(text).split())
    line = _MARKS.sub(lambda found: f"\\{found[0]}", line)
    # A marker of a list is one only where a line begins with it.
    return _BEGINNING.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", line)


def _turn(told: Told, address: str) -> str:
    answer = told.answer
    pieces, places = _cited(answer)
    links = [f"{address}{lead(one.media_id, one.locator)['href']}" for one in places]
    text = "".join(
        f"{words}{''.join(f' [[{n}]]({links[n - 1]})' for n in marks)}"
        for words, marks in ((_paragraphs(words), marks) for words, marks in pieces)
    )
    rows = [
        f"{number}. [{escaped(where(item))}]({link}): “{escaped(_cut(item.text))}”"
        for number, (item, link) in enumerate(zip(places, links, strict=True), start=1)
    ]
    scope = " · ".join(part for part in (escaped(told.scope), _when(told.at)) if part)
    parts = [f"## {escaped(told.question)}", f"*{scope}*", text, f"*{STATE_WORDS[answer.state]}*"]
    if rows and not answer.citations:
        parts.append("Closest places:")
    return "\n\n".join([*parts, "\n".join(rows)] if rows else parts)


def _paragraphs(text: str) -> str:
    """Escape a text line by line; the spaces at its ends, which part it from the next, stay."""
    lines = "\n\n".join(escaped(line) for line in text.split("\n"))
    before = " " if text[:1] == " " else ""
    return f"{before}{lines}{' ' if text[-1:] == ' ' and text.strip() else ''}"


def _cited(answer: Answer) -> tuple[list[tuple[str, list[int]]], list[Evidence]]:
    """Part an answer behind each citation, with the numbers of the places it rests on.

    The places come in the order of their numbers; of an answer without any, the closest.
    """
    by_id = {item.id: item for item in answer.evidence}
    places: dict[str, int] = {}
    pieces: list[tuple[str, list[int]]] = []
    done = 0
    for end, ids in chips_by_end(answer):
        known = [one for one in ids if one in by_id]
        for one in known:
            places.setdefault(one, len(places) + 1)
        pieces.append((answer.text[done:end], [places[one] for one in known]))
        done = end
    pieces.append((answer.text[done:], []))
    return pieces, [by_id[one] for one in places] or list(answer.evidence[:5])


def chips_by_end(answer: Answer) -> list[tuple[int, list[str]]]:
    """Give, for each character that a citation ends at, the evidence cited there."""
    by_end: dict[int, list[str]] = {}
    for citation in sorted(answer.citations, key=lambda one: one.char_end):
        ids = by_end.setdefault(min(citation.char_end, len(answer.text)), [])
        ids.extend(_new(citation.evidence, ids))
    return list(by_end.items())


def _new(ids: Iterable[str], known: Sequence[str]) -> list[str]:
    return [one for one in ids if one not in known]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_QUOTED else f"{line[: _MOST_QUOTED - 1].rstrip()}…"


def _when(at: str) -> str:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return ""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
