"""How a table is told among lines of text, and what a row needs before it to be understood alone.

Knows only the words of the lines: tables of numbers (a name, then two numbers or more) and tables
whose cells are parted by bars. Tables of words without bars read as prose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from docmem.sentences import count_words

_NUMERIC = re.compile(r"^[$€£¥(+–—-]*\d[\d.,/:]*[%)x]*\*?$|^[–—-]+%?$|^[$€£¥%]$")
_LETTER = re.compile(r"[^\W\d_]")
_YEAR = re.compile(r"^(?:19|20)\d\d[AEPF]?[,*]?$")
_MONTH_DAY = re.compile(
    r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?\s+\d{1,2}\b,?", re.I
)
_MIN_ROWS = 3
_ROW_GAP_LINES = 2
_HEAD_LINES = 4
_LABEL_WORDS = 16
_PREFIX_WORDS = 50


def find_tables(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Find the tables among lines, as half-open ranges that begin with their head lines."""
    rows = [index for index, text in enumerate(texts) if is_row(text)]
    found: list[tuple[int, int]] = []
    begin = 0
    while begin < len(rows):
        end = begin
        while end + 1 < len(rows) and _goes_on(texts[rows[end] + 1 : rows[end + 1]]):
            end += 1
        if end - begin + 1 >= _MIN_ROWS:
            floor = found[-1][1] if found else 0
            found.append((_head_start(texts, rows[begin], floor), rows[end] + 1))
        begin = end + 1
    return found


def row_prefixes(texts: Sequence[str]) -> list[str]:
    """Give what stands above each row of a table: its column heads and the name of its group."""
    body = _body_start(texts)
    head, group = "\n".join(texts[:body]), ""
    if count_words(head) > _PREFIX_WORDS:
        head = " ".join(head.split()[:_PREFIX_WORDS])
    prefixes = [""] * body
    for text in texts[body:]:
        if _names_rows(text):
            prefixes.append(head)
            group = text
        else:
            prefixes.append("\n".join(filter(None, (head, group))))
    return prefixes


def is_row(text: str) -> bool:
    """Tell a table row: cells parted by bars, or ending in two numbers or more."""
    if text.count("|") >= 2 or " | " in text:
        return True
    numbers = 0
    for part in reversed(text.split()):
        if not _NUMERIC.match(part):
            break
        numbers += any(map(str.isdigit, part)) or part in "–—-"
    return numbers >= 2


def _goes_on(between: Sequence[str]) -> bool:
    """Tell that a table goes on over these lines without numbers."""
    return len(between) <= _ROW_GAP_LINES and all(map(_is_label, between))


def _head_start(texts: Sequence[str], first_row: int, floor: int) -> int:
    start = first_row
    # Cells parted by bars name their columns in a row of their own: above it stands one caption.
    most = 1 if "|" in texts[first_row] else _HEAD_LINES
    while start > floor and first_row - start < most and _is_label(texts[start - 1]):
        start -= 1
    return start


def _is_label(text: str) -> bool:
    """Tell a line that may stand in a table without numbers: short, and no end of a sentence."""
    return count_words(text) <= _LABEL_WORDS and not text.rstrip().endswith((".", ";", "?", "!"))


def _body_start(texts: Sequence[str]) -> int:
    """Count the head lines: all before the first row that has a name and values of its own."""
    for index, text in enumerate(texts):
        if is_row(text) and _LETTER.search(text) and not _names_years(text):
            if "|" in text:  # cells parted by bars: the first row names the columns
                return index + (not any("|" in above for above in texts[:index]))
            if index == 0:
                return 0
            return index - _names_rows(texts[index - 1])
    return 0


def _names_years(text: str) -> bool:
    """Tell a row of column heads whose numbers are years or dates, from one of values."""
    numbers = [part for part in _MONTH_DAY.sub("", text).split() if _NUMERIC.match(part)]
    return "|" not in text and bool(numbers) and all(map(_YEAR.match, numbers))


def _names_rows(text: str) -> bool:
    """Tell a line that names the rows under it (``Current assets:``) from one that was wrapped."""
    return not is_row(text) and (text.endswith(":") or text.isupper())
