"""Engines that note how long each sense is busy, wrapped around the ones a library would use."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from memqa.engines import CatalogEngines
from models.ports import (
    ImageEncoder,
    LanguageModel,
    Metric,
    TextEncoder,
    TextReader,
    Transcriber,
)
from models.values import Features, Label, Picture, Sound, TextLine, Utterance


class Busy:
    """Seconds and items by sense; senses that work side by side each count in full."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.items: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    @contextmanager
    def at(self, sense: str, items: int = 1) -> Iterator[None]:
        """Count the time inside as work of a sense."""
        started = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[sense] += time.perf_counter() - started
                self.items[sense] += items


class TimedEngines:
    """The engines of the catalogue, each call timed; models load outside the time taken."""

    def __init__(self, engines: CatalogEngines, busy: Busy) -> None:
        self._engines, self._busy = engines, busy

    def image_encoder(self) -> ImageEncoder:
        """Give the timed model that sees."""
        return _Sight(self._engines.image_encoder(), self._busy)

    def text_encoder(self) -> TextEncoder:
        """Give the timed model that compares texts."""
        return _Meaning(self._engines.text_encoder(), self._busy)

    def transcriber(self) -> Transcriber:
        """Give the timed model that writes down speech."""
        return _Ears(self._engines.transcriber(), self._busy)

    def text_reader(self) -> TextReader:
        """Give the timed model that reads text off pictures."""
        return _Reader(self._engines.text_reader(), self._busy)

    def language_model(self) -> LanguageModel:
        """Give the model that writes answers, as it is."""
        return self._engines.language_model()

    def captioner(self) -> LanguageModel:
        """Give the model that describes pictures, as it is."""
        return self._engines.captioner()


class _Sight:
    def __init__(self, inner: ImageEncoder, busy: Busy) -> None:
        self._inner, self._busy = inner, busy
        self.signature: str = inner.signature
        self.dim: int = inner.dim
        self.metric: Metric = inner.metric

    def encode(self, pictures: Sequence[Picture]) -> Features:
        with self._busy.at("see", len(pictures)):
            return self._inner.encode(pictures)

    def encode_regions(self, pictures: Sequence[Picture], side: int) -> Features:
        with self._busy.at("see", len(pictures)):
            return self._inner.encode_regions(pictures, side)

    def encode_query(self, text: str) -> Features:
        return self._inner.encode_query(text)

    def similarity(self, text: str, features: Features) -> Features:
        return self._inner.similarity(text, features)

    def labels(self, feature: Features, top: int = 5) -> list[Label]:
        return self._inner.labels(feature, top)


class _Meaning:
    def __init__(self, inner: TextEncoder, busy: Busy) -> None:
        self._inner, self._busy = inner, busy
        self.signature: str = inner.signature
        self.dim: int = inner.dim

    def encode(self, texts: Sequence[str]) -> Features:
        with self._busy.at("compare texts", len(texts)):
            return self._inner.encode(texts)

    def encode_query(self, text: str) -> Features:
        return self._inner.encode_query(text)


class _Ears:
    def __init__(self, inner: Transcriber, busy: Busy) -> None:
        self._inner, self._busy = inner, busy
        self.signature: str = inner.signature

    def transcribe(self, sound: Sound, *, offset_s: float = 0.0) -> Iterator[Utterance]:
        with self._busy.at("hear"):
            said = list(self._inner.transcribe(sound, offset_s=offset_s))
        yield from said


class _Reader:
    def __init__(self, inner: TextReader, busy: Busy) -> None:
        self._inner, self._busy = inner, busy
        self.signature: str = inner.signature

    def read(self, picture: Picture) -> list[TextLine]:
        with self._busy.at("read"):
            return self._inner.read(picture)
