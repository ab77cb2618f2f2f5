"""Deterministic twins of the ports: exact, instant, and easy to steer from a test.

FakeImageEncoder sees colours, FakeTextEncoder counts words, FakeTranscriber hears the pitch of
tones, FakeTextReader reads what a test wrote for a colour, FakeLanguageModel follows a script.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from models.errors import ChatModelUnavailable
from models.ports import Metric
from models.values import (
    SOUND_RATE_HZ,
    Box,
    Features,
    Label,
    Message,
    Picture,
    Sound,
    TextLine,
    Utterance,
)

COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (220, 30, 30),
    "green": (30, 180, 30),
    "blue": (30, 30, 220),
    "yellow": (230, 220, 30),
    "magenta": (220, 30, 220),
    "cyan": (30, 210, 220),
}
_RGB = np.array(list(COLOURS.values()), np.float32)  # [C, 3]
_WORD = re.compile(r"[^\W_]+")


def picture_of(colour: str, *, height: int = 48, width: int = 64) -> Picture:
    """A picture [H, W, 3] of one of COLOURS."""
    return np.full((height, width, 3), COLOURS[colour], np.uint8)


def tone(hertz: float, duration_s: float, *, loudness: float = 0.3) -> Sound:
    """A sine at 16 kHz, for FakeTranscriber to name."""
    at_s = np.arange(round(duration_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    return np.asarray(loudness * np.sin(2 * np.pi * hertz * at_s), np.float32)


class FakeImageEncoder:
    """Probabilities over COLOURS, from the share of pixels nearest to each; metric dot."""

    signature = "fake-colours/1"
    dim = len(COLOURS)
    metric: Metric = "dot"

    def encode(self, pictures: Sequence[Picture]) -> Features:
        if not len(pictures):
            return np.zeros((0, self.dim), np.float32)
        return np.stack([self._shares(picture) for picture in pictures])

    def encode_regions(self, pictures: Sequence[Picture], side: int) -> Features:
        cells = [
            [
                picture,
                *(c for row in np.array_split(picture, side) for c in np.array_split(row, side, 1)),
            ]
            if side
            else [picture]
            for picture in pictures
        ]
        shape = (len(pictures), 1 + side * side, self.dim)
        return self.encode([cell for row in cells for cell in row]).reshape(shape)

    def encode_query(self, text: str) -> Features:
        words = set(_WORD.findall(text.lower()))
        named = np.array([colour in words for colour in COLOURS], np.float32)
        return named / named.sum() if named.any() else np.full(self.dim, 1 / self.dim, np.float32)

    def similarity(self, text: str, features: Features) -> Features:
        return features @ self.encode_query(text)

    def labels(self, feature: Features, top: int = 5) -> list[Label]:
        order = np.argsort(-feature, kind="stable")[:top]
        names = list(COLOURS)
        return [Label(names[i], float(feature[i])) for i in order]

    def _shares(self, picture: Picture) -> Features:
        step_y, step_x = (max(1, side // 32) for side in picture.shape[:2])
        pixels = picture[::step_y, ::step_x].reshape(-1, 1, 3).astype(np.float32)
        nearest = ((pixels - _RGB) ** 2).sum(2).argmin(1)
        counts = np.bincount(nearest, minlength=self.dim)
        return np.asarray(counts / counts.sum(), np.float32)


class FakeTextEncoder:
    """A bag of words hashed into 256 counts, L2-normalised: shared words make texts close."""

    signature = "fake-words/1"
    dim = 256

    def encode(self, texts: Sequence[str]) -> Features:
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in _WORD.findall(text.lower()) or [""]:
                row[zlib.crc32(word.encode()) % self.dim] += 1
            row /= np.linalg.norm(row)
        return rows

    def encode_query(self, text: str) -> Features:
        return self.encode([text])[0]


class FakeTranscriber:
    """Names the pitch of each unbroken tone: "tone 440 hertz"; silence between tones parts them."""

    signature = "fake-tones/1"
    _STEP = SOUND_RATE_HZ // 10

    def transcribe(self, sound: Sound, *, offset_s: float = 0.0) -> Iterator[Utterance]:
        steps = len(sound) // self._STEP
        frames = sound[: steps * self._STEP].reshape(steps, self._STEP)
        loud = np.sqrt((frames**2).mean(1)) > 0.01 if steps else np.zeros(0, bool)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))
        for first, last in edges.reshape(-1, 2):
            hertz = self._pitch(sound[first * self._STEP : last * self._STEP])
            start_s, end_s = (offset_s + float(edge) / 10 for edge in (first, last))
            yield Utterance(start_s, end_s, f"tone {hertz} hertz")

    def _pitch(self, sound: Sound) -> int:
        strength = np.abs(np.fft.rfft(sound))
        hertz = float(strength.argmax()) * SOUND_RATE_HZ / len(sound)
        return round(hertz / 10) * 10


class FakeTextReader:
    """Reads the text that the test gave for the picture's main colour, one line per newline."""

    signature = "fake-signs/1"

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self.texts = dict(texts or {})
        self.calls = 0
        self._eyes = FakeImageEncoder()

    def read(self, picture: Picture) -> list[TextLine]:
        self.calls += 1
        colour = self._eyes.labels(self._eyes.encode([picture])[0], top=1)[0].name
        lines = self.texts.get(colour, "").splitlines()
        tops = np.linspace(0.1, 0.9, len(lines) + 1)
        return [
            TextLine(text, Box(1, 0.1, float(top), 0.9, float(bottom)), 0.99)
            for text, top, bottom in zip(lines, tops[:-1], tops[1:], strict=True)
        ]


