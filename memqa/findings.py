"""What the program itself can say from what was found, in plain sentences: the floor of an answer.

With a small language model the program decides and quotes and the model only phrases; so every
question gets a finding that is right or absent, never guessed. Times, orders and counts are read
off the stored events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from memqa.cite import Source, stems
from memqa.cues import asks_account, asks_many, asks_name, is_description
from memqa.dates import entries, happened, written
from memqa.fuse import Found
from memqa.question import Question
from memqa.quotes import Quote, best_of_passage, best_sentences, in_marks, in_quotes
from memqa.values import Citation, Evidence
from models.values import TimeSpan, clock

MOST_EVIDENCE = 5
# An event counts as showing the thing as well when it scores this share of the best one.
ALSO_SHOWN = 0.6
# A passage tells as much as the best one from here on, and so many are quoted at most. Fitted on
# the development split: of five quotes from 0.6 on two stood on a right page, now one of two.
_ALSO_TOLD, _MOST_TOLD = 0.9, 3
_NO_GAP_S = 0.5  # between events that follow each other


@dataclass(frozen=True, slots=True)
class Finding:
    """A plain statement with the evidence it rests on, best first.

    ``notes`` are what a language model may phrase the answer from; ``text`` stands as the answer
    where the model's words are not borne out, and rests on the first ``places`` pieces of evidence.
    ``key`` is what any wording must name: the times, the count, the words on the sign. ``cited``
    says of each part of the text which evidence it rests on, where not all of it rests on all. An
    empty text: nothing was found.
    """

    text: str
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[Source, ...] = ()
    places: int = 1
    key: str = ""
    cited: tuple[Citation, ...] = ()

    @property
    def rests_on(self) -> tuple[str, ...]:
        """The ids of the evidence that the text names."""
        return tuple(item.id for item in self.evidence[: self.places])


def _stated(
    text: str, found: Sequence[Found], note: str = "", *, places: int = 1, key: str = ""
) -> Finding:
    """State something of the best place found; with a note, a model may phrase it anew."""
    notes = (Source(found[0].memory.id, note),) if note else ()
    return Finding(text, _evidence(found), notes, places, key)


def finding(question: Question, found: Sequence[Found]) -> Finding:
    """State what was found for a question; ``found`` is best first."""
    if not found:
        return Finding("")
    if question.wants == "summary":
        return _summary(found)
    if question.wants == "how_long" and found[0].memory.level == "summary":
        return _how_long(question, found)
    if not isinstance(found[0].memory.locator, TimeSpan):
        return _told_on_page(question, found)
    return _BY_WANTS.get(question.wants, _told)(question, found)


def times(spans: Sequence[TimeSpan]) -> str:
    """Write spans of time as a person would: ``2:31–2:38 and 5:50–5:52``."""
    written = [
        f"{clock(span.start_s)}–{clock(span.end_s)}"
        if int(span.end_s) > int(span.start_s)
        else clock(span.start_s)
        for span in spans
    ]
    return joined(written)


def duration(seconds: float) -> str:
    """Write a length of time as a person would: ``45 seconds``, ``2 minutes 5 seconds``."""
    hours, rest = divmod(round(seconds), 3600)
    parts = zip(("hour", "minute", "second"), (hours, *divmod(rest, 60)), strict=True)
    told = [f"{many} {unit}{'s' if many != 1 else ''}" for unit, many in parts if many]
    return " ".join(told[:2]) or "less than a second"


def parts_of(text: str) -> dict[str, str]:
    """Take the text of an event apart into what was seen, read and said, and its caption."""
    parts: dict[str, str] = {}
    for line in text.splitlines():
        sense, colon, rest = line.partition(": ")
        if colon and sense in ("Seen", "Caption", "Read", "Said"):
            parts.setdefault(sense.lower(), rest)
    return parts


def appearances(found: Sequence[Found]) -> list[tuple[TimeSpan, Found]]:
    """Give every span of the best item's media that shows the thing, in time order.

    Events that follow each other without a gap and both show it are one appearance.
    """
    best = found[0]
    shown = [
        item
        for item in found
        if item.memory.media_id == best.memory.media_id and item.score >= ALSO_SHOWN * best.score
    ]
    spans: list[tuple[TimeSpan, Found]] = []
    for item in sorted(shown, key=lambda item: item.memory.order):
        span = _span(item)
        if spans and span.start_s <= spans[-1][0].end_s + _NO_GAP_S:
            last, kept = spans[-1]
            spans[-1] = (TimeSpan(last.start_s, span.end_s), max(kept, item, key=_score))
        else:
            spans.append((span, item))
    return spans


def _summary(found: Sequence[Found]) -> Finding:
    """Give the highest summary of each media in question; extracts, so nothing to phrase."""
    told = [_gist(item) for item in found[:MOST_EVIDENCE]]
    if len(found) > 1:
        told = [f"{item.media.name}: {gist}" for item, gist in zip(found, told, strict=False)]
    if len(found) > MOST_EVIDENCE:
        told.append(f"And {len(found) - MOST_EVIDENCE} more; ask of fewer to hear of each.")
    return _stated("\n".join(told), found, places=len(found))


def _gist(item: Found) -> str:
    """Put the extracts of a video's events together by sense; a document's stay as they are."""
    text = " ".join(item.memory.text.split())
    by_sense: dict[str, list[str]] = {}
    for sense, words in _EXTRACT.findall(text) if item.media.kind != "document" else ():
        by_sense.setdefault(sense, []).append(words.strip())
    told = [f"{sense}: {_JOINTS[sense].join(words)}" for sense, words in by_sense.items()]
    return " ".join(ended(one) for one in told) or text


def _when(question: Question, found: Sequence[Found]) -> Finding:
    # How well places fit a description differs by chance: the best is told, and others shown.
    is_described = is_description(question.focus)
    spans = [(_span(found[0]), found[0])] if is_described else appearances(found)
    thing = question.focus or "It"
    if question.pick != "all":
        spans = spans[:1] if question.pick == "first" else spans[-1:]
        thing = f"{thing}, for the {question.pick} time"
    when = times([span for span, _ in spans])
    order = sorted((item for _, item in spans), key=_score, reverse=True)
    note = f"{_capital(thing)} is found at {when}."
    shown = [*order, *_varied(found, order)]
    return _stated(f"{_capital(thing)}: {when}.", shown, note, places=len(order), key=when)


def _varied(found: Sequence[Found], known: Sequence[Found]) -> list[Found]:
    """Give the next best places, those first that show something else than those before."""
    others = [item for item in found if item not in known]
    looks = {_look(item) for item in known}
    fresh, like = list[Found](), list[Found]()
    for item in others:
        (like if _look(item) in looks else fresh).append(item)
        looks.add(_look(item))
    return fresh + like


def _look(item: Found) -> str:
    """Give the first name of what an event shows, or what it tells where it has none."""
    return parts_of(item.memory.text).get("seen", "").split(" or ")[0] or _shown(item)


def _count(question: Question, found: Sequence[Found]) -> Finding:
    spans = appearances(found)
    many = f"{len(spans)} time{'s' if len(spans) != 1 else ''}"
    when = times([span for span, _ in spans])
    note = f"{_capital(question.focus)} is found {many}, at {when}."
    shown = [item for _, item in spans]
    return _stated(f"{many}: at {when}.", shown, note, places=len(spans), key=str(len(spans)))


def _how_long(question: Question, found: Sequence[Found]) -> Finding:
    """State how long a thing is shown, all showings together; or how long media are."""
    if found[0].memory.level == "summary":
        told = [f"{item.media.name}: {_length(item)}." for item in found[:MOST_EVIDENCE]]
        return _stated("\n".join(told), found, places=len(found))
    spans = appearances(found)
    total_s = sum(span.duration_s for span, _ in spans)
    when = times([span for span, _ in spans])
    thing = f"{_capital(question.focus)}: " if question.focus else ""
    text = f"{thing}{duration(total_s)}, at {when}."
    return _stated(text, [item for _, item in spans], places=len(spans))


def _gap(question: Question, found: Sequence[Found]) -> Finding:
    """State the time from the end of one thing to the beginning of the other."""
    (one, first), (two, second) = _in_time(question, found)
    if first.memory.id == second.memory.id:
        return Finding("")  # one place has no gap
    from_s, to_s = _span(first).end_s, _span(second).start_s
    text = (
        f"{_capital(duration(max(0.0, to_s - from_s)))}: {one} ends at {clock(from_s)}, "
        f"{two} begins at {clock(to_s)}."
    )
    return _stated(text, [first, second], places=2)


def _order(question: Question, found: Sequence[Found]) -> Finding:
    ordered = _in_time(question, found)
    if len({item.memory.id for _, item in ordered}) < len(ordered):
        return Finding("")  # what is found at one place has no order
    chosen = ordered[-1 if question.pick == "last" else 0]
    told = [f"{thing} comes at {times([_span(item)])}" for thing, item in ordered]
    text = f"{_capital(chosen[0])}: {told[0]}, {', '.join(told[1:])}."
    if len(ordered) > 2:
        text = (
            _capital(joined([f"{thing} ({times([_span(item)])})" for thing, item in ordered])) + "."
        )
    shown = [chosen[1], *(item for _, item in ordered if item is not chosen[1])]
    return _stated(text, shown, places=len(shown))


def _in_time(question: Question, found: Sequence[Found]) -> list[tuple[str, Found]]:
    """Give each thing with its place, the earliest first."""
    named = zip(question.things, found, strict=False)
    return sorted(named, key=lambda pair: _span(pair[1]).start_s)


def _between(question: Question, found: Sequence[Found]) -> Finding:
    """Tell of a stretch of events, those first that come first; of speech, what was said."""
    senses = (question.sense,) if question.sense in ("said", "read") else ()
    told = [item for item in found if all(sense in parts_of(item.memory.text) for sense in senses)]
    if not told:
        return Finding("")
    lines = [
        f"{in_marks(parts_of(item.memory.text)[senses[0]])} ({times([_span(item)])})"
        if senses
        else f"{_shown(item)} ({times([_span(item)])})"
        for item in told[:MOST_EVIDENCE]
    ]
    more = len(told) - MOST_EVIDENCE
    rest = f" And {more} more." if more > 0 else ""
    return _stated(f"{_capital(joined(lines))}.{rest}", told, places=len(lines))


def _next_to(question: Question, found: Sequence[Found]) -> Finding:
    """State what an event beside the one asked about shows; retrieval has put it first."""
    told = _shown(found[0])
    if question.sense in ("said", "read"):
        told = parts_of(found[0].memory.text).get(question.sense, "")
        told = in_marks(told) if told else f"nothing is {question.sense}"
    text = f"{_capital(told)}, at {times([_span(found[0])])}."
    return _stated(text, found[:2])  # small models turn "after" round, so nothing to phrase


def _now(question: Question, found: Sequence[Found]) -> Finding:
    shown = _shown(found[0])
    span = _span(found[0])
    # In a pause it is the next event that is told, at its own time.
    at = clock(max(span.start_s, min(question.at_s or 0.0, span.end_s)))
    note = f"At {at} one sees {shown}."
    is_described = "caption" in parts_of(found[0].memory.text)
    key = "" if is_described else _look(found[0]).split(" (")[0]
    return _stated(f"At {at}: {shown}.", found[:1], note, key=key)


def _told(question: Question, found: Sequence[Found]) -> Finding:
    """Quote what was said, read or seen at the best moment.

    Only text can say what a sign says: then the best moment with any text on screen counts.
    """
    if question.sense == "read":
        found = [item for item in found[:MOST_EVIDENCE] if "read" in parts_of(item.memory.text)]
    if not found:
        return Finding("")
    parts = parts_of(found[0].memory.text)
    for sense in _SENSES.get(question.sense) or _best_first(question, parts):
        if words := parts.get(sense):
            quote = best_sentences(question, words, most=2) if sense == "said" else words
            at = clock(_span(found[0]).start_s)
            text = f"{_VERBS[sense].format(at=at)} {in_marks(quote)}"
            note = f"{_NOTES[sense].format(at=at)} {quote}"
            return _stated(ended(text), found[:3], note, key=words if sense == "read" else "")
    return Finding("")


def _best_first(question: Question, parts: Mapping[str, str]) -> tuple[str, ...]:
    """Give the senses to tell from; a caption first where it holds more of the question."""
    wanted = set(stems(question.text))
    shared = {sense: len(wanted & set(stems(words))) for sense, words in parts.items()}
    told = max(shared.get("said", 0), shared.get("read", 0))
    if shared.get("caption", 0) > told:
        return "caption", "said", "read", "seen"
    return "said", "read", "caption", "seen"


def _told_on_page(question: Question, found: Sequence[Found]) -> Finding:
    """Quote the sentence of the best passage that answers, two where an account is asked for.

    Only a fact is phrased by a small model: given several it mixes them up, and it makes up causes.
    Where one place may not be
    all, the best sentence of each is quoted, in the document's order.
    """
    best = found[0]
    if question.wants == "when" and (dated := _dated(question, found)):
        return dated
    if asks_many(question.text) and len(several := _as_good(question, found)) > 1:
        return _told_on_pages(found, several)
    (note,) = best_of_passage(question, best.memory, most=1)
    if asks_account(question.text):
        return _stated(in_quotes(best_of_passage(question, best.memory, most=2)), found)
    # Of a long sentence a small model makes the wrong person do the deed; a name is quoted.
    told = "" if asks_name(question.text) else note.text
    return _stated(_capital(in_quotes([note])), found, told)


def _dated(question: Question, found: Sequence[Found]) -> Finding | None:
    """State when something happened that a dated entry tells of; the date is worked out.

    None where the entry that the best sentence stands in states no day.
    """
    memory = found[0].memory
    quotes = best_of_passage(question, memory, most=1)
    wanted = " ".join(quotes[0].text.split())
    parts = entries(memory.text, memory.heading)
    told = next((day for day, part in parts if wanted in " ".join(part.split())), None)
    if told is None:
        return None
    day = happened(wanted, told)
    when = _capital(day) if day else f"Told on {written(told)}"
    return _stated(f"{when}: {in_quotes(quotes)}", found)


def _told_on_pages(found: Sequence[Found], told: Mapping[str, Sequence[Quote]]) -> Finding:
    """Quote one sentence of each of several passages."""
    cited = [item for item in found if item.memory.id in told]
    text, citations = "", list[Citation]()
    for item in sorted(cited, key=lambda item: item.memory.order):
        start = len(text) + 1 if text else 0
        line = f"{_capital(item.evidence().label)}: {in_quotes(told[item.memory.id])}"
        text = f"{text}\n{line}" if text else line
        citations.append(Citation(start, len(text), (item.memory.id,)))
    rest = [item for item in found if item.memory.id not in told]
    stated = _stated(text, [*cited, *rest], places=len(cited))
    return replace(stated, cited=tuple(citations))


def _as_good(question: Question, found: Sequence[Found]) -> dict[str, list[Quote]]:
    """Give the places of the best one's document that fit about as well, each with a sentence."""
    best = found[0]
    told: dict[str, list[Quote]] = {}
    for item in found[:_MOST_TOLD]:
        quote = best_of_passage(question, item.memory, most=1)
        is_as_good = item.score >= _ALSO_TOLD * best.score
        if item.media.id == best.media.id and is_as_good and quote not in told.values():
            told[item.memory.id] = quote
    return told


