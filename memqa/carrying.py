"""Carrying media from one library to another, as a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.listening import Listener
from memqa.opened import Opened
from models.values import OnProgress, ShouldStop

if TYPE_CHECKING:
    from memqa.carried import Carried


class Carrying(Opened):
    """The door of a library through which media leave and arrive as a folder."""

    def export(
        self,
        folder: str | Path,
        media: Sequence[str] | str | None = None,
        *,
        with_files: bool = False,
        with_chats: bool = False,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> list[Carried]:
        """Write the library, or some media of it, as one folder that another machine opens.

        The folder is a library of its own, and `import_from` puts it into another one.
        ``with_files`` also copies the files, so that they can be played and shown there,
        ``with_chats`` the chats about nothing but these media.

        Raises:
            InputError: a media that is not in the library, or a folder that holds something else.
            SetupError: the folder cannot be written, or there is no room.
            IngestCancelled: ``should_stop`` wished it; nothing is left of the folder.
        """
        from memqa import export

        wanted = export.Wanted(self.scope(media).media_ids, with_files, with_chats)
        return export.export(self, Path(folder), wanted, Listener(on_progress, should_stop))

    def import_from(
        self,
        folder: str | Path,
        *,
        on_outcome: Callable[[Carried], None] | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> list[Carried]:
        """Take in the media of a folder that ``export`` wrote, and say of each what came of it.

        ``on_outcome`` is told so as each is done. What is known already stays as it is, even half
        indexed. Nothing outside the folder is read but files of the
        same bytes, and nothing outside the library is written.

        Raises:
            InputError: the folder is no export, or it is damaged.
            StoreMismatch: it was written with another schema.
            IngestCancelled: ``should_stop`` wished it; the media taken in so far stay.
        """
        from memqa import bring

        outcomes = []
        for outcome in bring.bring(self, Path(folder), Listener(on_progress, should_stop)):
            outcomes.append(outcome)
            if on_outcome is not None:
                on_outcome(outcome)
        return outcomes
