"""Working on a media alone: one at a time, over all processes and machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from memqa.room import writing_to
from memqa.store.lock import locked
from models.errors import StoreConflict


@contextmanager
def leased(home: Path, media_id: str, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Be the only one, over all processes and machines, who works on a media.

    Raises:
        StoreConflict: another one does.
        DiskFull, ReadOnly: the library's folder cannot be written to.
    """
    from memqa.store.ground import ground_of

    name = f"media-{media_id[:16]}"
    path = home / "locks" / f"{name}.lock"
    with ExitStack() as stack:
        with writing_to(home):
            held = stack.enter_context(locked(path, timeout_s=timeout_s))
        if not held:
            raise StoreConflict("this file is being indexed by another process; wait for that one")
        try:
            with ground_of(home).leased(name, timeout_s=timeout_s):
                yield
        finally:
            with suppress(OSError):  # Windows keeps a file that is open; an empty one may stay.
                path.unlink()