def _evidence(found: Sequence[Found]) -> tuple[Evidence, ...]:
    unique: dict[object, Evidence] = {}
    for item in found:
        evidence = item.evidence()
        unique.setdefault((evidence.media_id, evidence.locator), evidence)
    return tuple(unique.values())[:MOST_EVIDENCE]


def _shown(item: Found) -> str:
    parts = parts_of(item.memory.text)
    seen = parts.get("caption", "").rstrip(".") or parts.get("seen", "").split(", ")[0]
    if seen and "read" in parts:
        return f"{seen} ({in_marks(parts['read'])} on screen)"
    told = parts.get("read") or parts.get("said")
    return seen.rstrip(".") or (in_marks(told.rstrip(".")) if told else "nothing that has a name")


def _span(item: Found) -> TimeSpan:
    locator = item.memory.locator
    assert isinstance(locator, TimeSpan)
    return locator


def _length(item: Found) -> str:
    media = item.media
    if media.pages is not None:
        return f"{media.pages} page{'s' if media.pages != 1 else ''}"
    return duration(media.duration_s or media.remembered_s or 0.0)


def joined(parts: Sequence[str]) -> str:
    """Write a list as a person would: ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _score(item: Found) -> float:
    return item.score


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def ended(text: str) -> str:
    """Give a text that ends like a sentence."""
    return text if text.rstrip("”\"'").endswith((".", "!", "?")) else f"{text}."


_JOINTS = {"Seen": ", ", "Caption": " ", "Read": "; ", "Said": " "}
_EXTRACT = re.compile(
    r"(?:^|\s)(Seen|Caption|Read|Said): (.*?)(?=\s(?:Seen|Caption|Read|Said): |$)"
)
_VERBS = {
    "said": "At {at} it is said:",
    "read": "At {at} it reads:",
    "seen": "At {at} one sees:",
    "caption": "At {at} the caption says:",
}
_NOTES = {
    "said": "At {at} someone says:",
    "read": "At {at} the text reads:",
    "seen": "At {at}:",
    "caption": "At {at}:",
}
_SENSES: Mapping[str, tuple[str, ...]] = {
    "read": ("read",),
    "said": ("said", "read", "caption", "seen"),
    "seen": ("caption", "seen", "said", "read"),
}
_BY_WANTS: Mapping[str, Callable[[Question, Sequence[Found]], Finding]] = {
    "when": _when,
    "count": _count,
    "order": _order,
    "how_long": _how_long,
    "gap": _gap,
    "between": _between,
    "after": _next_to,
    "before": _next_to,
    "now": _now,
}
