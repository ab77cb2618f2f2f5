"""The folder that an export goes to: what may be replaced there, and how it comes to its place.

An earlier export stays until one that has all it had is whole; wherever a run dies, one of the two
is there, and the next run puts it back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.carried import MANIFEST, Carried, Manifest
from memqa.copying import SPARE_BYTES
from memqa.store.lock import locked
from memqa.store.schema import NOTHING_COMMITTED, MediaRow
from models.errors import InputError, MemqaError, SetupError, StoreConflict

if TYPE_CHECKING:
    from memqa.export import Wanted

_MOST_NAMES = 3


def check_place(home: Path, folder: Path) -> None:
    """Refuse a place where no export can be made; raises InputError."""
    if folder == home or home in folder.parents or folder in home.parents:
        raise InputError(f"{folder} and the library {home} lie in each other; name another folder")
    if not folder.parent.is_dir():
        raise InputError(f"there is no folder {folder.parent}; make it, or name another one")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a new folder")


def check_earlier(folder: Path, rows: list[MediaRow], wanted: Wanted) -> None:
    """Refuse a folder that holds anything but an earlier export of the same, or of a part of it.

    Raises:
        InputError: it does, or it was made with more.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return
    another = "name a new folder"
    try:
        earlier = Manifest.read(folder)
    except MemqaError as exc:
        raise InputError(f"{folder} is not empty and no export of memqa; {another}") from exc
    if (folder / "jobs.sqlite").exists():
        raise InputError(f"{folder} was opened as a library since it was exported; {another}")
    new = {row.media.id for row in rows if row.committed_segment > NOTHING_COMMITTED}
    lost = [entry.name for entry in earlier.media if entry.id not in new]
    if lost:
        raise InputError(f"{folder} is an earlier export that also holds {_named(lost)}; {another}")
    for there, given, option in (
        (any(entry.file for entry in earlier.media), wanted.with_files, "--with-files"),
        (earlier.chats, wanted.with_chats, "--with-chats"),
    ):
        if there and not given:
            raise InputError(
                f"{folder} is an earlier export made {option}; give {option} again, or {another}"
            )


def check_room(folder: Path, rows: list[MediaRow], wanted: Wanted) -> None:
    """Say before anything is written that the disk is too small; raises SetupError."""
    needed = SPARE_BYTES + sum(2 * row.media.bytes for row in rows)
    if wanted.with_files:
        needed += sum(row.size_bytes for row in rows)
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise SetupError(
            f"the export needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free at "
            f"{folder.parent}; name a folder on another disk"
        )


def check_nothing_lost(folder: Path, outcomes: Sequence[Carried]) -> None:
    """Refuse to put an export in the place of an earlier one that has more.

    Raises:
        InputError: a media, or a file of one, is only in the earlier one, which stays.
    """
    if not (folder / MANIFEST).exists():
        return
    new = {one.media.id: one for one in outcomes if one.media and one.status == "exported"}
    earlier = Manifest.read(folder).media
    missing = [entry.name for entry in earlier if entry.id not in new]
    if missing:
        why = next((f" ({one.error})" for one in outcomes if one.error), "")
        raise InputError(
            f"{folder} stays as it was: {_named(missing)} in it could not be exported this "
            f"time{why}; export again later, or name a new folder"
        )
    bare = [entry.name for entry in earlier if entry.file and not new[entry.id].with_file]
    if bare:
        raise InputError(
            f"{folder} stays as it was: it has the file of {_named(bare)}, which could not be "
            "copied this time; name a new folder"
        )


def put_in_place(unfinished: Path, folder: Path) -> None:
    """Move the export to its place; an earlier one stays until then, or is put back."""
    earlier = _earlier(folder)
    shutil.rmtree(earlier, ignore_errors=True)
    if folder.exists():
        folder.rename(earlier)
    try:
        unfinished.rename(folder)
    except BaseException:
        put_back(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Put an earlier export back that was moved aside by a run that died then."""
    earlier = _earlier(folder)
    if not earlier.is_dir():
        return
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if not folder.exists():
        earlier.rename(folder)


def _earlier(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.memqa-earlier")


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (" and more" if len(names) > _MOST_NAMES else "")


@contextmanager
def written(home: Path, folder: Path) -> Iterator[None]:
    """Be the only export of the library and the only one to the folder.

    Raises:
        StoreConflict: another one is under way.
        SetupError: the folder cannot be written.
    """
    with locked(home / "locks" / "export.lock") as alone:
        if not alone:
            raise StoreConflict("another export of this library is under way; wait for that one")
        try:
            with _held(folder):
                yield
        except OSError as exc:
            raise SetupError(
                f"{folder} cannot be written: {exc.strerror or exc}; free some room or name "
                "another folder"
            ) from exc


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep the exports of other libraries away from the folder."""
    beside = folder.with_name(f".{folder.name}.memqa-lock")
    with locked(beside) as alone:
        if not alone:
            raise StoreConflict(f"another export to {folder} is under way; wait for that one")
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps a file that is open; an empty one may stay.
                beside.unlink()
