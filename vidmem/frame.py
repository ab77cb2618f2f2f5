"""Knows what a decoded frame is: its time, a tiny picture to judge change by, its full picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.values import Picture

PICTURE_SIDE_PX = 640  # small signs stay legible, and OCR stays cheap
TINY_PX = (64, 36)  # width and height of the pictures by which change is judged
_THUMBNAIL_QUALITY = 60


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame: its time, a tiny RGB picture [36, 64, 3], and the upright picture on demand."""

    pts_s: float
    tiny: NDArray[np.uint8]
    picture: Callable[[], Picture]


def tiny(picture: Picture) -> NDArray[np.uint8]:
    """Shrink a picture to the size by which change is judged."""
    return np.asarray(Image.fromarray(picture).resize(TINY_PX, Image.Resampling.BOX))


def picture_of(blob: bytes) -> Picture:
    """Read a picture that ``jpeg`` wrote."""
    with Image.open(io.BytesIO(blob)) as image:
        return np.asarray(image.convert("RGB"))


def jpeg(picture: Picture, *, width_px: int = 256) -> bytes:
    """Write a picture as a small JPEG, at most ``width_px`` wide."""
    image = Image.fromarray(picture)
    if image.width > width_px:
        height = max(1, round(image.height * width_px / image.width))
        image = image.resize((width_px, height), Image.Resampling.BILINEAR, reducing_gap=2)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_THUMBNAIL_QUALITY, optimize=True)
    return out.getvalue()