class FakeLanguageModel:
    """Replies from a script, in order and then its last line again, or by a function.

    ``asked`` keeps every conversation. A reply of None raises ChatModelUnavailable.
    """

    def __init__(
        self,
        replies: Sequence[str | None] | Callable[[Sequence[Message]], str | None] = ("Yes.",),
        *,
        name: str = "fake-script",
        context_tokens: int = 2048,
        sees: bool = False,
    ) -> None:
        self.sees = sees
        self.name = name
        self.signature = f"{name}/1"
        self.context_tokens = context_tokens
        self.asked: list[tuple[Message, ...]] = []
        self._replies = replies

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        turn = len(self.asked)
        self.asked.append(tuple(messages))
        if sum(self.count_tokens(m.content) for m in messages) >= self.context_tokens:
            raise ChatModelUnavailable("The prompt does not fit the fake's context. Ask with less.")
        if callable(self._replies):
            reply = self._replies(messages)
        else:
            reply = self._replies[min(turn, len(self._replies) - 1)]
        if reply is None:
            raise ChatModelUnavailable("The fake model was told to fail. Script another reply.")
        yield from re.findall(r"\s*\S+", reply)[:max_tokens]


class FakeScoringModel(FakeLanguageModel):
    """A scripted model that also scores replies, by a function of the prompt and the reply.

    ``scored`` keeps every conversation that was scored.
    """

    def __init__(
        self,
        replies: Sequence[str | None] | Callable[[Sequence[Message]], str | None] = ("Yes.",),
        *,
        likes: Callable[[str, str], float] = lambda prompt, reply: -1.0,
        context_tokens: int = 2048,
    ) -> None:
        super().__init__(replies, name="fake-scorer", context_tokens=context_tokens)
        self.scored: list[tuple[Message, ...]] = []
        self._likes = likes

    def score(
        self, messages: Sequence[Message], replies: Sequence[str], *, per_token: bool = False
    ) -> list[float]:
        self.scored.append(tuple(messages))
        values = [self._likes(messages[-1].content, reply) for reply in replies]
        if per_token:
            return [
                value / self.count_tokens(reply)
                for value, reply in zip(values, replies, strict=True)
            ]
        return values
