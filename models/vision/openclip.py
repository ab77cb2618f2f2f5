"""Knows how pictures and texts meet in one space: any CLIP or SigLIP model that open_clip loads."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.errors import BackendError, ModelNotFound
from models.ports import Metric
from models.threads import limit_torch_threads, torch_device
from models.values import Features, Label, Picture
from models.vision.names import vectors_of
from models.vision.square import cells, fit
from models.weights import cache_folder

_NAME_WORDS = 5  # a longer text describes
_PROMPT = "a photo of a {}."
_BATCH = {"cpu": 8, "cuda": 64}  # pictures or texts at once
_SAMPLED = 64  # numbers of each tensor that tell its weights
_FOLDER = "local-dir:"
_FITTING = ("mean", "std", "interpolation", "resize_mode")
_REASON_CHARS = 200


class OpenClip:
    """An ImageEncoder: pictures and texts as L2-normalised vectors in one space, metric cosine.

    CLIP (Radford et al. 2021, arXiv 2103.00020) and SigLIP (Zhai et al. 2023, arXiv 2303.15343).
    A name is asked as "a photo of a NAME." (CLIP §3.1.4), a text of more than five words as it is.
    What a model squeezes into its square is squeezed; what it would crop is cropped only half as
    much, for a wide frame would lose what stands at its sides.
    """

    metric: Metric = "cosine"

    def __init__(
        self, architecture: str, checkpoint: str | None, *, signature: str | None = None
    ) -> None:
        """``architecture`` is ``local-dir:/folder``, or open_clip's name of a model with the path
        of a checkpoint of its weights.

        A folder holds ``open_clip_config.json``, the weights, and the tokenizer's files where the
        model has its own (SigLIP): nothing else is then read. Nothing is downloaded.

        Raises:
            ModelNotFound: no such model or weights, or they do not fit together.
        """
        self._device = torch_device()
        model, self._tokenize = _load(architecture, checkpoint, self._device)
        self._model, self._frame = model, _Frame.of(model)
        self._scale = model.logit_scale.exp().item()
        bias = getattr(model, "logit_bias", None)
        self._bias = 0.0 if bias is None else bias.item()
        self._made_of = _signature(architecture, model, self._frame)
        self.signature = signature or self._made_of
        # A question asks for the same focus several times over.
        self._query = lru_cache(maxsize=64)(lambda text: self._encode_texts([_prompt(text)])[0])
        self.dim = len(self._query(""))
        self._kept_names: Features | None = None

    def encode(self, pictures: Sequence[Picture]) -> Features:
        """Give the vectors [T, D] of T pictures of any sizes.

        Raises:
            BackendError: the model failed.
        """
        frame, parts = self._frame, [np.zeros((0, self.dim), np.float32)]
        for batch in self._batches(pictures):
            pixels = np.stack([frame.fit(picture) for picture in batch])
            parts.append(self._run(partial(self._see, pixels), f"{len(batch)} pictures"))
        return np.concatenate(parts)

    def encode_regions(self, pictures: Sequence[Picture], side: int) -> Features:
        """Give the vectors [T, 1 + side^2, D] of T pictures and of their cells.

        Each cell is seen as a picture of its own, for not all of these models keep a map of places:
        a picture takes 1 + side^2 times as long.

        Raises:
            BackendError: the model failed.
        """
        shape = (len(pictures), 1 + side * side, self.dim)
        rows = [[picture, *(cells(picture, side) if side else ())] for picture in pictures]
        return self.encode([part for row in rows for part in row]).reshape(shape)

    def encode_query(self, text: str) -> Features:
        """Give the vector [D] of a word or sentence.

        Raises:
            BackendError: the model failed.
        """
        return np.asarray(self._query(text))

    def similarity(self, text: str, features: Features) -> Features:
        """Give how probably each of M vectors [M, D] shows a name or a description, in [0, 1].

        Cosines of these models lie in a narrow band whose place differs from model to model, so
        that none says by itself whether a picture fits. SigLIP was trained to give the probability
        that picture and text belong together: sigmoid(scale cos + bias), eq. 1. CLIP knows only
        which of several texts fits best: its softmax is taken against as many texts as there are
        ImageNet classes, each as near as their names are to the M pictures on average. Both rise
        with the cosine.
        """
        if not len(features):
            return np.zeros(0, np.float32)
        units = _units(features)
        logits = self._scale * (units @ self.encode_query(text)).astype(np.float64)
        if self._bias:
            return np.asarray(_sigmoid(logits + self._bias), np.float32)
        names = self._names()
        usual = self._scale * float((units @ names.mean(axis=0)).mean())
        return np.asarray(_sigmoid(logits - usual - math.log(len(names))), np.float32)

    def labels(self, feature: Features, top: int = 5) -> list[Label]:
        """Name the ImageNet classes that the vector [D] fits best, by the softmax over all."""
        names = _class_names()
        logits = self._scale * (self._names() @ _units(feature[None])[0]).astype(np.float64)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        order = np.argsort(-shares, kind="stable")[:top]
        return [Label(names[i], float(shares[i])) for i in order]

    def _names(self) -> Features:
        if self._kept_names is None:
            self._kept_names = vectors_of(
                [_PROMPT.format(name) for name in _class_names()],
                self._made_of,
                self._encode_texts,
                dim=self.dim,
                cache=cache_folder() / "names",
            )
        return self._kept_names

    def _encode_texts(self, texts: Sequence[str]) -> Features:
        parts = [
            self._run(partial(self._read, batch), f"{len(batch)} texts")
            for batch in self._batches(texts)
        ]
        return np.concatenate(parts)

    def _batches(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        size = _BATCH[self._device]
        return [items[start : start + size] for start in range(0, len(items), size)]

    def _see(self, pixels: Any) -> Any:
        import torch

        batch = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float() / 255
        mean, spread = (
            torch.tensor(values, device=self._device).view(1, 3, 1, 1)
            for values in (self._frame.mean, self._frame.std)
        )
        return self._model.encode_image((batch - mean) / spread, normalize=True)

    def _read(self, texts: Sequence[str]) -> Any:
        return self._model.encode_text(self._tokenize(list(texts)).to(self._device), normalize=True)

    def _run(self, work: Callable[[], Any], what: str) -> Features:
        import torch

        # A GPU's short floats would put a picture elsewhere than the CPU does.
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        try:
            with torch.inference_mode(), exact:
                return np.asarray(work().float().cpu().numpy(), np.float32)
        except RuntimeError as exc:
            raise BackendError(
                f"The picture encoder failed on {what}: {_first_line(exc)}. "
                "Close other programs if memory is short, or choose a smaller model."
            ) from exc


@dataclass(frozen=True, slots=True)
class _Frame:
    """How pictures are fitted and scaled for a model."""

    size_px: tuple[int, int]  # width, height
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: bool
    bicubic: bool

    @classmethod
    def of(cls, model: Any) -> _Frame:
        """Read off what the model was loaded with."""
        known = model.visual.preprocess_cfg
        size = known["size"]
        height, width = (size, size) if isinstance(size, int) else size
        return cls(
            (int(width), int(height)),
            tuple(known["mean"]),
            tuple(known["std"]),
            known["resize_mode"] != "squash",
            known["interpolation"] != "bilinear",
        )

    def fit(self, picture: Picture) -> Any:
        """Give the pixels [H, W, 3] of a picture as the model takes it."""
        way = Image.Resampling.BICUBIC if self.bicubic else Image.Resampling.BILINEAR
        return fit(picture, self.size_px, crop=self.crop, resampling=way)


def _prompt(text: str) -> str:
    words = text.split()
    return _PROMPT.format(" ".join(words)) if 0 < len(words) <= _NAME_WORDS else text


def _class_names() -> Sequence[str]:
    from open_clip import IMAGENET_CLASSNAMES  # type: ignore[import-untyped]

    names: Sequence[str] = IMAGENET_CLASSNAMES
    return names


def _units(features: Features) -> Features:
    """Vectors [M, D] made of length one; what a memory merged is shorter."""
    lengths = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    return np.asarray(features / lengths, np.float32)


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def _load(architecture: str, checkpoint: str | None, device: str) -> tuple[Any, Any]:
    """Give open_clip's model and its tokenizer; both come without types."""
    limit_torch_threads()
    import open_clip

    extra, local = {}, {}
    if not architecture.startswith(_FOLDER):
        extra = _of_name(architecture, checkpoint or "")
        if _has_own_tokenizer(architecture):
            local = {"local_files_only": True}
    try:
        model = open_clip.create_model(
            architecture,
            checkpoint,
            device="cpu",
            require_pretrained=True,
            pretrained_text=False,
            weights_only=True,
            **extra,
        )
        tokenize = open_clip.get_tokenizer(architecture, **local)
    except ImportError:
        raise
    except Exception as exc:  # what torch, safetensors, json and the hub raise shares no base
        source = f"{architecture} with {checkpoint}" if checkpoint else architecture
        raise ModelNotFound(
            f"The picture encoder {source} could not be loaded: {_first_line(exc)}. "
            "Check that the files are whole and belong to this architecture, and that the "
            "tokenizer's files lie beside them where the model has its own (use local-dir:FOLDER)."
        ) from exc
    return model.eval().to(device), tokenize


