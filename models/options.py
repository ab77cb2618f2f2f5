"""How a language model is run: the choices that do not belong to its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LanguageOptions:
    """What the person set for the language model in use; a backend takes what concerns it.

    ``context_tokens`` 0 leaves the window to the backend. ``gpu_layers`` is how many layers
    llama.cpp puts on a GPU, -1 for all. ``projector`` is the file that lets a GGUF model see.
    ``four_bit`` loads a transformers model quantised. ``timeout_s`` bounds each wait for a server,
    ``api_key`` is sent to it and never written down.
    """

    context_tokens: int = 0
    gpu_layers: int = -1
    projector: Path | None = None
    four_bit: bool = False
    timeout_s: float = 120.0
    api_key: str = field(default="", repr=False)


PLAIN = LanguageOptions()
