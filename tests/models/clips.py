"""A small CLIP or SigLIP model with random weights, for tests: built here, nothing downloaded."""

from __future__ import annotations

import json
from pathlib import Path

_CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {
        "context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
    },
}  # fmt: skip
_SCALING = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}


def small_clip(folder: Path, *, seed: int = 0, siglip: bool = False) -> str:
    """Write a model into a folder and give its name for `OpenClip`, with no tag beside it."""
    import open_clip
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    config = _CONFIG | ({"init_logit_bias": -3.0, "custom_text": True} if siglip else {})
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": _SCALING})
    )
    torch.manual_seed(seed)
    name = f"local-dir:{folder}"
    model = open_clip.create_model(name, load_weights=False)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return name
