"""Subtitles (SRT and WebVTT): how cues become turns with a time, and with a speaker where marked.

A turn is a line ``[0:12] Ann: …``, as ``docmem/turns.py`` knows them. It ends where another speaks,
at a pause, or at the end of a sentence when it is long, so that its time stays telling.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from docmem.pages import DocumentInfo, Page
from docmem.parse.archive import told_damage
from docmem.parse.kind import read_text
from docmem.parse.text import page_spans, paginate
from docmem.sentences import count_words
from models.errors import EmptyMedia
from models.values import clock

if TYPE_CHECKING:
    from webvtt import WebVTT

_PAUSE_S = 3.0
_TURN_WORDS = 60  # about half a minute of speech
_LONGEST_WORDS = 120
_ROLLS_FROM = 0.3  # the share of cues that repeat the one before, in subtitles that roll up
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]([^<>]+)>")
_TAG = re.compile(r"<(?:/?[A-Za-z]|\d)[^<>]*>|\{\\[^{}]*\}")
_NAMED = re.compile(r"((?:(?:Dr|Mr|Mrs|Ms|Prof|St)\. )?[^\W\d_a-z][^:\n!?.,]{0,40}):\s+(?=\S)")
_FIRST_NUMBER = re.compile(r"\d+(?=[ \t]+\n)")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class _Said:
    """What one speaker says in one cue, in ``[start_s, end_s)``; the speaker may be unknown."""

    start_s: float
    end_s: float
    text: str
    speaker: str
    is_voice: bool = False  # the file says who speaks in every cue that has a speaker


def open_subtitles(path: Path) -> DocumentInfo:
    """Open subtitles; their title is what a WebVTT file calls itself.

    Raises:
        UnreadableMedia: a time in them makes no sense.
        EmptyMedia: nothing is said in them.
    """
    text, title, notes = _read(path)
    if not re.search(r"[^\W\d]", text):
        raise EmptyMedia(f"{path.name} holds no words.")
    return DocumentInfo(path, "subtitles", title or path.stem, len(page_spans(text)), notes)


def read_subtitles_pages(info: DocumentInfo) -> Iterator[Page]:
    """Yield virtual pages of turns."""
    text, _, _ = _read(info.path)
    yield from paginate(text, levels=lambda lines: [0] * len(lines))


def _read(path: Path) -> tuple[str, str, tuple[str, ...]]:
    """Give the turns as lines, the title, and notes on how the file was read."""
    import webvtt

    source, notes = read_text(path)
    source = source.lstrip("\ufeff \t\n")
    if mark := _FIRST_NUMBER.match(source):  # which the library takes without blanks only
        source = mark.group() + source[mark.end() :].lstrip(" \t")
    form = "vtt" if source.startswith("WEBVTT") else "srt"
    with told_damage(path, webvtt.errors.MalformedFileError, webvtt.errors.MalformedCaptionError):
        read = webvtt.from_buffer(io.StringIO(source), format=form)
        said = list(_said(read))
    return "\n".join(_turns(said)), read.header_text.strip(" \t-–—"), notes


def _said(read: WebVTT) -> Iterator[_Said]:
    cues = [
        (cue.start_time.in_milliseconds() / 1e3, cue.end_time.in_milliseconds() / 1e3, cue.raw_text)
        for cue in read.captions
    ]
    for start_s, end_s, text in _unrolled(cues):
        before, *voices = _VOICE.split(text)
        parts = [("", before), *zip(voices[::2], voices[1::2], strict=True)]
        for voice, words in parts:
            plain = " ".join(unescape(_TAG.sub("", words)).split())
            named = None if voice else _NAMED.match(plain)
            speaker = " ".join(unescape(voice).split()) or (named.group(1) if named else "")
            plain = plain[named.end() :] if named else plain
            if plain:
                yield _Said(start_s, end_s, plain, speaker, bool(voice))


def _unrolled(cues: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Leave out the lines that stand on in the next cue, where the subtitles roll up so."""
    kept: list[tuple[float, float, str]] = []
    repeated, last = 0, ""
    for start_s, end_s, text in cues:
        lines = [line for line in text.split("\n") if line.strip()]
        plain = [_TAG.sub("", line).strip() for line in lines]
        if last and plain and plain[0] == last:
            repeated += 1
            lines = lines[1:]
        last = plain[-1] if plain else ""
        kept.append((start_s, end_s, "\n".join(lines)))
    return kept if repeated > len(cues) * _ROLLS_FROM else cues


def _turns(said: Iterable[_Said]) -> Iterator[str]:
    """Join what is said to turns, and write each as a line."""
    turn: list[_Said] = []
    for one in said:
        if turn and _parts(turn, one):
            yield _line(turn)
            turn = [_carried(turn[-1], one)]
        else:
            turn.append(_carried(turn[-1], one) if turn else one)
    if turn:
        yield _line(turn)


def _parts(turn: list[_Said], follower: _Said) -> bool:
    """Tell that a turn ends before what follows."""
    last = turn[-1]
    if _carried(last, follower).speaker != last.speaker or follower.start_s - last.end_s > _PAUSE_S:
        return True
    if follower.text.startswith(("-", "–", "—")):  # how unnamed speakers are told apart
        return True
    words = sum(count_words(one.text) for one in turn)
    return words >= _LONGEST_WORDS or (
        words >= _TURN_WORDS and bool(_SENTENCE_END.search(last.text))
    )


def _carried(last: _Said, follower: _Said) -> _Said:
    """Name the speaker who goes on: a name written into the words stands for the cues after it."""
    goes_on = follower.start_s - last.end_s <= _PAUSE_S and not follower.text.startswith("-")
    if follower.speaker or last.is_voice or not goes_on:
        return follower
    return _Said(follower.start_s, follower.end_s, follower.text, last.speaker)


def _line(turn: list[_Said]) -> str:
    speaker = f"{turn[0].speaker}: " if turn[0].speaker else ""
    return f"[{clock(turn[0].start_s)}] {speaker}{' '.join(one.text for one in turn)}"
