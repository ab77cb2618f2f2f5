"""The library: the thin door that the command line, the page and every script use.

What it opens to is one room each: ``taking``, ``renewing``, ``carrying``, ``working``, ``keeping``
and ``asking``, over what is ``opened``. What happens behind them lives elsewhere: ``ingest`` takes
files in, ``worker`` does so in the background, ``retrieve`` and ``answer`` find and tell, ``store``
keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memqa.asking import Asking
from memqa.carrying import Carrying
from memqa.keeping import Keeping
from memqa.renewing import Renewing
from memqa.shown import Bundle, Shown, bundle
from memqa.taking import Taking
from memqa.working import Working

if TYPE_CHECKING:
    from memqa.doctor import Check


@dataclass(frozen=True, slots=True)
class Stats(Shown):
    """What the library holds and takes on disk.

    ``spare_bytes`` of ``tables_bytes`` are older versions. Of the ``vectors`` those ``indexed`` are
    searched through an index, the others one by one; ``recall`` is the share of what is nearest
    that an index found when it was made, None where every search is exact.
    """

    home: str
    media: int
    videos: int
    documents: int
    duration_s: float
    pages: int
    memories: int
    tables_bytes: int
    uploads_bytes: int
    spare_bytes: int = 0
    vectors: int = 0
    indexed: int = 0
    recall: float | None = None


class Library(Taking, Renewing, Carrying, Working, Keeping, Asking):
    """The library under ``home``; several processes may have it open at once.

    Raises:
        SetupError: the settings are wrong, ``home`` cannot be written to, or the library was
            written by another schema.
    """

    def _repr_mimebundle_(self, **_: object) -> Bundle:
        return bundle(self)

    def stats(self) -> Stats:
        """Count what the library holds and measure what it takes on disk."""
        media, disk = self.media(), self.store.upkeep.disk()
        indexes = self.store.indexes.states()
        return Stats(
            home=self.where,
            media=len(media),
            videos=sum(one.kind != "document" for one in media),
            documents=sum(one.kind == "document" for one in media),
            duration_s=sum(one.duration_s or 0.0 for one in media),
            pages=sum(one.pages or 0 for one in media),
            memories=sum(one.memories for one in media),
            tables_bytes=disk.tables_bytes,
            uploads_bytes=disk.uploads_bytes,
            spare_bytes=disk.spare_bytes,
            vectors=sum(one.rows for one in indexes),
            indexed=sum(one.rows - one.waiting for one in indexes),
            recall=min((one.recall for one in indexes if one.recall is not None), default=None),
        )

    def doctor(self, *, whole: bool = False, repair: bool = False) -> list[Check]:
        """Look at what has to be in place, one check each; loads no model.

        With ``whole`` all that is kept is read, to see whether it is damaged. With ``repair`` it is
        mended besides where it can be; only that may load a model.
        """
        from memqa import doctor, model_choice
        from memqa import repair as repair_

        damage = repair_.checks(self, mending=repair) if whole or repair else []
        # A library that is not there yet is not made to be looked at.
        is_readable = doctor.can_be_read(self.home) and not repair_.is_unreadable(damage)
        media = self.media() if is_readable else ()
        names = model_choice.in_use(self.settings.models)
        return [*doctor.checks(self.home, names, media), *damage]
