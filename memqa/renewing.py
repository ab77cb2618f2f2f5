"""Making what is in a library better: by the models that are in use now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memqa.jobs import Job
from memqa.opened import Opened
from models.errors import InputError
from models.values import OnProgress, ShouldStop

if TYPE_CHECKING:
    from memqa.enrich import Enriched
    from memqa.reindex import Reindexed


class Renewing(Opened):
    """The door of a library through which its media are told more of, or made anew."""

    def enrich(
        self,
        media: str,
        *,
        most_captions: int | None = None,
        budget_s: float | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Enriched:
        """Let the models in use describe a video's events and shorten a media's summaries.

        A model that sees writes captions, at most ``most_captions`` and for about ``budget_s``
        seconds, spread over the whole video; one that passed its test writes summaries, of which
        what their sources support is kept. The media can be asked meanwhile. A run that was stopped
        goes on where it was, and a second one asks the models nothing.

        Raises:
            InputError: no such media, it is not indexed to its end, or a bound below 0.
            SetupError: the models in use can do neither, or are missing.
            ChatModelUnavailable: the model failed; what it wrote so far stays.
            StoreConflict: another process works on the media.
            IngestCancelled: ``should_stop`` wished it; what was written so far stays.
        """
        from memqa import enrich
        from memqa.captions import Budget

        return enrich.enrich(
            self,
            self.show(media),
            budget=Budget(most_captions, budget_s),
            on_progress=on_progress,
            should_stop=should_stop,
        )

    def reindex(
        self,
        media: Sequence[str] | str | None = None,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Reindexed]:
        """Make anew what other models made than those in use, and say of each media what came.

        ``media`` are ids, paths, file names or names of collections; without any, all that are
        stale. Texts are encoded as they are stored, and of a video's file only the pictures are
        decoded; a media whose speech or text another model is to recognise is taken in again as a
        whole. Otherwise media can be asked meanwhile. A run that was stopped goes on where it was,
        and a second one does nothing.

        Raises:
            InputError: a media that is not in the library.
            SetupError: a model in use is missing, and nothing else tells whether it made the media.
        """
        from memqa import reindex

        chosen = reindex.chosen(self, media)
        return reindex.reindex(self, chosen, on_progress=on_progress, should_stop=should_stop)

    def reindex_later(self, media: str) -> Job:
        """Bring one media up to date as a job in the background; see ``reindex``.

        Raises:
            InputError: no such media, or it is not indexed to its end.
        """
        from memqa.stale import FINISHED

        found = self.show(media)
        if found.status not in FINISHED:
            raise InputError(f"{found.name} is not indexed to its end; go on with it first")
        job = self._queue.submit(found.path, task="reindex", media=found)
        self._start_worker()
        return job
