"""Cheap facts: what a passage says of numbers, dates and names, found by rule, without a model.

A fact is a row of a table beside its column heads, or a sentence that states a date, an amount or
a name. Its words are the passage's own; its heading and its speaker are written before it.

For answers, not for search: on the development PDFs, facts that credit their passage's page leave
BM25's recall@5 at 0.63 (FinanceBench, n 16) and lower it from 0.66 to 0.50 (MMLongBench text, n 44)
in one pool with the passages, 0.63 to 0.69 and 0.66 to 0.55 fused by rank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias

from docmem.passages import HEADING_JOIN, Passage
from docmem.sentences import count_words, sentence_spans
from docmem.tables import find_tables, is_row, row_prefixes
from docmem.turns import turn_head

FactKind: TypeAlias = Literal["row", "amount", "date", "name"]

_MOST_WORDS = 40
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DATE = re.compile(
    rf"\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH},?\s+\d{{4}}\b"
    rf"|\b{_MONTH}\s+\d{{4}}\b|\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b\d{{1,2}}/\d{{1,2}}/\d{{2,4}}\b"
)
_SCALE = r"(?:thousand|million|billion|trillion|bn|mn|[kKMB])\b"
_UNIT = (
    r"(?:%|percent|per cent|percentage points?|basis points?|dollars?|euros?|pounds?"
    r"|years?|months?|weeks?|days?|hours?|minutes?|km|kg|tons?|tonnes?|miles?|people|employees"
    r"|stores|shares|GB|MB|TB)"
)
_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_AMOUNT = re.compile(
    rf"(?:US|C|A)?[$€£¥]\s?{_NUMBER}(?:\s?{_SCALE})?"
    rf"|\b(?:USD|EUR|GBP|CHF|JPY)\s?{_NUMBER}(?:\s?{_SCALE})?"
    rf"|\b{_NUMBER}\s?{_SCALE}(?:\s+{_UNIT})?|\b{_NUMBER}\s?{_UNIT}(?!\w)",
)
_NAME = re.compile(
    r"(?:Mr|Mrs|Ms|Dr|Prof)\.\s+[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+)?"
    r"|\b[A-Z][a-zà-ÿ’'-]+(?:\s+[A-Z]\.)?(?:\s+(?:van|von|de|der|of))?\s+[A-Z][a-zà-ÿ’'-]+"
)
_RULE = re.compile(r"[\s|:=-]+")
_HEAD_VALUE = re.compile(r"(?:19|20)\d{2}|Q[1-4]|FY\d{2,4}", re.I)
_VALUE = re.compile(r"\(?-?[$€£¥]?\s?\(?\d[\d.,]*\)?%?x?|[–—-](?=\s|$)")


@dataclass(frozen=True, slots=True)
class Fact:
    """A short text understood alone: characters ``[char_start, char_end)`` of its passage's text.

    ``passage`` is the passage's order; ``value`` is the date, amount or name that makes it a fact,
    empty for a row.
    """

    passage: int
    char_start: int
    char_end: int
    kind: FactKind
    text: str
    value: str = ""


def facts_of(passage: Passage, *, most: int = 12) -> list[Fact]:
    """Give the facts of a passage in order, at most so many: rows first, then what states most.

    Raises:
        ValueError: ``most`` is not positive.
    """
    if most < 1:
        raise ValueError(f"at most {most} facts is none; leave the call out")
    found = [*_row_facts(passage), *_sentence_facts(passage)]
    rank = {"row": 0, "amount": 1, "date": 2, "name": 3}
    kept = sorted(found, key=lambda fact: (rank[fact.kind], fact.char_start))[:most]
    return sorted(kept, key=lambda fact: (fact.char_start, rank[fact.kind]))


def _row_facts(passage: Passage) -> Iterator[Fact]:
    lines = passage.text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    for first, last in find_tables(lines):
        table = lines[first:last]
        for index, (line, above) in enumerate(zip(table, row_prefixes(table), strict=True), first):
            if (not above and index > first) or not is_row(line) or not _names_a_row(line):
                continue
            text = _titled(passage, _paired(line, above.split("\n") if above else []))
            yield Fact(passage.order, starts[index], starts[index] + len(line), "row", text)


def _paired(row: str, above: Sequence[str]) -> str:
    """Write each value of a row beside the head of its column, where they are as many.

    A blank cell leaves its column out; where it cannot be told which one is blank, or whether a
    number belongs to the name, the row stays as it is below its heads.
    """
    if "|" in row or any("|" in line for line in above):
        cells, heads = _cells(row), next((_cells(line) for line in above if "|" in line), [])
        if len(heads) == len(cells):
            pairs = [
                f"{head}: {cell}" if head else cell
                for head, cell in zip(heads, cells, strict=True)
                if cell
            ]
            return "; ".join(pairs)
        named = [line.strip(" |") for line in above[-1:] if not _RULE.fullmatch(line)]
        return " | ".join(filter(None, [*named, row.strip(" |")]))
    first = _VALUE.search(row)
    name, values = (row, []) if first is None else (row[: first.start()], _values(row, first))
    for line in above:
        heads = _HEAD_VALUE.findall(line)
        if heads and len(heads) == len(values) and _are_alike(values):
            pairs = [f"{head}: {value}" for head, value in zip(heads, values, strict=True)]
            group = above[-1] if above[-1] != line and above[-1].endswith(":") else ""
            return " ".join(filter(None, [group, name.strip(" $"), "; ".join(pairs)]))
    return " ".join([*(line for line in above if count_words(line) <= 12), row])


def _names_a_row(line: str) -> bool:
    first = line.strip(" |").partition("|")[0].strip()
    return first[:1].isalpha()


def _cells(line: str) -> list[str]:
    """Part a line at its bars; one bar at either end is its border."""
    bare = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in bare.split("|")]


def _are_alike(values: Sequence[str]) -> bool:
    """Tell values of one row from the number of a note before them: none is a lone short number."""
    digits = [sum(map(str.isdigit, value)) for value in values]
    is_bare = values[0].strip().isdigit() and len(values[0].strip()) <= 2
    return not (is_bare and max(digits[1:], default=0) >= 3)


def _values(row: str, first: re.Match[str]) -> list[str]:
    return [value.strip() for value in _VALUE.findall(row[first.start() :])]


def _sentence_facts(passage: Passage) -> Iterator[Fact]:
    speaker = turn_head(passage.text)
    for start, end in sentence_spans(passage.text):
        said = passage.text[start:end]
        if count_words(said) > _MOST_WORDS or is_row(said.split("\n")[-1]):
            continue
        speaker = turn_head(said) or speaker
        for kind, pattern in _PATTERNS:
            if mark := pattern.search(said):
                words = " ".join(said.split())
                if speaker and not words.startswith(speaker):
                    words = f"{speaker} {words}"
                text = _titled(passage, words)
                yield Fact(passage.order, start, end, kind, text, mark.group())
                break


_PATTERNS: tuple[tuple[FactKind, re.Pattern[str]], ...] = (
    ("amount", _AMOUNT),
    ("date", _DATE),
    ("name", _NAME),
)


def _titled(passage: Passage, text: str) -> str:
    heading = passage.heading.rsplit(HEADING_JOIN, 1)[-1]
    return f"{heading}: {text}" if heading and heading not in text else text
