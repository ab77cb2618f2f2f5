"""Which media of a library on object storage this machine took in.

At the same path of another machine lies another file, so that one is not an older state of the
other.
"""

from __future__ import annotations

from pathlib import Path

from memqa.room import writing_to


class Own:
    """Notes media by empty files in the folder that stands for the library here.

    In a library of this machine alone every media is its own, and nothing is noted.
    """

    def __init__(self, home: Path, *, is_shared: bool) -> None:
        self._folder = home / "taken"
        self._is_shared = is_shared

    def add(self, media_id: str) -> None:
        """Note that this machine took a media in."""
        if self._is_shared:
            with writing_to(self._folder.parent):
                self._folder.mkdir(exist_ok=True)
                (self._folder / media_id).touch()

    def has(self, media_id: str) -> bool:
        """Say whether this machine took a media in."""
        return not self._is_shared or (self._folder / media_id).exists()

    def drop(self, media_id: str) -> None:
        """Forget that it did."""
        (self._folder / media_id).unlink(missing_ok=True)
