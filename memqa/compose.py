"""An answer in a language model's own words, out of several notes, each sentence checked after.

For models that showed that they can read notes and say when these do not answer (tiers A and B).
What a sentence rests on is found afterwards, never taken from the model's own brackets: by shared
words, or where it says the same in others, by meaning; its numbers and names must stand there.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from docmem.prompts import NOT_TOLD, told
from docmem.sentences import sentence_spans
from memqa.cite import Source, makes_citations, numbers, proper_names, supports, to_the_point
from memqa.findings import MOST_EVIDENCE
from memqa.fuse import Found
from memqa.pack import Note, pack
from memqa.question import Question
from memqa.values import Answer, AnswerState, Citation, Evidence, Token
from models.ports import LanguageModel, TextEncoder

NOTHING_SUPPORTS = "Nothing in your media supports an answer."
MOST_REPLY_TOKENS = 256
_MARGIN_TOKENS = 32
# From so much in common a sentence says what a note says: words, or the cosine of the meanings.
_LEAST_SHARE, _LEAST_MEANING = 0.7, 0.6
_LEAST_RELATED = 0.2
_BRACKETS = re.compile(
    r"\s*(?:[\[【]\d+(?:[,–-] ?\d+)*[\]】]|[\[(](?:notes?|pp?\.?) ?\d+(?:[,–-] ?\d+)*[\])])", re.I
)


@dataclass(frozen=True, slots=True)
class _Tied:
    """A sentence of the reply, and the note that bears it out, if one does."""

    char_start: int
    char_end: int
    note: Note | None


def compose(
    model: LanguageModel,
    encoder: TextEncoder,
    asked: Question,
    found: Sequence[Found],
) -> Generator[Token, None, Answer | None]:
    """Have the model answer from the places found; None where no sentence of it is borne out.

    Grounded is an answer of which every sentence is borne out; what says that the notes do not
    answer is unanswered, with the closest places.

    Raises:
        ChatModelUnavailable: the model failed; what it wrote so far does not count.
    """
    empty = told(asked.text, ())
    taken = sum(model.count_tokens(message.content) for message in empty)
    notes = pack(asked.text, found, model, taken_tokens=taken + MOST_REPLY_TOKENS + _MARGIN_TOKENS)
    if not notes:
        return None
    pieces: list[str] = []
    messages = told(asked.text, [note.line for note in notes])
    for piece in model.stream(messages, max_tokens=MOST_REPLY_TOKENS):
        pieces.append(piece)
        yield Token(piece)
    text = " ".join(_BRACKETS.sub("", "".join(pieces)).split())
    if not text or NOT_TOLD.lower() in text.lower():
        closest = tuple(item.evidence() for item in found[:MOST_EVIDENCE])
        return Answer(NOTHING_SUPPORTS, "unanswered", closest)
    tied = tie(text, asked, notes, encoder)
    borne_out = [one for one in tied if one.note]
    if not borne_out:
        return None
    state: AnswerState = "grounded" if len(borne_out) == len(tied) else "ungrounded"
    cited = [
        Citation(one.char_start, one.char_end, (one.note.place.memory.id,))
        for one in borne_out
        if one.note
    ]
    return Answer(text, state, _shown(borne_out, found), tuple(cited))


def tie(text: str, asked: Question, notes: Sequence[Note], encoder: TextEncoder) -> list[_Tied]:
    """Find for each sentence of a text the note that bears it out."""
    sources = [Source(note.place.memory.id, note.line) for note in notes]
    by_id = {note.place.memory.id: note for note in notes}
    tied = []
    for support in supports(text, asked.text, sources):
        sentence = text[support.char_start : support.char_end]
        note = by_id.get(support.evidence_id or "")
        if not (note and support.numbers_match and support.adds and support.share >= _LEAST_SHARE):
            note = _by_meaning(sentence, asked, notes, encoder)
        if note is not None and (
            makes_citations(sentence) or not _names_known(sentence, asked, note)
        ):
            note = None
        tied.append(_Tied(support.char_start, support.char_end, note))
    return tied


def _by_meaning(
    sentence: str, asked: Question, notes: Sequence[Note], encoder: TextEncoder
) -> Note | None:
    """Give the note with the sentence nearest in meaning that holds all of the numbers."""
    said = [(note, note.text[slice(*span)]) for note in notes for span in sentence_spans(note.text)]
    new = numbers(sentence) - numbers(asked.text)
    parts = [(note, part) for note, part in said if new <= numbers(part) | numbers(note.label)]
    if not parts:
        return None
    vectors = encoder.encode([sentence, asked.text, *(part for _, part in parts)])
    nearness, related = vectors[2:] @ vectors[0], vectors[2:] @ vectors[1]
    # What has nothing to do with the question, such as an order, bears nothing out.
    nearness = np.where(related >= _LEAST_RELATED, nearness, -1.0)
    best = int(np.argmax(nearness))
    return parts[best][0] if nearness[best] >= _LEAST_MEANING else None


def _names_known(sentence: str, asked: Question, note: Note) -> bool:
    text = to_the_point(note.text, asked.text) or note.text
    known = f"{note.label} {text} {asked.text} {note.place.media.name}".lower()
    return all(name in known for name in proper_names(sentence))


def _shown(tied: Sequence[_Tied], found: Sequence[Found]) -> tuple[Evidence, ...]:
    """Give the places that are cited, in the order of the sentences, then the closest others."""
    cited = {one.note.place.memory.id: one.note.place for one in tied if one.note}
    others = {item.memory.id: item for item in found if item.memory.id not in cited}
    most = max(MOST_EVIDENCE, len(cited))
    return tuple(item.evidence() for item in [*cited.values(), *others.values()][:most])
