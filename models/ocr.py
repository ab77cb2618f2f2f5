"""Knows how text is read off a picture: PP-OCR by RapidOCR, whose models lie in its package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import BackendError, ModelNotFound
from models.threads import cpu_threads
from models.values import Box, Picture, TextLine

_LONGEST_PX = 1600
_SHORTEST_PX = 480  # the library would enlarge to 736: twice the time, and not one word more
_MIN_CONFIDENCE = 0.5


class PaddleReader:
    """A TextReader: PP-OCR finds lines of text and reads them (Du et al. 2020, arXiv 2009.09941).

    Pictures longer than 1600 px are shrunk first: the time grows with the area, and text that
    is legible on a page or a screen stays legible at that size.
    """

    signature = "pp-ocr-v6-small/1"

    def __init__(self, folder: Path) -> None:
        from rapidocr import RapidOCR

        threads = min(2, cpu_threads())
        try:
            self._engine = RapidOCR(
                params={
                    "Global.log_level": "error",
                    "Global.model_root_dir": str(folder),
                    "Global.max_side_len": _LONGEST_PX,
                    "Global.use_cls": False,  # upside-down lines are too rare for their price
                    "Det.limit_side_len": _SHORTEST_PX,
                    "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
            )
        except Exception as exc:  # the library raises its own and onnxruntime's bare classes
            raise ModelNotFound(
                f"The text reader could not be loaded from {folder}: {exc}."
            ) from exc

    def read(self, picture: Picture) -> list[TextLine]:
        """Give the lines of text in reading order.

        Raises:
            BackendError: the reader failed on this picture.
        """
        from rapidocr.utils.output import RapidOCROutput

        small = _shrink(picture)
        try:
            found = self._engine(np.ascontiguousarray(small[:, :, ::-1]))  # it expects BGR
        except Exception as exc:  # onnxruntime errors share no base class but Exception
            raise BackendError(f"The text reader failed on {picture.shape}: {exc}.") from exc
        if not isinstance(found, RapidOCROutput) or found.boxes is None:
            return []  # the library answers with another class where nothing was found
        height, width = small.shape[:2]
        return [
            TextLine(text, _box(corners, width, height), float(score))
            for corners, text, score in zip(
                found.boxes, found.txts or (), found.scores or (), strict=True
            )
            if score >= _MIN_CONFIDENCE
        ]


def _shrink(picture: Picture) -> NDArray[np.uint8]:
    longest = max(picture.shape[:2])
    if longest <= _LONGEST_PX:
        return picture
    height, width = (max(1, round(side * _LONGEST_PX / longest)) for side in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def _box(corners: NDArray[np.float32], width: int, height: int) -> Box:
    """The upright rectangle around four corners [4, 2] in pixels."""
    xs = np.clip(corners[:, 0] / width, 0, 1)
    ys = np.clip(corners[:, 1] / height, 0, 1)
    return Box(1, float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
