"""Knows how text is read off a picture: PP-OCR by RapidOCR, whose models lie in its package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import BackendError, MissingExtra, ModelNotFound
from models.threads import cpu_threads
from models.values import Box, Picture, TextLine
from models.weights import sum_of

_LONGEST_PX = 1600
_SHORTEST_PX = 480  # the library would enlarge to 736: twice the time, and not one word more
_MIN_CONFIDENCE = 0.5
_MOST_ASPECT = 10
_USUAL = "ch"  # Chinese, Japanese and everything in Latin letters: one model, in the package


class PaddleReader:
    """A TextReader: PP-OCR finds lines of text and reads them (Du et al. 2020, arXiv 2009.09941).

    Pictures longer than 1600 px are shrunk first: the time grows with the area, and text that
    is legible on a page or a screen stays legible at that size.
    """

    def __init__(self, folder: Path, *, language: str = "") -> None:
        """``language`` is RapidOCR's name of a language or script: ``korean``, ``arabic``, ``th``.

        Without one the models read English, Chinese, Japanese and the other languages in Latin
        letters. Models are taken from ``folder``, and from RapidOCR's package where it has them;
        nothing is downloaded.

        Raises:
            ModelNotFound: the language has no model, or its file is missing or another one.
        """
        finder, reader = _models(language or _USUAL)
        finder_path, reader_path = finder.path(folder), reader.path(folder)
        self.signature = _named(reader_path)
        self._engine = _load(finder_path, reader_path, reader)

    def read(self, picture: Picture) -> list[TextLine]:
        """Give the lines of text in reading order.

        Raises:
            BackendError: the reader failed on this picture.
        """
        from rapidocr.utils.output import RapidOCROutput

        small = _shrink(picture)
        try:
            found = self._engine(np.ascontiguousarray(_widened(small)[:, :, ::-1]))  # it wants BGR
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


def check(folder: Path, language: str) -> None:
    """Make sure that text in a language can be read with the models in a folder; loads none.

    Raises:
        ModelNotFound: the language has no model, or its file is missing or another one.
    """
    for model in _models(language or _USUAL):
        model.path(folder)


def _shrink(picture: Picture) -> NDArray[np.uint8]:
    longest = max(picture.shape[:2])
    if longest <= _LONGEST_PX:
        return picture
    height, width = (max(1, round(side * _LONGEST_PX / longest)) for side in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def _widened(picture: Picture) -> Picture:
    """Repeat the last row or column of a very thin picture, whose short side would be enlarged.

    Three hundred by four pixels would become 36,000 by 480 and take a minute to read.
    """
    least = -(-max(picture.shape[:2]) // _MOST_ASPECT)
    missing = [(0, max(0, least - side)) for side in picture.shape[:2]]
    return np.pad(picture, [*missing, (0, 0)], mode="edge")


def _box(corners: NDArray[np.float32], width: int, height: int) -> Box:
    """The upright rectangle around four corners [4, 2] in pixels."""
    xs = np.clip(corners[:, 0] / width, 0, 1)
    ys = np.clip(corners[:, 1] / height, 0, 1)
    return Box(1, float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))


class _Model(NamedTuple):
    """One of RapidOCR's models: its task (``Det`` or ``Rec``) and where it is published."""

    task: str
    version: Any  # RapidOCR's own names
    size: Any
    language: str
    url: str
    sha256: str

    def path(self, folder: Path) -> Path:
        """Find the model's file in a folder or in RapidOCR's package.

        Raises:
            ModelNotFound: it lies in neither, or is not the one published.
        """
        import rapidocr

        name = Path(self.url).name
        package = Path(rapidocr.__file__).parent / "models"
        path = next((one / name for one in (folder, package) if (one / name).is_file()), None)
        if path is None:
            raise ModelNotFound(
                f"{name}, which reads {self.language!r}, is not in {folder}. "
                f"Download {self.url} and put it there."
            )
        if sum_of(path) != self.sha256:
            raise ModelNotFound(
                f"{path} is not the file that was published (another SHA-256). "
                f"Download {self.url} anew."
            )
        return path


def _models(language: str) -> tuple[_Model, _Model]:
    """Give the models that find lines and read them: PP-OCR v6 where it knows the language, or v5.

    Lines are found in the same way in every script.
    """
    from rapidocr.utils.model_resolver import list_supported_langs
    from rapidocr.utils.typings import ModelType, OCRVersion, TaskType

    newest = (OCRVersion.PPOCRV6, ModelType.SMALL)
    for version, size in (newest, (OCRVersion.PPOCRV5, ModelType.MOBILE)):
        try:
            reader = _published(TaskType.REC, version, size, language)
        except ValueError:  # the library knows no such language in this version
            continue
        return _published(TaskType.DET, *newest, _USUAL), reader
    known = {
        name
        for version in (OCRVersion.PPOCRV6, OCRVersion.PPOCRV5)
        for name in list_supported_langs(TaskType.REC, version)
    }
    raise ModelNotFound(
        f"No text is read in the language {language!r}. Known: {', '.join(sorted(known))}."
    )


def _published(task: Any, version: Any, size: Any, language: str) -> _Model:
    from rapidocr.inference_engine.base import FileInfo, InferSession
    from rapidocr.utils.typings import EngineType

    info = InferSession.get_model_url(
        FileInfo(EngineType.ONNXRUNTIME, version, task, language, size)
    )
    name = "Det" if task.value == "det" else "Rec"
    return _Model(name, version, size, language, info["model_dir"], info["SHA256"])


def signature_of(folder: Path, language: str) -> str:
    """Tell the model that reads a language, without loading it.

    Raises:
        ModelNotFound: the language has no model, or its file is missing or another one.
    """
    return _named(_models(language)[1].path(folder))


def _named(reader: Path) -> str:
    """Name the model that reads, by its file: ``pp-ocr-v6-small/1``, ``korean-pp-ocr-v5-mobile/1``.

    The file is the published one, so that its name tells it.
    """
    name = reader.stem.lower().replace("pp-ocrv", "pp-ocr-v").replace("_rec", "")
    return f"{name.replace('_', '-')}/1"


def _load(finder: Path, reader: Path, model: _Model) -> Any:
    """Load both models by their paths, now: left to itself the library loads and fetches later."""
    from rapidocr import RapidOCR

    try:
        engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.max_side_len": _LONGEST_PX,
                "Global.use_cls": False,  # upside-down lines are too rare for their price
                "Det.limit_side_len": _SHORTEST_PX,
                "Det.model_path": str(finder),
                "Rec.model_path": str(reader),
                "Rec.lang_type": model.language,
                "Rec.ocr_version": model.version,
                "Rec.model_type": model.size,
                "EngineConfig.onnxruntime.intra_op_num_threads": min(2, cpu_threads()),
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        for load in (engine._load_det_model, engine._load_rec_model):
            load()  # type: ignore[no-untyped-call]
    except ImportError as exc:  # right-to-left scripts need a package of their own
        raise MissingExtra(f"{model.language!r} cannot be read yet: {exc}") from exc
    except Exception as exc:  # the library raises its own and onnxruntime's bare classes
        raise ModelNotFound(f"The text reader could not be loaded from {reader}: {exc}.") from exc
    return engine
