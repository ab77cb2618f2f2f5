"""Other models behind the ports than the usual fakes, which count what they are asked to do.

``python -m tests.memqa.others HOME STEP N`` brings a library up to date with them and kills itself
after the n-th call of a step of Writer.
"""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memqa.library import Library
from models.ports import ImageEncoder, TextEncoder, TextReader, Transcriber
from models.values import Features, Label, Picture, Sound, TextLine, Utterance
from tests.fakes import (
    FakeImageEncoder,
    FakeTextEncoder,
    FakeTextReader,
    FakeTranscriber,
)
from tests.memqa.killed import die_after
from tests.memqa.parts import FakeEngines

ENCODERS = ("text", "image")


class OtherTextEncoder(FakeTextEncoder):
    """Hashes words into other, fewer counts."""

    signature = "fake-words/2"
    dim = 96

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts

    def encode(self, texts: Sequence[str]) -> Features:
        self.counts["texts"] += len(texts)
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split() or [""]:
                row[zlib.adler32(word.encode()) % self.dim] += 1
            row /= np.linalg.norm(row)
        return rows


class OtherImageEncoder(FakeImageEncoder):
    """Sees the same colours, calls them deep, and has room for one that it never sees."""

    signature = "fake-colours/2"
    dim = FakeImageEncoder.dim + 1

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts
        self._eyes = FakeImageEncoder()

    def encode(self, pictures: Sequence[Picture]) -> Features:
        self.counts["pictures"] += len(pictures)
        seen = self._eyes.encode(pictures)
        return np.concatenate([seen, np.zeros((len(seen), 1), np.float32)], axis=1)

    def encode_query(self, text: str) -> Features:
        return np.append(self._eyes.encode_query(text), np.float32(0))

    def labels(self, feature: Features, top: int = 5) -> list[Label]:
        seen = self._eyes.labels(feature[:-1], top)
        return [Label(f"deep {label.name}", label.probability) for label in seen]


class _Ears(FakeTranscriber):
    def __init__(self, counts: Counter[str], *, is_other: bool) -> None:
        self.counts = counts
        if is_other:
            self.signature = "fake-tones/2"

    def transcribe(self, sound: Sound, *, offset_s: float = 0.0) -> Iterator[Utterance]:
        self.counts["heard"] += 1
        yield from super().transcribe(sound, offset_s=offset_s)


class _Reader(FakeTextReader):
    def __init__(self, counts: Counter[str], *, is_other: bool) -> None:
        super().__init__({"white": "two"} if is_other else {"white": "one"})
        self.counts = counts
        if is_other:
            self.signature = "fake-signs/2"

    def read(self, picture: Picture) -> list[TextLine]:
        self.counts["read"] += 1
        return super().read(picture)


class Others(FakeEngines):
    """The usual fakes, of which those named are others; ``counts`` is what they were asked."""

    def __init__(self, others: Collection[str] = ENCODERS) -> None:
        super().__init__()
        self.others = others
        self.counts: Counter[str] = Counter()
        self.reader = _Reader(self.counts, is_other="reading" in others)

    def image_encoder(self) -> ImageEncoder:
        return OtherImageEncoder(self.counts) if "image" in self.others else FakeImageEncoder()

    def text_encoder(self) -> TextEncoder:
        return OtherTextEncoder(self.counts) if "text" in self.others else FakeTextEncoder()

    def transcriber(self) -> Transcriber:
        return _Ears(self.counts, is_other="speech" in self.others)

    def text_reader(self) -> TextReader:
        return self.reader


def stored(library: Library) -> dict[str, Any]:
    """Give all that a library with one media holds, but for the segments that wrote it."""
    (media,) = library.media()
    tables = library.store.read._tables
    vectors: dict[str, list[tuple[str, list[float]]]] = {}
    for table in tables.all_vectors():
        for row in table.to_arrow().to_pylist():
            vectors.setdefault(row["id"], []).append((tables.signature_of(table), row["vector"]))
    rows = []
    for row in tables.memories.search().limit(100_000).to_list():
        kept = {key: value for key, value in row.items() if key not in ("id", "segment")}
        name = "" if row["level"] == "long" else row["id"]
        rows.append(kept | {"name": name, "vectors": vectors.pop(row["id"], [])})
    rows.sort(key=lambda row: (row["level"], row["order"], row["name"]))
    return {
        "rows": rows,
        "vectors without a row": vectors,
        "states": library.store.read.states(media.id),
        "media": (media.status, media.stale, media.memories, media.bytes, media.notes),
    }


def main(home: str, step: str, number: str) -> None:
    die_after(step, int(number))
    with Library(Path(home), engines=Others()) as library:
        print(list(library.reindex()))


if __name__ == "__main__":
    main(*sys.argv[1:])
