"""Notes on videos, each with its time, and questions on them: may a model answer from several?

Three kinds of question: one note of several says it (copy its time, word or value, and no other
note's); it is asked what is there at a given time (keep to it); or no note says it (say so). The
films are made up, and so is everything in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TypeAlias

from docmem.extracts import keywords
from models.values import clock

Kind: TypeAlias = Literal["copy", "moment", "absent"]
Sense: TypeAlias = Literal["seen", "said", "read"]

_SHOWN = 5  # notes of an own video in one question
_MOST_OWN = 12
_TOLD_WORDS = 20  # of a note of an own video
_DECLINES = re.compile(
    r"not in the notes|\b(?:do|does|did|is|are|was|were)(?: not|n['’]t) (?:\w+ )?(?:say|tell"
    r"|mention|state|give|show|answer|contain|specif|provid|known|told|said)"
    r"|\bunknown\b|\bno (?:answer|information|mention|note)\b|\bcannot\b|\bcan['’]t\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Note:
    """What was seen, said or read from ``at_s`` on."""

    at_s: float
    sense: Sense
    text: str

    def __str__(self) -> str:
        return f"{clock(self.at_s)} {self.sense}: {self.text}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on notes: an answer holds all of ``right`` and none of ``wrong``.

    Where nothing is right, the notes do not answer, and the model has to say so.
    """

    kind: Kind
    question: str
    notes: tuple[Note, ...]
    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    def is_answered_by(self, reply: str) -> bool:
        """Judge a reply."""
        if not self.right:
            return bool(_DECLINES.search(reply))
        return all(_holds(reply, one) for one in self.right) and not any(
            _holds(reply, one) for one in self.wrong
        )


def moments() -> list[Asked]:
    """Give the shipped questions, the three kinds in turn."""
    by_kind = [[one for one in _asked() if one.kind == kind] for kind in ("copy", "moment")]
    absent = [one for one in _asked() if one.kind == "absent"]
    return list(chain.from_iterable(zip(*by_kind, absent, strict=True)))


