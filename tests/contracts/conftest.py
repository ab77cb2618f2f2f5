"""Sounds and pictures that every implementation of a port is given."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from models.values import Picture


@pytest.fixture(scope="session")
def pictures() -> list[Picture]:
    """Four pictures of different sizes: plain, noise, a gradient, one upright."""
    noise = np.random.default_rng(3).integers(0, 255, (120, 160, 3), np.uint8)
    ramp = np.tile(np.linspace(0, 255, 300, dtype=np.uint8)[None, :, None], (100, 1, 3))
    return [np.zeros((64, 64, 3), np.uint8), noise, ramp, np.full((500, 40, 3), 200, np.uint8)]


@pytest.fixture(scope="session")
def sign() -> Picture:
    """A white picture that says GATE 5 above EXIT LEFT."""
    image = Image.new("RGB", (640, 360), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(64)
    pen.text((60, 40), "GATE 5", "black", font)
    pen.text((60, 220), "EXIT LEFT", "black", font)
    return np.asarray(image)
