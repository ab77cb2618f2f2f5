"""Knows the values that the rooms of vidmem exchange: media facts, observations, events, segments.

Times are float seconds from the stream's start; spans are half-open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from models.ports import ImageEncoder, TextReader, Transcriber
from models.values import Features, Label, TextLine, TimeSpan, Utterance

Backend: TypeAlias = Literal["decord", "pyav"]


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file says of itself, after a look at its first packets.

    ``width`` and ``height`` are those of the upright picture, 0 for sound alone. ``fps`` is the
    average. ``duration_s`` is None where the file does not tell. ``backend`` is the decoder that
    is tried first; a segment's notes say so when the other one had to take over.
    """

    path: str
    kind: Literal["video", "audio"]
    duration_s: float | None
    width: int
    height: int
    rotation: int
    fps: float | None
    variable_rate: bool
    codec: str
    container: str
    has_audio: bool
    subtitle_tracks: int
    backend: Backend
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What was perceived at one frame: its tokens [N, D], its labels and the text read off it.

    The first token is the whole picture's, the others are those of its regions.
    """

    index: int
    pts_s: float
    tokens: Features
    labels: tuple[Label, ...]
    lines: tuple[TextLine, ...]
    is_cut: bool

    @property
    def feature(self) -> Features:
        """What the whole picture shows [D]."""
        return np.asarray(self.tokens[0])

    def __repr__(self) -> str:
        return f"Observation({self.index} at {self.pts_s:.2f} s, tokens {self.tokens.shape})"


@dataclass(frozen=True, slots=True)
class ReadText:
    """Text that stood on the screen during ``span``."""

    span: TimeSpan
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened between two event borders.

    ``labels`` name the mean feature of its frames; ``thumbnail`` is a JPEG of its key frame, shown
    at ``key_s``, None where there is no picture. ``moves`` is how far the liveliest part of the
    picture moves by itself (`own_motion`), None where there is no picture.
    """

    index: int
    span: TimeSpan
    labels: tuple[Label, ...]
    read: tuple[ReadText, ...]
    said: tuple[Utterance, ...]
    thumbnail: bytes | None
    key_s: float
    moves: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """About a minute of media, perceived; ``state`` lets ``watch`` go on after it.

    ``events`` are those whose end is known by now, with all that was said in them; ``unfinished``,
    of a live source only, what is known of those that go on, which come again.
    """

    index: int
    span: TimeSpan
    observations: tuple[Observation, ...]
    utterances: tuple[Utterance, ...]
    events: tuple[Event, ...]
    state: bytes
    notes: tuple[str, ...]
    last: bool
    unfinished: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Senses:
    """The models that perceive; without a reader or ears, text or speech stays unknown."""

    image: ImageEncoder
    reader: TextReader | None
    ears: Transcriber | None
