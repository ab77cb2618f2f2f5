"""Keeps the door of a library that this process has open, where the settings say that it is.

How the door is found, and who can reach it, is told in ``door.py``; what is answered at it, in
``visits.py``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.door import lock_of, place_of, sweep
from memqa.store.lock import locked
from memqa.visits import Keeper, is_as_set
from models.errors import SetupError
from models.specs import parse, path_of

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.settings import Settings

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25


@contextmanager
def open_door(library: Library) -> Iterator[bool]:
    """Answer other processes of this person inside the block; gives False where there is no door.

    There is none where the system has no Unix sockets, where another process keeps the door of
    this library already, and for a library with other settings than those of the environment and
    the file. Where these change, the door goes, and comes back once the library has taken them.
    """
    door = _Door(library)
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            door.follow()

    door.follow()
    follower = threading.Thread(target=follow, name="door-follows", daemon=True)
    follower.start()
    try:
        yield door.is_open
    finally:
        ended.set()
        follower.join()
        door.close()


class _Door:
    """The door of one library, of which one thread at a time takes care."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._settings: Settings | None = None
        self._place: Path | None = None
        self._way_back = ExitStack()
        self.is_open = False

    def follow(self) -> None:
        """Open the door where the library and the settings are as one, and only there."""
        place, own = place_of(self._library.home, make=True), self._library.settings
        if (place, own) == (self._place, self._settings):
            return
        self.close()
        self._place, self._settings = place, own
        if place is None or not is_as_set(self._library) or not _holds_everywhere(own):
            return
        try:
            self.is_open = self._way_back.enter_context(_kept(self._library, place))
        except OSError as exc:
            log.warning("other processes cannot be answered: no door at %s: %s", place, exc)

    def close(self) -> None:
        """Take the door away, if there is one."""
        self._way_back.close()
        self.is_open = False


@contextmanager
def _kept(library: Library, place: Path) -> Iterator[bool]:
    """Keep the door at that place inside the block; gives False where another process does."""
    for left in place.parent.glob("*.sock"):
        sweep(left)
    with locked(lock_of(place)) as is_ours:
        if not is_ours:
            log.info("another process keeps the door of %s", library.home)
            yield False
            return
        try:
            with _answered(library, place):
                yield True
        finally:
            with suppress(OSError):  # its folder may be gone, or shut
                place.unlink(missing_ok=True)
                lock_of(place).unlink(missing_ok=True)


@contextmanager
def _answered(library: Library, place: Path) -> Iterator[None]:
    keeper = Keeper(library, place)
    threading.Thread(target=keeper.serve_forever, args=(0.1,), name="door", daemon=True).start()
    try:
        yield
    finally:
        keeper.shutdown()
        keeper.server_close()


def _holds_everywhere(own: Settings) -> bool:
    """Say whether the models named are the same ones from whatever folder a call is made."""
    paths = [own.language.projector, own.caption.projector]
    try:
        for port, name in own.models.model_dump().items():
            paths.append(path_of(parse(port, name)) if name else None)
    except SetupError:  # whoever asks is told what is wrong
        return False
    return all(path is None or path.is_absolute() for path in paths)
