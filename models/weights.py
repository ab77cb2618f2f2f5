"""Knows where weight files lie, which sum each must have, and what was found of them before."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from models.errors import ModelNotFound

_log = logging.getLogger(__name__)
_PRINTED_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Weights:
    """One weight file inside an installed package; ``sha256`` is of the file as published."""

    package: str  # as pip names it
    module: str  # as Python imports it
    file: str  # inside the module's folder
    sha256: str

    def folder(self) -> Path:
        """Give the module's folder without importing it.

        Raises:
            ModelNotFound: the package is not installed.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise ModelNotFound(
                f"The package {self.package} is missing. Install it: pip install {self.package}"
            )
        return Path(spec.submodule_search_locations[0])

    def path(self) -> Path:
        """Give the file's path once it is there and its sum is right.

        Raises:
            ModelNotFound: the file is missing or is not the one published.
        """
        path = self.folder() / self.file
        if not path.is_file():
            raise ModelNotFound(f"{path} is missing. {self._advice()}")
        if sum_of(path) != self.sha256:
            raise ModelNotFound(
                f"{path} is not the file that {self.package} was published with "
                f"(another SHA-256). {self._advice()}"
            )
        return path

    def version(self) -> str:
        """Give the package's installed version, empty where it is not installed."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return ""

    def _advice(self) -> str:
        return f"Install it anew: pip install --force-reinstall --no-deps {self.package}"


def sum_of(path: Path) -> str:
    """Give the SHA-256 of a file, read anew only when path, size or time of change differ."""
    kept = recalled("sums", _file_key(path))
    if kept is not None:
        return kept
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    keep_sum(path, found)
    return found


def print_of(*files: Path) -> str:
    """Tell files of weights by the size, the beginning and the end of each; ``none`` without any.

    The place they lie at does not count, so that weights may be moved.
    """
    known, total = hashlib.sha256(), 0
    there = [file for file in files if file.is_file()]
    for path in there:
        size = path.stat().st_size
        total += size
        with path.open("rb") as file:
            known.update(file.read(_PRINTED_BYTES))
            file.seek(max(0, size - _PRINTED_BYTES))
            known.update(file.read(_PRINTED_BYTES))
    return f"{total}-{known.hexdigest()[:16]}" if there else "none"


def cache_folder() -> Path:
    """Give the user's folder for what can be computed again at any time."""
    return Path(platformdirs.user_cache_dir("memqa", appauthor=False))


def keep_sum(path: Path, found: str) -> None:
    """Note the SHA-256 that a file was found to have, until it changes."""
    remember("sums", _file_key(path), found)


def recalled(kind: str, key: str) -> str | None:
    """Give what was remembered under a key; None where nothing was, or it is damaged."""
    try:
        return str(json.loads(_stamp_of(kind, key).read_text())["told"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(kind: str, key: str, told: str) -> None:
    """Note what can be computed again, for all processes; the key names all that it hangs on."""
    stamp = _stamp_of(kind, key)
    draft = stamp.with_suffix(f".{os.getpid()}")
    try:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"told": told}))
        draft.replace(stamp)
    except OSError as exc:
        _log.debug("not kept, it will be computed again: %s", exc)


def _file_key(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"


def _stamp_of(kind: str, key: str) -> Path:
    return cache_folder() / kind / (hashlib.sha256(key.encode()).hexdigest()[:32] + ".json")
