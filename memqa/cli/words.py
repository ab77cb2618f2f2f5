"""How values read in a terminal: evidence lines, steps as a tree, media as a table, sizes."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from memqa.addresses import title
from memqa.values import Answer, Evidence, Media, Outcome
from models.quoting import one_line
from models.values import Locator, TimeSpan, clock

if TYPE_CHECKING:
    from memqa.reindex import Reindexed

SHORT_ID = 8

_STATES = {
    "grounded": "grounded: rests on",
    "ungrounded": "ungrounded: your media may not bear this out, look for yourself",
    "unanswered": "unanswered: not found in your media",
}


def printable(name: str) -> str:
    """Give a name, an error or a note as it may be printed: on one line, which nothing turns."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


def plain(text: str) -> str:
    """Give a text as it may be printed, line by line: nothing in it moves the cursor."""
    return "\n".join(one_line(line) for line in text.split("\n"))


def print_json(value: Any) -> None:
    """Write one value as one line of JSON to stdout; what a terminal could obey is escaped."""
    written = json.dumps(value, ensure_ascii=False)
    safe = (char if char.isprintable() else json.dumps(char)[1:-1] for char in written)
    print("".join(safe), flush=True)


# What was seen, read and said in an event stands on a line each.
_EVENT = re.compile(r"(?:Seen|Caption|Read|Said): ")


def evidence_line(item: Evidence, about: str, *, number: int | None = None) -> str:
    """Write where something is and what is there: ``▶ 2:31–2:38 clip.mp4  "quote"``.

    Where the text is longer than the line, the sentence nearest to the words ``about`` is quoted.
    """
    name = printable(title(item.path))
    mark = "" if number is None else f"[{number}] "
    where = f"{mark}{place(item.locator)} {name}"
    room = shutil.get_terminal_size((100, 24)).columns - len(where) - 6
    return f"  {where}  {_quote(item.text, about, max(40, room))}"


def place(locator: Locator) -> str:
    """Write a place as a person looks it up: ``▶ 2:31–2:38``, ``p. 4``, ``pp. 4–6``."""
    if isinstance(locator, TimeSpan):
        return f"▶ {clock(locator.start_s)}–{clock(locator.end_s)}"
    first, last = locator.page, locator.page_end
    return f"p. {first}" if first == last else f"pp. {first}–{last}"


def _quote(text: str, about: str, width: int) -> str:
    line = one_line(text)
    if len(line) <= width - 2:
        return f'"{line}"'
    from docmem.sentences import sentence_spans
    from memqa.cite import stems

    wanted = set(stems(about))
    lines = text.splitlines() if _EVENT.match(text) else [text]
    parts = [one_line(line[start:end]) for line in lines for start, end in sentence_spans(line)]
    best = max(parts, key=lambda part: len(wanted & set(stems(part))), default=line)
    return f'"{best}"' if len(best) <= width - 2 else f'"{best[: width - 3].rstrip()}…"'


def places_of(answer: Answer) -> tuple[list[Evidence], list[Evidence]]:
    """Give the places that an answer rests on, and the others that were found."""
    cited = {name for citation in answer.citations for name in citation.evidence}
    rests_on = [item for item in answer.evidence if item.id in cited]
    return rests_on, [item for item in answer.evidence if item.id not in cited]


def print_answer(
    answer: Answer,
    *,
    options: Sequence[str] = (),
    steps: bool = False,
    numbered: bool = False,
) -> int:
    """Write an answer, how far to trust it, its places and, if wanted, how it was found.

    Where one of several ``options`` was chosen, it comes first. ``numbered`` counts the places, and
    keeps those for later that the answer does not rest on, unless it rests on none. Gives the
    number of places written.
    """
    if answer.option is not None:
        print(f"option {answer.option + 1}: {printable(options[answer.option])}")
    print(plain(answer.text))
    rests_on, others = places_of(answer)
    state, _, rest = _STATES[answer.state].partition(":")
    whose = f" {plain(answer.told_by)}" if answer.told_by.startswith("in the words of") else ""
    first = 1 if numbered else None
    print_places(f"{state}{whose}:{rest}", rests_on, answer.text, first=first)
    is_later = numbered and bool(rests_on)
    if others and not is_later:
        closest = "closest places" if answer.state == "unanswered" else "see also"
        print_places(closest, others, answer.text, first=first)
    if steps:
        from memqa.cli.way import print_way

        print_way(answer.walk)
    return len(rests_on) if is_later else len(rests_on) + len(others)


def print_places(
    title: str, items: Sequence[Evidence], about: str, *, first: int | None = None
) -> None:
    """Write places under a title, counted from ``first`` where it is given."""
    print(title)
    for at, item in enumerate(items):
        number = None if first is None else first + at
        print(evidence_line(item, about, number=number), flush=True)


def media_row(media: Media) -> tuple[str, str, str, str, str]:
    """Give id, kind, length, state and path of a media as words."""
    return (media.id[:SHORT_ID], media.kind, length(media), state(media), printable(media.path))


def length(media: Media) -> str:
    """Say how long a media is: a clock time or a number of pages."""
    if media.kind == "document":
        return "" if media.pages is None else f"{media.pages} p."
    return "" if media.duration_s is None else clock(media.duration_s)


def state(media: Media) -> str:
    """Say how far a media is remembered."""
    if media.stale or media.unsure:
        stale = f"{' and '.join(media.stale)} by other models" if media.stale else ""
        unsure = f"{' and '.join(media.unsure)} perhaps by other models" if media.unsure else ""
        return ", ".join(filter(None, [media.status, stale, unsure]))
    if media.status == "indexed":
        return "ready"
    if media.remembered_s:
        return f"{media.status}, first {clock(media.remembered_s)}"
    if media.remembered_pages:
        return f"{media.status}, first {media.remembered_pages} p."
    return media.status


def outcome_line(outcome: Outcome) -> str:
    """Say in one line what became of a file."""
    media, name = outcome.media, printable(outcome.path)
    if outcome.error is not None:
        return f"{outcome.status:9} {name}: {printable(str(outcome.error))}"
    if media is None:
        return f"{outcome.status:9} {name}"
    known = [length(media), f"{media.memories} memories", size(media.bytes)]
    if outcome.status in ("indexed", "partial"):
        known.append(f"{outcome.elapsed_s:.1f} s")
    line = f"{outcome.status:9} {name}  {', '.join(filter(None, known))}"
    return "\n".join([line, *(f"          note: {printable(note)}" for note in media.notes)])


def reindexed_line(outcome: Reindexed) -> str:
    """Say in one line what of a media was made anew, and what is left."""
    name, told = printable(outcome.media.path), ", ".join(outcome.renewed)
    parts = [f"{told}, {outcome.elapsed_s:.1f} s"] if told else []
    if outcome.left:
        parts.append(f"left: {', '.join(outcome.left)}")
    line = f"{outcome.status:9} {name}{'  ' if parts else ''}{'; '.join(parts)}"
    if outcome.error is not None:
        line += f": {printable(str(outcome.error))}"
    return "\n".join([line, *(f"          note: {printable(note)}" for note in outcome.notes)])


def size(count: float) -> str:
    """Write a number of bytes as a person reads it."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows under titles, columns aligned; the last column is never cut."""
    widths = [max(len(row[k]) for row in [titles, *rows]) for k in range(len(titles) - 1)]
    for row in [titles, *rows]:
        cells = [cell.ljust(wide) for cell, wide in zip(row, widths, strict=False)]
        sys.stdout.write(printable("  ".join([*cells, row[-1]]).rstrip()) + "\n")
