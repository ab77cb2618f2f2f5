"""Whether the text layer of a page says what the page shows, told from its characters alone.

Fonts without a table of their characters, text drawn twice and text without blanks give words that
nobody can search for; such a page is better read off its picture.
"""

from __future__ import annotations

import re

_MIN_CHARS = 200
_READ_CHARS = 2_000
_MIN_WORDS = 30
_UNMAPPED = re.compile("[\x01\ufffd\ue000-\uefff\uf100-\uf8ff\U000f0000-\U0010fffd]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]{2,}")
_TOKEN = re.compile(r"\S*[A-Za-z\u00c0-\u024f]\S*")
_LONG = re.compile(r"[^\s/@]{26,}")
_VOWEL = re.compile(r"[aeiouyà-æè-ïò-öù-ÿ]", re.I)
_EDGES = "\"'“”‘’()[]{}<>.,;:!?*%$€£/|•·…-–—&©®™"


def why_illegible(text: str) -> str:
    """Say what is wrong with a page's text layer, or nothing where it can be read.

    The thresholds stand far from what is legible: over the 301 pages with text of the development
    documents at least 0.79 of the tokens are words and 0.35 of the letters vowels, at most 0.15 of
    the text is joined and no word is doubled.
    """
    text = text.strip()[:_READ_CHARS]
    if len(text) < _MIN_CHARS:
        return ""
    if len(_UNMAPPED.findall(text)) + len(_CONTROL.findall(text)) > 0.15 * len(text):
        return "its characters are not told"
    letters = len(_LETTER.findall(text))
    if letters < 0.3 * len(text) or len(_LATIN.findall(text)) < 0.8 * letters:
        return "" if letters >= 0.3 * len(text) else _of_symbols(text)
    if joined_share(text) > 0.4:
        return "its words are not parted"
    if doubled_share(text) > 0.3:
        return "its letters are doubled"
    if word_share(text) < 0.4 or vowel_share(text) < 0.26:
        return "its letters form no words"
    return ""


def joined_share(text: str) -> float:
    """Give the share of the text in runs of letters without a blank that are longer than words."""
    runs = [run for run in _LONG.findall(text) if len(_LETTER.findall(run)) > 0.6 * len(run)]
    return sum(map(len, runs)) / len(text)


def vowel_share(text: str) -> float:
    """Give the share of vowels among Latin letters: a third and more in languages that use them."""
    return len(_VOWEL.findall(text)) / max(len(_LATIN.findall(text)), 1)


def doubled_share(text: str) -> float:
    """Give the share of the words of four letters and more that say each letter twice."""
    words = [word for word in _WORD.findall(text) if len(word) >= 4]
    if len(words) < _MIN_WORDS:
        return 0.0
    doubled = [word for word in words if word[::2] == word[1::2]]
    return len(doubled) / len(words)


def word_share(text: str) -> float:
    """Give the share of tokens with Latin letters that are built like words.

    That is: nothing but letters within, a vowel among them, and no capital after a small letter.
    """
    tokens = [token.strip(_EDGES) for token in _TOKEN.findall(text)]
    tokens = [part for token in tokens for part in re.split(r"[-–—/’'.,:@]", token) if part]
    if len(tokens) < _MIN_WORDS:
        return 1.0
    return sum(map(_is_wordlike, tokens)) / len(tokens)


def _is_wordlike(token: str) -> bool:
    is_plain = token.isalpha() and (token[1:].islower() or token.isupper() or len(token) == 1)
    return is_plain and (len(token) < 4 or bool(_VOWEL.search(token)))


def _of_symbols(text: str) -> str:
    """Tell a page of punctuation: shifted codes read so; tables of numbers have digits."""
    digits = sum(map(str.isdigit, text))
    blanks = sum(map(str.isspace, text))
    rest = len(text) - digits - blanks
    odd = sum(1 for char in text if not char.isalnum() and not char.isspace())
    return "its characters are not told" if odd > 0.8 * rest and odd > 0.5 * len(text) else ""