def moments_from(notes: Sequence[Note]) -> list[Asked]:
    """Make questions of a person's own video, without a model: of its words and its times.

    A note is known by two words that no other note beside it has; what no note says is asked of a
    note far away.
    """
    telling = [Note(one.at_s, one.sense, _begun(one.text)) for one in notes]
    if len(telling) < 2 * _SHOWN:
        return []
    found: list[Asked] = []
    step = max(1, (len(telling) - _SHOWN) // _MOST_OWN)
    for turn, first in enumerate(range(0, len(telling) - _SHOWN, step)):
        shown = tuple(telling[first : first + _SHOWN])
        far = telling[(first + len(telling) // 2) % len(telling)]
        kind: Kind = ("copy", "moment", "absent")[turn % 3]
        one = shown[turn % _SHOWN]
        others = [other for other in shown if other is not one]
        own = _own_words(one, others)
        if kind == "absent":
            own = _own_words(far, shown)
        if len(own) < 2 or len({clock(note.at_s) for note in shown}) < _SHOWN:
            continue
        named, at = " and ".join(own), clock(one.at_s)
        if kind == "copy":
            times = tuple(clock(other.at_s) for other in others)
            found.append(Asked(kind, f"At what time is it about {named}?", shown, (at,), times))
        elif kind == "moment":
            wrong = tuple(word for other in others for word in _own_words(other, [one])[:1])
            found.append(Asked(kind, f"What is {one.sense} at {at}?", shown, own, wrong))
        else:
            found.append(Asked(kind, f"What is the connection of {named}?", shown))
    return found[:_MOST_OWN]


def _holds(reply: str, words: str) -> bool:
    return bool(re.search(rf"(?<![\w:.]){re.escape(words)}(?![\w:])", reply, re.I))


def _begun(text: str) -> str:
    return " ".join(text.split()[:_TOLD_WORDS])


def _own_words(note: Note, others: Sequence[Note]) -> tuple[str, ...]:
    """Give the two longest words that tell a note from others."""
    strange = {word for other in others for word in re.findall(r"\w+", other.text.lower())}
    words = [one for one in keywords(note.text).split() if one.lower() not in strange]
    return tuple(sorted(dict.fromkeys(words), key=lambda word: (-len(word), word))[:2])


def _asked() -> list[Asked]:
    """Put each film's questions to its notes."""
    found = []
    for notes, questions in _FILMS:
        for kind, question, right, wrong in questions:
            found.append(Asked(kind, question, notes, right, wrong))
    return found


_Question: TypeAlias = tuple[Kind, str, tuple[str, ...], tuple[str, ...]]
_FILMS: tuple[tuple[tuple[Note, ...], tuple[_Question, ...]], ...] = (
    (
        (
            Note(12, "seen", "a ferry at the pier"),
            Note(48, "read", "DEPARTURE 14:20"),
            Note(95, "said", "The crossing takes 50 minutes."),
            Note(141, "seen", "a lighthouse on a rock"),
            Note(203, "said", "Tickets cost 9 crowns, and children travel free."),
            Note(260, "read", "HARBOUR CAFE"),
        ),
        (
            ("copy", "What does a ticket cost?", ("9",), ("50", "14:20")),
            ("copy", "When is the lighthouse shown?", ("2:21",), ("0:12", "1:35", "3:23")),
            ("copy", "How long does the crossing take?", ("50",), ("9", "14:20")),
            ("moment", "What is read at 4:20?", ("cafe",), ("departure", "lighthouse")),
            ("moment", "What is seen at 0:12?", ("ferry",), ("lighthouse", "cafe")),
            ("moment", "What is read at 0:48?", ("departure",), ("cafe", "ferry")),
            ("absent", "What is the captain's name?", (), ()),
            ("absent", "Which colour is the bicycle?", (), ()),
            ("absent", "How deep is the water?", (), ()),
        ),
    ),
    (
        (
            Note(5, "said", "Today we bake a loaf of rye bread."),
            Note(61, "said", "Weigh 420 grams of flour."),
            Note(118, "seen", "a mixing bowl"),
            Note(176, "said", "Let the dough rest for 3 hours."),
            Note(244, "read", "OVEN 230"),
            Note(302, "seen", "a loaf on a rack"),
        ),
        (
            ("copy", "How much flour is needed?", ("420",), ("230", "3")),
            ("copy", "How long does the dough rest?", ("3",), ("420", "230")),
            ("copy", "When is the loaf on the rack shown?", ("5:02",), ("1:58", "0:05", "4:04")),
            ("moment", "What is seen at 1:58?", ("bowl",), ("loaf", "rack")),
            ("moment", "What is read at 4:04?", ("230",), ("420", "3")),
            ("moment", "What is seen at 5:02?", ("loaf",), ("bowl", "rye")),
            ("absent", "How much does the bread sell for?", (), ()),
            ("absent", "Who invented the recipe?", (), ()),
            ("absent", "Which song is played?", (), ()),
        ),
    ),
    (
        (
            Note(20, "read", "GATE 7"),
            Note(77, "said", "Mira Stahl leads the expedition."),
            Note(133, "seen", "a yellow tent in the snow"),
            Note(190, "said", "The camp lies at 3150 metres."),
            Note(255, "seen", "a helicopter"),
            Note(318, "read", "DAY 12"),
        ),
        (
            ("copy", "Who leads the expedition?", ("Stahl",), ("3150", "helicopter")),
            ("copy", "At which height is the camp?", ("3150",), ("7", "12")),
            ("copy", "When does the helicopter appear?", ("4:15",), ("2:13", "3:10", "5:18")),
            ("moment", "What is read at 0:20?", ("7",), ("12", "3150")),
            ("moment", "What is seen at 2:13?", ("tent",), ("helicopter",)),
            ("moment", "What is read at 5:18?", ("12",), ("7", "3150")),
            ("absent", "How cold is it outside?", (), ()),
            ("absent", "What is the cook's dog called?", (), ()),
            ("absent", "Which country paid for the journey?", (), ()),
        ),
    ),
)
