"""Questions for an empty chat, made from what is known of the media: no model is asked.

Each takes a form that the program can answer from its memory: when something is seen or said, what
stands on a sign, what a document says under one of its headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from memqa.findings import parts_of
from memqa.store.schema import Memory
from memqa.values import Level, Media

LEVELS: tuple[Level, ...] = ("event", "passage")
MOST = 3
# What stands in the headings of any document says nothing of this one.
_PLAIN = frozenset(
    "abstract introduction references contents appendix acknowledgements acknowledgments index "
    "bibliography notes preface foreword copyright cover summary figure table chapter work results "
    "conclusion conclusions discussion statement experiments background overview".split()
)
_NUMBER = re.compile(r"^(?:chapter|section|part)?\s*(?:\d+(?:\.\d+)*|[ivxlc]+)[.):]?\s+", re.I)
_SENTENCE = re.compile(r"[^.?!…]+")
_FEWEST_SAID, _MOST_SAID = 4, 8  # words


@dataclass(frozen=True, slots=True)
class Known:
    """What of a media may be asked about: words said, read and seen, headings it stands under."""

    name: str
    is_document: bool
    said: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()


def known_of(media: Media, memories: Iterable[Memory]) -> Known:
    """Gather what a media's events and passages, in their order, offer to ask about."""
    if media.kind == "document":
        paths = [memory.heading.split(" › ") for memory in memories if memory.heading]
        title = paths[0][0] if paths and all(path[0] == paths[0][0] for path in paths) else ""
        found = _once(_heading(path[-1]) for path in paths if path[-1] != title)
        telling = tuple(one for one in found if " " in one)
        return Known(media.name, True, headings=telling or found)
    parts = [parts_of(memory.text) for memory in memories]
    return Known(
        media.name,
        False,
        said=_once(chain.from_iterable(_sentences(one.get("said", "")) for one in parts)),
        read=_once(_sign(one.get("read", "")) for one in parts),
        seen=_once(_label(one.get("seen", "")) for one in parts),
    )


def suggestions(known: Sequence[Known]) -> list[str]:
    """Give up to three questions, of as many media as there are, each of another sort.

    Videos come first; of several documents one is to be summarised, the next is asked about one of
    its headings, the third for the place of one.
    """
    videos = [one for one in known if not one.is_document]
    documents = [one for one in known if one.is_document]
    asked = [
        *(_of_video(one, turn) for turn, one in enumerate(videos)),
        *(_of_document(one, turn) for turn, one in enumerate(documents)),
    ]
    mixed = chain.from_iterable(zip_longest(*asked))
    return list(dict.fromkeys(one for one in mixed if one))[:MOST]


# No "it" in any of them: in a chat that would mean what was asked about before.


def _of_document(known: Known, turn: int) -> list[str]:
    questions = [f"Summarise {known.name}."]
    if found := _spread(known.headings, 2):
        questions += [
            f"What does {known.name} say about {found[0]}?",
            f"Where does {known.name} mention {found[-1]}?",
        ]
    # A second document is asked for something else than the first.
    first = turn % len(questions)
    return [*questions[first:], *questions[:first]]


def _of_video(known: Known, turn: int) -> list[str]:
    timed = [
        *(f"When is “{one}” said?" for one in _spread(known.said, 1)),
        *(_when_seen(one) for one in _spread(known.seen, 1)),
        *(f"Where is “{one}” written?" for one in _spread(known.read, 1)),
    ]
    # A second video is asked for something else than the first.
    return [*timed[turn % 3 :], *timed[: turn % 3]]


def _when_seen(label: str) -> str:
    if label.endswith("s") and not label.endswith("ss"):
        return f"When are {label} seen?"
    return f"When is {'an' if label[0] in 'aeiou' else 'a'} {label} seen?"


def _spread(found: Sequence[str], many: int) -> list[str]:
    """Take some from the middle parts, since beginnings and ends are seldom what a thing is about.

    Of two, the one at a third and the one at two thirds.
    """
    if not found:
        return []
    places = (len(found) * one // (many + 1) for one in range(1, many + 1))
    return list(dict.fromkeys(found[place] for place in places))


def _heading(path: str) -> str:
    text = _NUMBER.sub("", " ".join(path.split()))
    words = text.split()
    is_fit = 1 <= len(words) <= 6 and 5 <= len(text) <= 48 and len(words[0]) > 1
    is_plain = not _PLAIN.isdisjoint(text.lower().split())
    return text if is_fit and not is_plain and re.fullmatch(r"[^\d?!:;@/|“”\"]+", text) else ""


def _sentences(said: str) -> Iterator[str]:
    for found in _SENTENCE.findall(said):
        words = found.split()
        if len(words) >= _FEWEST_SAID and "“" not in found:
            yield " ".join(words[:_MOST_SAID]).rstrip(",;:-–")


def _sign(read: str) -> str:
    text = " ".join(read.split())
    is_fit = 4 <= len(text) <= 32 and sum(map(str.isalpha, text)) >= 0.7 * len(text)
    return text if is_fit and "“" not in text else ""


def _label(seen: str) -> str:
    text = re.split(r",| or |\(", seen)[0].strip().lower()
    return text if re.fullmatch(r"[a-z][a-z' -]{2,24}", text) else ""


def _once(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in found if one))
