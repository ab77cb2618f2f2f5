"""What moves by itself is told from what the camera moves."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from models.values import Picture
from vidmem.motion import MOST, own_motion

SIZE = (320, 240)


def photo(seed: int = 0) -> Image.Image:
    """Give a busy picture, so that there is something to hold on to."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)


def view(picture: Image.Image, left: float, top: float, width: float) -> Picture:
    box = (left, top, left + width, top + width * 0.75)
    return np.asarray(picture.resize(SIZE, Image.Resampling.BILINEAR, box=box))


def with_ball(picture: Image.Image, x: float) -> Image.Image:
    out = picture.copy()
    ImageDraw.Draw(out).ellipse((x, 160, x + 220, 400), fill=(250, 240, 30))
    return out


def test_a_pan_and_zoom_over_a_photo_is_still() -> None:
    picture = photo()
    assert own_motion(view(picture, 60, 50, 480), view(picture, 90, 70, 430)) < 1.2


def test_something_that_moves_before_a_fixed_camera_is_lively() -> None:
    picture = photo()
    before, after = (view(with_ball(picture, x), 0, 0, 640) for x in (60, 300))
    assert own_motion(before, after) > 2


def test_the_same_picture_twice_does_not_move() -> None:
    picture = view(photo(), 0, 0, 640)
    assert own_motion(picture, picture) == 0
    blank = np.zeros((48, 64, 3), np.uint8)
    assert own_motion(blank, blank + 3) < 2


def test_two_unlike_pictures_move_at_most() -> None:
    assert own_motion(view(photo(1), 0, 0, 640), view(photo(2), 0, 0, 640)) > 5
    tall = np.zeros((64, 48, 3), np.uint8)
    assert own_motion(view(photo(1), 0, 0, 640), tall) == MOST
