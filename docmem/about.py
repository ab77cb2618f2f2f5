"""Of whom the sentences of a conversation speak: "I" is the speaker, "you" is the other one.

Knows the words of turns, in English; leaves to others what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from docmem.sentences import sentence_spans
from docmem.turns import speaker_of, turn_head

_FIRST = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|me|my|mine|myself|we|we're|we've|us|our|ours)\b", re.I
)
_SECOND = re.compile(
    r"\b(?:you|you're|you've|you'd|you'll|your|yours|yourself|congrats|congratulations)\b", re.I
)
# What says neither "I" nor "you" is more often of the one who says it.
_OWN = 0.7


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a turn, who says it, the whole turn's words, and of whom it speaks.

    ``about`` gives each speaker's share, together 1.
    """

    text: str
    turn: str
    speaker: str
    about: dict[str, float]


def sentences_of(texts: Sequence[str]) -> list[Sentence]:
    """Give the sentences of a conversation of two, in order; nothing of one with fewer or more.

    With three, "you" may be anyone.
    """
    turns = [turn for text in texts for turn in _turns(text)]
    speakers = sorted({speaker for speaker, _ in turns})
    if len(speakers) != 2:
        return []
    return [
        Sentence(turn[start:end], turn, speaker, _about(turn[start:end], speaker, speakers))
        for speaker, turn in turns
        for start, end in sentence_spans(turn)
    ]


def _turns(text: str) -> Iterator[tuple[str, str]]:
    """Yield the turns that begin in a text, each with its speaker in lower case."""
    speaker, lines = "", list[str]()
    for line in text.split("\n"):
        head = turn_head(line)
        if name := speaker_of(head).lower():
            if speaker and lines:
                yield speaker, "\n".join(lines)
            speaker, lines = name, [line.lstrip().removeprefix(head).lstrip()]
        else:
            lines.append(line)
    if speaker and lines:
        yield speaker, "\n".join(lines)


def _about(sentence: str, speaker: str, speakers: Sequence[str]) -> dict[str, float]:
    said = sentence.replace("’", "'")
    of_self = bool(_FIRST.search(said))
    of_other = bool(_SECOND.search(said)) or ("?" in said and not of_self)
    own = (of_self / (of_self + of_other)) if of_self or of_other else _OWN
    return {one: own if one == speaker else 1 - own for one in speakers}
