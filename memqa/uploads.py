"""Files that were uploaded into a library: which they are, and how they go again."""

from __future__ import annotations

import shutil
from pathlib import Path


def is_upload(home: Path, path: Path) -> bool:
    """Say whether a file lies among those that were uploaded into this library."""
    try:
        return (home / "uploads").resolve() in path.resolve().parents
    except (OSError, RuntimeError):  # a link that leads to itself, as pathlib before 3.13 says it
        return False


def drop_upload(home: Path, path: Path) -> None:
    """Delete a file that was uploaded into this library; any other file is left alone."""
    if is_upload(home, path):
        folder = path.resolve().relative_to((home / "uploads").resolve()).parts[0]
        shutil.rmtree(home / "uploads" / folder, ignore_errors=True)
