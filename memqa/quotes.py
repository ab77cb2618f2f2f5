"""What of a text is worth quoting for a question: its sentences, and rows with their heads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from docmem.facts import facts_of
from docmem.passages import Passage
from docmem.sentences import sentence_spans
from memqa.cite import numbers, proper_names, stems
from memqa.cues import asks_name, asks_number
from memqa.question import Question
from memqa.store.schema import Memory

_MOST_ROWS = 200
_HEADINGS = re.compile(r"^(?:\s*#{1,6} [^\n]*\n)+")
_SINGLE = str.maketrans({"“": "‘", "”": "’", "„": "‚", "‟": "‛", '"': "'", "＂": "'"})


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of a passage: a sentence to the letter, or a row with the heads of its columns."""

    text: str
    is_row: bool = False


def best_sentences(question: Question, text: str, *, most: int) -> str:
    """Quote the sentences of a text that share most words with the question, in their order.

    Where a number or a name is asked for, to hold a new one counts as much as another word.
    """
    return " ".join(one.text for one in _best(question, _sentences(text), most))


def best_of_passage(question: Question, passage: Memory, *, most: int) -> list[Quote]:
    """Quote the sentences and table rows of a passage that answer best, in their order.

    No sentence runs into a table or out of it.
    """
    text = passage.text
    whole = Passage(passage.order, passage.locator, text, passage.heading)
    rows = [fact for fact in facts_of(whole, most=_MOST_ROWS) if fact.kind == "row"]
    placed = [(fact.char_start, Quote(fact.text, is_row=True)) for fact in rows]
    ends = [0, *(fact.char_end for fact in rows)]
    for start, end in zip(ends, [*(fact.char_start for fact in rows), len(text)], strict=True):
        placed += [(start, quote) for quote in _sentences(text[start:end])]
    pieces = [quote for _, quote in sorted(placed, key=lambda one: one[0])]
    return _best(question, pieces or _sentences(text), most)


def in_quotes(told: Sequence[Quote]) -> str:
    """Write quotes one after another; a row is called one, since nobody wrote it like that."""
    runs: list[str] = []
    for index, quote in enumerate(told):
        if quote.is_row:
            runs.append(f"table row {_ended(in_marks(quote.text))}")
        elif index and not told[index - 1].is_row:
            runs[-1] = f"{runs[-1]} … {in_marks(quote.text)}"
        else:
            runs.append(in_marks(quote.text))
    return _ended(" ".join(runs))


def in_marks(text: str) -> str:
    """Put a text between quotation marks that it cannot close: its own become single ones."""
    return f"“{text.translate(_SINGLE)}”"


def _sentences(text: str) -> list[Quote]:
    """Give the sentences of a text to the letter, without headings that run into them."""
    written = (_HEADINGS.sub("", text[start:end]) for start, end in sentence_spans(text))
    return [Quote(" ".join(one.split())) for one in written if one.strip()]


def _best(question: Question, pieces: Sequence[Quote], most: int) -> list[Quote]:
    """Choose pieces by the words of the question in them, those that few pieces hold before others.

    Else a name that stands in every turn of a conversation would count like the thing asked about.
    """
    asked = set(stems(question.text))
    words = [asked & set(stems(piece.text)) for piece in pieces]
    holding = Counter(word for held in words for word in held)

    def worth(index: int) -> tuple[float, int]:
        part = pieces[index].text
        fits = (asks_number(question.text) and bool(numbers(part) - numbers(question.text))) or (
            asks_name(question.text) and bool(proper_names(part) - set(question.words))
        )
        return -fsum(1 / holding[word] for word in words[index]) - fits, index

    return [pieces[at] for at in sorted(sorted(range(len(pieces)), key=worth)[:most])]


def _ended(text: str) -> str:
    return text if text.rstrip("”\"'").endswith((".", "!", "?")) else f"{text}."
