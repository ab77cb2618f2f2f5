"""What the tests of memqa share: fake engines, and a document long enough for several commits."""

from __future__ import annotations

import random
from pathlib import Path

from models.ports import ImageEncoder, LanguageModel, TextEncoder, TextReader, Transcriber
from tests import fakes

_WORDS = (
    "amber basin candle delta ember falcon garnet harbour island juniper kettle lantern meadow "
    "nectar orchard pebble quarry ribbon saddle timber umbrella velvet willow yonder zephyr"
).split()


class FakeEngines:
    """The deterministic twins behind every port."""

    def __init__(self, *, signs: dict[str, str] | None = None) -> None:
        self.reader = fakes.FakeTextReader(signs)

    def signatures(self) -> dict[str, str]:
        return {
            "text": self.text_encoder().signature,
            "image": self.image_encoder().signature,
            "speech": self.transcriber().signature,
            "reader": self.text_reader().signature,
        }

    def image_encoder(self) -> ImageEncoder:
        return fakes.FakeImageEncoder()

    def text_encoder(self) -> TextEncoder:
        return fakes.FakeTextEncoder()

    def transcriber(self) -> Transcriber:
        return fakes.FakeTranscriber()

    def text_reader(self) -> TextReader:
        return self.reader

    def language_model(self) -> LanguageModel:
        return fakes.FakeLanguageModel()

    def captioner(self) -> LanguageModel:
        return self.language_model()


def write_document(path: Path, *, chapters: int = 4, seed: int = 1) -> Path:
    """Write a Markdown document of about 4,000 words a chapter; chapter 2 tells of a zebrafinch."""
    random_ = random.Random(seed)
    lines: list[str] = []
    for chapter in range(1, chapters + 1):
        lines.append(f"# Chapter {chapter}\n")
        for number in range(200):
            words = " ".join(random_.choices(_WORDS, k=19))
            lines.append(f"Sentence {chapter}.{number} says {words}.")
        if chapter == 2:
            lines.append("A zebrafinch nested in the clocktower.")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def bytes_under(home: Path, words: str) -> list[Path]:
    """Give the files under a library's folder in which these words can be read."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return [path for path in files if words.encode() in path.read_bytes()]
