"""The known models: what each is good for, what it needs, and where it is published.

Sizes are of the files that are fetched. Memory is for a window of a few thousand tokens. Sums were
published beside the files; where there is none here, the hub's own is checked after a download.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.errors import SetupError
from models.specs import EMBEDDED

_MB, _GB = 10**6, 10**9


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model that can be chosen by its name; ``projector`` lets a GGUF model see.

    ``source`` is a spec of ``models/specs.py``. ``gpu_bytes`` is 0 where a CPU will do.
    """

    port: str
    name: str
    source: str
    disk_bytes: int
    ram_bytes: int
    gpu_bytes: int
    licence: str
    good_for: str
    projector: str = ""
    sums: Mapping[str, str] = field(default_factory=dict)


SHELF = (
    KnownModel(
        "language_model",
        "smollm2-1.7b",
        "hf:HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF/smollm2-1.7b-instruct-q4_k_m.gguf",
        1_055_609_536,
        2 * _GB,
        0,
        "Apache-2.0",
        "short answers in English on any laptop",
        sums={
            "smollm2-1.7b-instruct-q4_k_m.gguf": (
                "decd2598bc2c8ed08c19adc3c8fdd461ee19ed5708679d1c54ef54a5a30d4f33"
            )
        },
    ),
    KnownModel(
        "language_model",
        "qwen2.5-1.5b",
        "hf:Qwen/Qwen2.5-1.5B-Instruct-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf",
        1_117_320_736,
        2 * _GB,
        0,
        "Apache-2.0",
        "short answers in many languages on any laptop",
        sums={
            "qwen2.5-1.5b-instruct-q4_k_m.gguf": (
                "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e"
            )
        },
    ),
    KnownModel(
        "language_model",
        "qwen3-4b",
        "hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        2_497_280_256,
        5 * _GB,
        0,
        "Apache-2.0",
        "answers and walks in many languages; slow without a GPU",
        sums={
            "Qwen3-4B-Q4_K_M.gguf": (
                "7485fe6f11af29433bc51cab58009521f205840f5b4ae3a32fa7f92e8534fdf5"
            )
        },
    ),
    KnownModel(
        "language_model",
        "smolvlm2-2.2b",
        "hf:ggml-org/SmolVLM2-2.2B-Instruct-GGUF/SmolVLM2-2.2B-Instruct-Q4_K_M.gguf",
        1_705_125_856,
        4 * _GB,
        0,
        "Apache-2.0",
        "sees: describes frames on a laptop, as the captioner",
        projector="mmproj-SmolVLM2-2.2B-Instruct-Q8_0.gguf",
        sums={
            "SmolVLM2-2.2B-Instruct-Q4_K_M.gguf": (
                "0cf76814555b8665149075b74ab6b5c1d428ea1d3d01c1918c12012e8d7c9f58"
            ),
            "mmproj-SmolVLM2-2.2B-Instruct-Q8_0.gguf": (
                "ae07ea1facd07dd3230c4483b63e8cda96c6944ad2481f33d531f79e892dd024"
            ),
        },
    ),
    KnownModel(
        "language_model",
        "qwen3-vl-4b",
        "hf:Qwen/Qwen3-VL-4B-Instruct",
        8_900 * _MB,
        12 * _GB,
        12 * _GB,
        "Apache-2.0",
        "sees: answers from the frames themselves, on a GPU",
    ),
    KnownModel(
        "image_encoder",
        "mobileclip2-s2",
        "open_clip:hf-hub:timm/MobileCLIP2-S2-OpenCLIP",
        400 * _MB,
        1 * _GB,
        0,
        "Apple ML Research (no commercial use)",
        "finds what is described, not only what is named; fast on a CPU",
    ),
    KnownModel(
        "image_encoder",
        "siglip2-b16-256",
        "open_clip:hf-hub:timm/ViT-B-16-SigLIP2-256",
        1_540 * _MB,
        3 * _GB,
        0,
        "Apache-2.0",
        "finds what is described, in many languages; better with a GPU",
    ),
    KnownModel(
        "text_encoder",
        "bge-small-en",
        "hf:BAAI/bge-small-en-v1.5",
        134 * _MB,
        500 * _MB,
        0,
        "MIT",
        "finds English text better than the embedded one",
    ),
    KnownModel(
        "text_encoder",
        "multilingual-e5-small",
        "hf:intfloat/multilingual-e5-small",
        490 * _MB,
        1 * _GB,
        0,
        "MIT",
        "finds text in about a hundred languages",
    ),
    KnownModel(
        "transcriber",
        "whisper-base",
        "hf:Systran/faster-whisper-base",
        148 * _MB,
        500 * _MB,
        0,
        "MIT",
        "speech in many languages, fast",
    ),
    KnownModel(
        "transcriber",
        "whisper-small",
        "hf:Systran/faster-whisper-small",
        486 * _MB,
        1 * _GB,
        0,
        "MIT",
        "speech in many languages, good on a laptop",
    ),
    KnownModel(
        "transcriber",
        "whisper-large-v3-turbo",
        "hf:mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        1_620 * _MB,
        3 * _GB,
        0,
        "MIT",
        "speech in many languages, best; faster with a GPU",
        sums={"model.bin": "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"},
    ),
)

PRESETS: Mapping[str, Mapping[str, str]] = {
    "embedded": {
        "image_encoder": EMBEDDED,
        "text_encoder": EMBEDDED,
        "transcriber": EMBEDDED,
        "text_reader": EMBEDDED,
        "language_model": EMBEDDED,
        "captioner": "",
    },
    "laptop": {
        "image_encoder": "siglip2-b16-256",
        "text_encoder": "bge-small-en",
        "transcriber": "whisper-small",
        "text_reader": EMBEDDED,
        "language_model": "qwen3-4b",
        "captioner": "",
    },
    "gpu": {
        "image_encoder": "siglip2-b16-256",
        "text_encoder": "multilingual-e5-small",
        "transcriber": "whisper-large-v3-turbo",
        "text_reader": EMBEDDED,
        "language_model": "qwen3-vl-4b",
        "captioner": "",
    },
}


def known(port: str, name: str) -> KnownModel | None:
    """Give the known model of that name; what answers may also describe pictures."""
    shelved = "language_model" if port == "captioner" else port
    return next((one for one in SHELF if (one.port, one.name) == (shelved, name)), None)


def names(port: str) -> list[str]:
    """Give the names that a port knows, the embedded one first."""
    shelved = "language_model" if port == "captioner" else port
    return [EMBEDDED, *(one.name for one in SHELF if one.port == shelved)]


def preset(name: str) -> Mapping[str, str]:
    """Give the models that a preset puts behind each port.

    Raises:
        SetupError: there is no such preset.
    """
    if name not in PRESETS:
        raise SetupError(f"No preset is called {name!r}. The presets: {', '.join(PRESETS)}.")
    return PRESETS[name]
