"""The jobs in the background: seeing them, steering them, and the settings they go by."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from memqa import settings as settings_
from memqa.engines import CatalogEngines
from memqa.jobs import Job
from memqa.opened import Opened
from memqa.room import writing_to
from memqa.settings import Settings
from models.errors import DiskFull, ReadOnly

log = logging.getLogger(__name__)


class Working(Opened):
    """The door of a library to what works for it in the background."""

    def jobs(self) -> list[Job]:
        """Give the jobs, oldest first; a worker is started where some wait and none runs."""
        jobs = self._queue.all()
        going = [job for job in jobs if job.state in ("queued", "running")]
        try:
            with writing_to(self.home):
                if any(job.task != "live" for job in going):
                    self._start_worker()
                if any(job.task == "live" for job in going) and self._settled(going):
                    return self._queue.all()
        except (DiskFull, ReadOnly) as exc:
            log.warning("the jobs stay as they are for now: %s", exc)
        return jobs

    def live_picture(self, job_id: str) -> bytes | None:
        """Give the newest picture, a JPEG, of a live source that a job watches, if there is one."""
        from memqa import watching

        return watching.picture(self.home, self._queue.get(job_id).id)

    def pause(self, job_id: str) -> None:
        """Put a job aside; ``resume`` goes on with it."""
        self._queue.pause(job_id)

    def cancel(self, job_id: str) -> None:
        """Stop a job; what it remembered so far stays and can be asked."""
        job = self._queue.get(job_id)
        if job.task == "live":
            from memqa import watching

            watching.stop(self.home, job)
        else:
            self._queue.cancel(job_id)

    def resume(self, job_id: str) -> None:
        """Go on with a paused job, or try a failed or cancelled one again."""
        self._queue.resume(job_id)
        self._start_worker()

    def settle(self) -> None:
        """Note of media whose process was killed that nobody works on them any more."""
        self._settle(self.store)

    def take_settings(self) -> Settings:
        """Take the settings as they are now in their file and the environment, and give them.

        What runs goes on with those it began with. The worker goes once it is done, and the next
        one has the new settings.

        Raises:
            SetupError: the settings are wrong; then nothing changes.
        """
        from memqa.worker import relieve_worker

        found = settings_.load(home=self.home)
        self.settings = found
        self.engines = CatalogEngines(
            found.models, found.language.options(), found.caption.options()
        )
        relieve_worker(self.home)
        return found

    # Within

    def _settled(self, jobs: Sequence[Job]) -> bool:
        """Note which live sources nobody watches any more; say whether there were any."""
        from memqa import watching

        if not watching.settle(self.settings, jobs):
            return False
        self._settle(self.store)
        return True