def _of_name(architecture: str, checkpoint: str) -> dict[str, Any]:
    """What open_clip must be told besides a name of its own and a checkpoint.

    A checkpoint does not carry how its pictures are to be scaled: it is taken from the published
    weights of the same architecture where all of them agree.
    """
    import open_clip

    if architecture not in (names := open_clip.list_models()):
        near = difflib.get_close_matches(architecture, names, 3, 0.4)
        raise ModelNotFound(
            f"open_clip knows no model {architecture!r}; it knows {', '.join(near) or 'others'}. "
            "Name any other model as open_clip:hf-hub:OWNER/REPO or open_clip:local-dir:FOLDER."
        )
    if not Path(checkpoint).is_file():
        raise ModelNotFound(f"There is no file {checkpoint!r} with weights of {architecture}.")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    known = [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags]
    ways = [{key: one[key] for key in _FITTING if key in one} for one in known]
    return {"force_preprocess_cfg": ways[0]} if ways and ways[1:] == ways[:-1] else {}


def _has_own_tokenizer(architecture: str) -> bool:
    import open_clip

    return bool(open_clip.get_model_config(architecture)["text_cfg"].get("hf_tokenizer_name"))


def _signature(architecture: str, model: Any, frame: _Frame) -> str:
    """Tell a model by its name and by a sample of the numbers in every tensor.

    The same weights have the same signature, in whatever file they came.
    """
    known = hashlib.sha256(repr(frame).encode())
    for name, values in model.state_dict().items():
        flat = values.detach().flatten()
        picked = flat[:: max(1, len(flat) // _SAMPLED)].double().cpu().numpy()
        known.update(f"{name} {tuple(values.shape)}".encode() + picked.tobytes())
    name = architecture.split(":", 1)[-1].rstrip("/").rsplit("/", 1)[-1]
    return f"openclip/{name}/{known.hexdigest()[:16]}/1"


def _first_line(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    said = lines[0] if lines else type(exc).__name__
    return said[:_REASON_CHARS].rstrip(".: ")
