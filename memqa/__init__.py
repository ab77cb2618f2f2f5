"""Ask hours of video and hundreds of pages, and see the moment or the page."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memqa.chats import Chat, Turn
    from memqa.jobs import Job
    from memqa.library import Library, Stats
    from memqa.settings import Settings
    from memqa.values import Answer, Citation, Collection, Evidence, Media, Outcome, Step, Token
    from models.errors import MemqaError

__all__ = [
    "Answer",
    "Chat",
    "Citation",
    "Collection",
    "Evidence",
    "Job",
    "Library",
    "Media",
    "MemqaError",
    "Outcome",
    "Settings",
    "Stats",
    "Step",
    "Token",
    "Turn",
    "open",
]

# Imported on first use: `import memqa` must cost nothing.
_WHERE = {
    "memqa.chats": ("Chat", "Turn"),
    "memqa.jobs": ("Job",),
    "memqa.library": ("Library", "Stats"),
    "memqa.settings": ("Settings",),
    "memqa.values": (
        "Answer",
        "Citation",
        "Collection",
        "Evidence",
        "Media",
        "Outcome",
        "Step",
        "Token",
    ),
    "models.errors": ("MemqaError",),
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}


def open(home: str | Path | None = None) -> Library:
    """Open the library under ``home``, made if need be; by default the person's own.

    Raises:
        SetupError: the settings are wrong, or the library was written by another schema.
    """
    from memqa.library import Library

    return Library(home)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'memqa' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def _refuse_shadowed_models() -> None:
    """Say so where a folder or file named ``models`` stands before ours on the path."""
    spec = importlib.util.find_spec("models")
    ours = Path(__file__).parents[1] / "models" / "__init__.py"
    found = Path(spec.origin) if spec is not None and spec.origin else None
    if found is not None and (found.resolve() == ours.resolve() or _is_ours(found)):
        return
    raise ImportError(
        f"memqa needs its own package 'models', but Python finds another one first: {found}. "
        "Start memqa from another folder, or rename that one."
    )


def _is_ours(found: Path) -> bool:
    # An editable install may map the four packages to different places.
    return found.name == "__init__.py" and (found.parent / "ports.py").exists()


_refuse_shadowed_models()
