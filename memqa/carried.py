"""What is carried from one library to another: the folder's own description, and each outcome.

An exported folder is a library (``tables/``, and ``uploads/`` where the files came too) with a
``manifest.json`` beside it, which is written last. What the manifest says is only shown and
compared: where files lie is never taken from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeAlias

from memqa.values import Media
from models.errors import InputError, StoreMismatch

MANIFEST = "manifest.json"
_FORMAT = "memqa export"
_MOST_BYTES = 64 * 2**20

CarriedStatus: TypeAlias = Literal["exported", "imported", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of one media that was to be carried; ``with_file`` says that its file was too."""

    path: str
    status: CarriedStatus
    media: Media | None = None
    with_file: bool = False
    notes: tuple[str, ...] = ()
    error: Exception | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the object that ``--json`` prints."""
        media = self.media
        error = self.error and {"type": type(self.error).__name__, "message": str(self.error)}
        return {
            "path": self.path,
            "media_id": media.id if media else None,
            "kind": media.kind if media else None,
            "status": self.status,
            "error": error or None,
            "notes": list(self.notes),
            "memories": media.memories if media else 0,
            "bytes": media.bytes if media else 0,
            "file": self.with_file,
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """One media in a manifest."""

    id: str
    name: str
    kind: str
    memories: int
    file: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an exported folder says of itself."""

    schema: int
    memqa: str
    exported_at: str
    media: tuple[Entry, ...]
    chats: bool = False

    def write(self, folder: Path) -> None:
        """Write it into a folder, whose export is whole then."""
        told = {"format": _FORMAT, **asdict(self)}
        text = json.dumps(told, ensure_ascii=False, indent=1)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read it from a folder.

        Raises:
            InputError: the folder is no export, or its manifest is damaged.
            StoreMismatch: another version of memqa wrote it, in a form that this one cannot read.
        """
        data = _object(folder)
        try:
            found = cls(
                schema=int(data["schema"]),
                memqa=str(data["memqa"]),
                exported_at=str(data["exported_at"]),
                media=tuple(_entry(one) for one in data["media"]),
                chats=bool(data["chats"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise _damaged(folder) from exc
        _fit(found, folder)
        return found


def version() -> str:
    """Give the version of memqa that is running."""
    return metadata.version("memqa")


def _fit(manifest: Manifest, folder: Path) -> None:
    from memqa.store.schema import SCHEMA_VERSION

    if manifest.schema == SCHEMA_VERSION:
        return
    older = manifest.schema < SCHEMA_VERSION
    there = "on the machine that it came from, and export it again" if older else "here"
    raise StoreMismatch(
        f"{folder} was exported by memqa {manifest.memqa} in schema {manifest.schema}, this memqa "
        f"{version()} reads schema {SCHEMA_VERSION}; update memqa {there}"
    )


def _object(folder: Path) -> Mapping[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; name one that `memqa export` made")
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{folder} is no export of memqa: {_instead(folder)}")
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise InputError(f"{path} is too large for what it should be; {folder} is no export")
        data = json.loads(text)
    except (OSError, ValueError, RecursionError) as exc:
        raise _damaged(folder) from exc
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise InputError(f"{folder} is no export of memqa: its {MANIFEST} is something else's")
    return data


def _instead(folder: Path) -> str:
    if (folder / "tables").is_dir():
        return (
            f"it is a library. Open it with `memqa --home {folder} list`, or export from it: "
            f"memqa --home {folder} export DIR"
        )
    return f"it has no {MANIFEST}. Make one on the other machine: memqa export DIR"


def _entry(data: Mapping[str, Any]) -> Entry:
    return Entry(
        id=str(data["id"]),
        name=str(data["name"]),
        kind=str(data["kind"]),
        memories=int(data["memories"]),
        file=bool(data["file"]),
    )


def _damaged(folder: Path) -> InputError:
    return InputError(f"{folder / MANIFEST} is damaged; export the folder again")
