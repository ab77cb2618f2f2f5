"""Knows how frames become observations: features in batches, labels, and text where it may stand.

Reading text costs more than everything else, so a cheap test decides: it looks for blocks dense
with strong upright edges, as letters have, and compares them with those at the last reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.ports import ImageEncoder, TextReader
from models.values import Picture, TextLine
from vidmem.values import Observation

_EDGE_LEVEL = 40  # grey levels between neighbours that count as an edge
_BLOCK_PX = (24, 10)  # width and height: about two letters at the smallest legible size
_DENSE = 0.15  # share of edge pixels in a block that may hold letters
_MIN_BLOCKS = 2  # a gate number; 109 frames read in full: none with text has fewer
_NEWS_BLOCKS = 4
_SHORT_SIDE_PX = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame as it came from the decoding child, its picture at most 640 px on a side."""

    index: int
    pts_s: float
    picture: Picture
    is_cut: bool
    motion: float
    change: float


@dataclass(frozen=True, slots=True)
class ReadParams:
    """When text is read: at most ``per_shot`` times, then again every ``again_s`` if it changed."""

    per_shot: int = 2
    gap_s: float = 2.0
    again_s: float = 15.0
    still_level: float = 12.0
    min_confidence: float = 0.6


@dataclass(slots=True)
class Perceiver:
    """Turns shown frames into observations; remembers when it last read, and what stood where.

    ``regions`` is how many rows and columns of cells are seen besides each whole picture.
    """

    image: ImageEncoder
    reader: TextReader | None
    params: ReadParams = field(default_factory=ReadParams)
    regions: int = 0
    _reads: int = 0
    _read_s: float = 0.0
    _read_map: tuple[tuple[int, ...], ...] | None = None

    def observe(self, frames: Sequence[Shown]) -> list[Observation]:
        """Perceive T frames in order of time."""
        if not frames:
            return []
        tokens = self.image.encode_regions([frame.picture for frame in frames], self.regions)
        return [
            Observation(
                frame.index, frame.pts_s, own, tuple(self.image.labels(own[0])),
                self._read(frame), frame.is_cut,
            )
            for frame, own in zip(frames, tokens, strict=True)
        ]  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """Give what decides about the next reading, as plain JSON values."""
        return {"reads": self._reads, "read_s": self._read_s, "map": self._read_map}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a ``state_dict``."""
        self._reads, self._read_s = int(state["reads"]), float(state["read_s"])
        stored = state["map"]
        self._read_map = None if stored is None else tuple(tuple(row) for row in stored)

    def _read(self, frame: Shown) -> tuple[TextLine, ...]:
        if self.reader is None:
            return ()
        if frame.is_cut:
            self._reads, self._read_map = 0, None
        blocks = text_blocks(frame.picture)
        if blocks.sum() < _MIN_BLOCKS or not self._worth_reading(frame, blocks):
            return ()
        self._reads, self._read_s = self._reads + 1, frame.pts_s
        self._read_map = tuple(tuple(int(v) for v in row) for row in blocks)
        lines = self.reader.read(frame.picture)
        return tuple(line for line in lines if self._is_text(line))

    def _worth_reading(self, frame: Shown, blocks: NDArray[np.bool_]) -> bool:
        if self._reads == 0:
            return not (frame.is_cut and frame.motion > self.params.still_level)
        wait_s = self.params.gap_s if self._reads < self.params.per_shot else self.params.again_s
        return frame.pts_s - self._read_s >= wait_s and self._is_news(blocks)

    def _is_news(self, blocks: NDArray[np.bool_]) -> bool:
        """Whether most of what may be text stands where nothing stood at the last reading."""
        if self._read_map is None:
            return True
        old = np.asarray(self._read_map, bool)
        if old.shape != blocks.shape:
            return True
        near = np.zeros((old.shape[0] + 2, old.shape[1] + 2), bool)
        for down in range(3):
            for right in range(3):
                near[down : down + old.shape[0], right : right + old.shape[1]] |= old
        fresh = blocks & ~near[1:-1, 1:-1]
        return bool(fresh.sum() >= _NEWS_BLOCKS)

    def _is_text(self, line: TextLine) -> bool:
        letters = sum(character.isalnum() for character in line.text)
        return letters >= 2 and line.confidence >= self.params.min_confidence


def text_blocks(picture: Picture) -> NDArray[np.bool_]:
    """Tell for each 24 by 10 pixel block whether it is as dense with upright edges as text is."""
    grey = np.asarray(Image.fromarray(picture).convert("L"), np.int16)
    width, height = _BLOCK_PX
    rows, columns = grey.shape[0] // height, (grey.shape[1] - 1) // width
    if min(rows, columns) == 0 or min(grey.shape) < _SHORT_SIDE_PX:
        return np.zeros((1, 1), bool)
    edges = np.abs(np.diff(grey, axis=1)) > _EDGE_LEVEL
    blocks = edges[: rows * height, : columns * width].reshape(rows, height, columns, width)
    return np.asarray(blocks.mean(axis=(1, 3)) >= _DENSE)
