"""A library whose folder was moved or copied finds the files that it keeps itself again."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from memqa.addresses import is_address

if TYPE_CHECKING:
    from memqa.store.store import Store


def settle_moved(store: Store) -> None:
    """Point media at the library's own uploads where they lie now."""
    for row in store.read.media_rows():
        there = _upload(store.home, row.media.path)
        if there is not None and not row.forgetting and not Path(row.media.path).exists():
            stat = there.stat()
            store.write.relocate(
                row.media.id, str(there), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns
            )


def _upload(home: Path, path: str) -> Path | None:
    """Find what a path below another folder's ``uploads`` may be here, if it is there."""
    if is_address(path):
        return None
    parts = PurePath(path.replace("\\", "/")).parts[-3:]
    if len(parts) < 3 or parts[0] != "uploads" or {"..", "."} & set(parts):
        return None
    there = home.joinpath(*parts)
    return there if str(there) != path and there.is_file() else None
