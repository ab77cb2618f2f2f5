"""How a batch and its worker processes speak: one JSON object a line; knows no process and no file.

To a worker: its settings, then ``take`` a file and, once, ``stop``. From it: ``begun`` once it
turns to the file, ``progress``, ``length`` once that is known, and ``outcome`` at its end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

from memqa.values import Media, Outcome
from models import errors
from models.errors import BackendError, MemqaError
from models.values import Progress

Line: TypeAlias = Mapping[str, Any]


def dump(line: Line) -> bytes:
    """Write a line; a file's name may hold bytes that no encoding knows, so all is ASCII."""
    return json.dumps(dict(line)).encode("ascii") + b"\n"


def load(written: bytes) -> Line:
    """Read a line.

    Raises:
        ValueError: it is none.
    """
    line = json.loads(written)
    if not isinstance(line, dict):
        raise ValueError(f"not a line: {written[:80]!r}")
    return line


def of_progress(progress: Progress) -> Line:
    """Give the line that tells of progress."""
    return {"kind": "progress", **asdict(progress)}


def progress_from(line: Line, file: str) -> Progress:
    """Read the progress that a line tells of a file."""
    return Progress(line["stage"], line["done"], line["total"], line["unit"], file)


def of_length(media: Media) -> Line:
    """Give the line that tells how long a media is, in seconds; a page counts as one."""
    return {"kind": "length", "length_s": media.duration_s or media.pages or 0}


def of_outcome(outcome: Outcome) -> Line:
    """Give the line that tells what became of a file."""
    error = outcome.error
    return {
        "kind": "outcome",
        "path": outcome.path,
        "status": outcome.status,
        "media": None if outcome.media is None else asdict(outcome.media),
        "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
        "elapsed_s": outcome.elapsed_s,
    }


def outcome_from(line: Line) -> Outcome:
    """Read what became of a file from its line."""
    media, error = line["media"], line["error"]
    return Outcome(
        line["path"],
        line["status"],
        None if media is None else _media(media),
        None if error is None else _error(error["type"], error["message"]),
        line["elapsed_s"],
    )


def _media(told: Mapping[str, Any]) -> Media:
    lists = {name: tuple(value) for name, value in told.items() if isinstance(value, list)}
    return Media(**{**told, **lists})


def _error(name: str, message: str) -> MemqaError:
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, MemqaError):
        return known(message)
    said = f"{name}: {message}".rstrip(": ")
    return BackendError(f"something unexpected happened ({said}); see worker.log")
