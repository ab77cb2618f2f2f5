"""Files that lie elsewhere than when they were indexed: how they are found again.

A library whose folder was moved or copied finds the files that it keeps itself at once; others are
looked for when a person asks for a repair.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from memqa.addresses import is_address
from memqa.facts import FileFacts, sha256_of
from memqa.listening import Listener
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.store.schema import MediaRow
    from memqa.store.store import Store

_MOST_FILES = 20_000  # that are looked at in one folder


def settle_moved(store: Store) -> None:
    """Point media at the library's own uploads where they lie now."""
    for row in store.read.media_rows():
        there = _upload(store.home, row.media.path)
        if there is not None and not row.forgetting and not Path(row.media.path).exists():
            stat = there.stat()
            store.write.relocate(
                row.media.id, str(there), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns
            )


def is_absent(row: MediaRow) -> bool:
    """Say whether a media's file is at none of the paths it is known by; an address is no path."""
    places = (row.media.path, *row.aliases)
    return not any(is_address(place) or _is_file(Path(place)) for place in places)


class Search:
    """Looks for media's files where they may have gone; each folder is listed once for all."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._listed: dict[Path, list[FileFacts]] = {}

    def found(self, row: MediaRow) -> Path | None:
        """Look for a media's file below its old folder, or among the uploads.

        A file counts by its size and its bytes, whatever its name is now.
        """
        for folder in self._near(Path(row.media.path)):
            for facts in self._files_in(folder):
                with suppress(InputError):
                    fits = facts.size_bytes == row.size_bytes
                    if fits and sha256_of(facts, Listener()) == row.media.id:
                        return facts.path
        return None

    def _near(self, path: Path) -> list[Path]:
        above = next((folder for folder in path.parents if folder.is_dir()), None)
        folders = [self._home / "uploads"]
        if above is not None and above != Path(above.anchor):
            # One above as well: folders are renamed more often than they are left.
            wider = above.parent if above.parent != Path(above.anchor) else above
            folders += [above, wider]
        return folders

    def _files_in(self, folder: Path) -> list[FileFacts]:
        if folder not in self._listed:
            files = islice(filter(_is_file, folder.rglob("*")), _MOST_FILES)
            found = self._listed[folder] = []
            for file in files:
                with suppress(InputError):  # it went, or its name can be none
                    found.append(FileFacts.of(file))
        return self._listed[folder]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a folder that may not be entered, or a name that can be none
        return False


def _upload(home: Path, path: str) -> Path | None:
    """Find what a path below another folder's ``uploads`` may be here, if it is there."""
    if is_address(path):
        return None
    parts = PurePath(path.replace("\\", "/")).parts[-3:]
    if len(parts) < 3 or parts[0] != "uploads" or {"..", "."} & set(parts):
        return None
    there = home.joinpath(*parts)
    return there if str(there) != path and there.is_file() else None
