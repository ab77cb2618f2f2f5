"""Knows how a picture is made ready for a language model: its longest side is bounded."""

from __future__ import annotations

import base64
import io

from PIL import Image

from models.values import Picture

LONGEST_SIDE_PX = 1024
_JPEG_QUALITY = 90


def bounded(picture: Picture) -> Image.Image:
    """Give the picture [H, W, 3], made smaller where a side is longer than 1024 pixels."""
    image = Image.fromarray(picture)
    image.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    return image


def data_url(picture: Picture) -> str:
    """Write the bounded picture as a JPEG in a ``data:`` address."""
    file = io.BytesIO()
    bounded(picture).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
