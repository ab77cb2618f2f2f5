"""What there is to know of a media while it is taken in: its row, its file and whom to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memqa.listening import Listener
from memqa.store.schema import MediaRow

if TYPE_CHECKING:
    from memqa.facts import FileFacts
    from memqa.kinds import Found
    from vidmem.live import Live


@dataclass(frozen=True, slots=True)
class Task:
    """One media being taken in: how far its last commit came, the opened file, whom to tell.

    ``earlier`` is what lay at the same path before the file was edited, to be replaced at the end.
    """

    row: MediaRow
    found: Found
    states: Mapping[str, bytes]
    listener: Listener
    earlier: MediaRow | None = None
    live: Live | None = None
    facts: FileFacts | None = None

    def check_file(self) -> None:
        """See that what was read till now are the bytes that the media is known by.

        Raises:
            MediaChanged: the file was changed meanwhile.
            MediaGone: it was removed.
        """
        if self.facts is not None:
            self.facts.check()
