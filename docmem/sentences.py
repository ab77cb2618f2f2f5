"""Where sentences begin and end, and how long a text is in words, for any script."""

from __future__ import annotations

import re

_END = re.compile(
    r"""(?<=[.!?…])["'”’)\]]*\s+(?=["'“‘(\[•–—-]?\s*[A-Z0-9À-ÖØ-Þ"“‘(\[•])"""  # Latin
    r"|(?<=[。！？])"  # full-width marks need no blank after them
    r"|\n\s*\n"  # a blank line ends whatever was being said
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Inc|Ltd|Co|Corp|No|Nos|Fig|Figs|Eq|Sec|Tab|Vol|pp|p|al"
    r"|vs|cf|approx|e\.g|i\.e|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)|\b[A-Z])\.$"
)
_WIDE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Give the half-open spans of the sentences, without the white space between them."""
    spans: list[tuple[int, int]] = []
    start = 0
    for mark in _END.finditer(text):
        if _ABBREVIATION.search(text, max(start, mark.start() - 12), mark.start()):
            continue
        spans.append((start, mark.start() + len(mark.group().rstrip())))
        start = mark.end()
    spans.append((start, len(text)))
    return [span for span in (_trimmed(text, *span) for span in spans) if span[0] < span[1]]


def count_words(text: str) -> int:
    """Count words; scripts without blanks count two characters as one, endless runs twelve."""
    narrow, wide = _WIDE.subn(" ", text)
    return max(len(narrow.split()), (len(text) - wide) // 12) + wide // 2


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
