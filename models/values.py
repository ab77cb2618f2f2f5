"""The plain values that all rooms exchange: spans, boxes, pictures, utterances, progress.

Times are float seconds from the stream's start, pages are 1-based, boxes are fractions of a page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # a command line that only prints has no use for NumPy
    import numpy as np
    from numpy.typing import NDArray

Picture: TypeAlias = "NDArray[np.uint8]"  # [H, W, 3], RGB
Features: TypeAlias = "NDArray[np.float32]"  # [D] for one, [T, D] or [N, D] for several
Sound: TypeAlias = "NDArray[np.float32]"  # [n] mono samples at SOUND_RATE_HZ, in [-1, 1]

SOUND_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True, order=True)
class TimeSpan:
    """A half-open stretch of time ``[start_s, end_s)`` in a video or recording."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.start_s <= self.end_s < float("inf"):
            raise ValueError(f"not a span of time: {self.start_s} to {self.end_s}")

    @property
    def centre_s(self) -> float:
        """The middle of the span."""
        return (self.start_s + self.end_s) / 2

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self.end_s - self.start_s

    def overlap_s(self, other: TimeSpan) -> float:
        """How many seconds both spans share."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))


@dataclass(frozen=True, slots=True, order=True)
class PageSpan:
    """Pages ``page`` to ``page_end`` (both included), characters ``[char_start, char_end)``.

    Characters are counted over the whole document text: the pages' texts joined by one newline.
    """

    page: int
    page_end: int
    char_start: int
    char_end: int

    def __post_init__(self) -> None:
        if not (1 <= self.page <= self.page_end and 0 <= self.char_start <= self.char_end):
            raise ValueError(f"not a span of pages: {self.page}-{self.page_end}")


Locator: TypeAlias = TimeSpan | PageSpan


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page or picture, in fractions of its width and height, origin top left."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0 <= self.x0 <= self.x1 <= 1 and 0 <= self.y0 <= self.y1 <= 1):
            raise ValueError(f"not a box: {self.x0}, {self.y0}, {self.x1}, {self.y1}")


@dataclass(frozen=True, slots=True)
class Label:
    """A name for what a picture shows, and how sure the encoder is of it."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something said in ``[start_s, end_s)``; ``speaker`` is empty where unknown."""

    start_s: float
    end_s: float
    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text read off a picture; ``box.page`` is 1 unless the caller knows better."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class Message:
    """One turn handed to a language model; ``role`` is system, user or assistant.

    ``pictures`` stand before the words; only a model that ``sees`` takes any.
    """

    role: str
    content: str
    pictures: tuple[Picture, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a named stage has come; ``total`` is None where the end is not known.

    ``file`` is the path of the file it is about, where several are worked on at once.
    """

    stage: str
    done: float
    total: float | None = None
    unit: str = ""
    file: str = ""


OnProgress: TypeAlias = Callable[[Progress], None]
ShouldStop: TypeAlias = Callable[[], bool]


def clock(seconds: float) -> str:
    """Write a time as a person reads it on a player: ``0:07``, ``12:04``, ``1:02:11``."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, seconds_left = divmod(rest, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{seconds_left:02d}"
    return f"{minutes}:{seconds_left:02d}"
