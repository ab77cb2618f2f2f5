"""Knows how much of a picture moves by itself, once the camera's own movement is taken out.

A zoom over a photo moves every pixel and yet nothing happens; a street seen from a tripod moves
little and yet it is alive. Told apart, a scene can be looked for as a scene and a photo as a photo.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.values import Picture

_WIDTH_PX = 320
_FEATURES = 300
_MIN_MATCHES = 7
_LEAST_COVERED = 0.3
_BLUR_PX = 2.0
_FLOOR = 2.0  # grey levels a pixel that no slope is trusted below
_LIVELY_SHARE = 90  # percentile: what the liveliest tenth of the picture does
MOST = 25.0  # two pictures that no camera movement carries into each other

Grey = NDArray[np.uint8]


def own_motion(before: Picture, after: Picture) -> float:
    """Give how far the liveliest tenth of a picture moved by itself, in pixels of a 320 px width.

    The camera's movement is a similarity (shift, turn, zoom) fitted to matched ORB features by
    RANSAC; what it does not explain, divided by the local slope of the picture, is displacement
    (Horn & Schunck 1981, eq. 4). From 0, at most `MOST`.
    """
    a, b = _grey(before), _grey(after)
    if a.shape != b.shape:
        return MOST
    camera = _camera(a, b)
    if camera is None:
        return MOST
    size = (a.shape[1], a.shape[0])
    covered = cv2.warpAffine(np.ones_like(a), camera, size)
    inside = np.asarray(cv2.erode(covered, np.ones((9, 9), np.uint8)), bool)
    if inside.mean() < _LEAST_COVERED:
        return MOST
    one, two = _soft(np.asarray(cv2.warpAffine(a, camera, size), np.uint8)), _soft(b)
    slope = np.hypot(cv2.Sobel(two, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(two, cv2.CV_32F, 0, 1) / 8)
    moved = np.abs(one - two) / (slope + _FLOOR)
    return min(MOST, float(np.percentile(moved[inside], _LIVELY_SHARE)))


def _camera(a: Grey, b: Grey) -> NDArray[np.float64] | None:
    """Fit the similarity [2, 3] that carries a into b; still pictures may have nothing to match."""
    if np.array_equal(a, b):
        return np.eye(2, 3)
    orb = cv2.ORB_create(_FEATURES)  # type: ignore[attr-defined]
    (points_a, marks_a), (points_b, marks_b) = (orb.detectAndCompute(g, None) for g in (a, b))
    if marks_a is None or marks_b is None:
        return np.eye(2, 3)
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(marks_a, marks_b)
    if len(matches) < _MIN_MATCHES:
        return None
    from_a = np.asarray([points_a[m.queryIdx].pt for m in matches], np.float32)
    to_b = np.asarray([points_b[m.trainIdx].pt for m in matches], np.float32)
    cv2.setRNGSeed(0)
    found, _ = cv2.estimateAffinePartial2D(from_a, to_b, ransacReprojThreshold=3, maxIters=500)
    return None if found is None else np.asarray(found, np.float64)


def _grey(picture: Picture) -> Grey:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    height = max(1, round(grey.shape[0] * _WIDTH_PX / grey.shape[1]))
    shrunk = cv2.resize(grey, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def _soft(grey: Grey) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), _BLUR_PX), np.float32)
