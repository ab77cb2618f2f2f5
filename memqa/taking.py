"""Taking files in: here and now, by workers, as jobs in the background, or while they happen."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload
from uuid import uuid4

from memqa.addresses import is_address, is_whole, named
from memqa.engines import CatalogEngines
from memqa.jobs import Job
from memqa.listening import Listener
from memqa.opened import Opened
from memqa.room import writing_to
from memqa.shown.bar import watched
from memqa.values import Media, Outcome
from models.errors import InputError, SetupError
from models.values import OnProgress, ShouldStop

if TYPE_CHECKING:
    from memqa.cluster_ray import Cluster
    from memqa.named import Named


class Taking(Opened):
    """The door of a library through which files come in."""

    def index(
        self,
        paths: Iterable[str | Path],
        *,
        recursive: bool = False,
        method: str = "auto",
        workers: int | None = None,
        cluster: Cluster | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Outcome]:
        """Take files in, and say of each what became of it.

        An address (http, https, s3) is fetched for as long as that takes; one of s3 that ends in
        ``/`` stands for the files below it. A folder stands for the files in it, with
        ``recursive`` also for those in its folders; what
        is no media in a folder is skipped. A file that fails does not stop the others.

        They are taken in one after another in this process, or by so many ``workers``, processes
        of their own: then a file that crashes, hangs or takes more than the settings allow ends
        alone, outcomes come as the files end, and progress says of which file it is. What is
        remembered is the same. With a ``cluster`` the workers of a Ray do so, on any machines.

        Raises:
            SetupError: this library has engines of its own, which other processes cannot have.
        """
        from memqa.named import named_by

        files, listener = named_by(paths, recursive=recursive), Listener(on_progress, should_stop)
        if cluster is not None:
            from memqa.cluster import index_on

            yield from index_on(cluster, self, files, method=method, listener=listener)
            return
        if workers is not None:
            from memqa.batch import Batch

            if not isinstance(self.engines, CatalogEngines):
                raise SetupError("workers take the models that the settings name; leave them out")
            batch = Batch(self.settings, workers=workers, listener=listener)
            yield from batch.run(list(files), method=method, opened=lambda: self.store)
            return
        for file in files:
            outcome = file.refusal() or file.said(self._outcome(file, method, listener))
            yield outcome
            if outcome.status == "cancelled":
                return

    @overload
    def add(
        self,
        path: str | Path,
        *,
        method: str = "auto",
        on_progress: OnProgress | None = None,
        wait: Literal[True] = True,
    ) -> Media: ...

    @overload
    def add(
        self,
        path: str | Path,
        *,
        method: str = "auto",
        on_progress: OnProgress | None = None,
        wait: Literal[False],
    ) -> Job: ...

    def add(
        self,
        path: str | Path,
        *,
        method: str = "auto",
        on_progress: OnProgress | None = None,
        wait: bool = True,
    ) -> Media | Job:
        """Take one file in, here and now, or with ``wait=False`` as a job in the background.

        Of an address (http, https, s3) no copy is kept.

        Raises:
            InputError: the file is at fault; nothing of it was kept. Or an address that holds a
                password or key is to be a job, which others can read.
            BackendError: an address cannot be reached.
        """
        if isinstance(path, str) and is_address(path):
            return self._add_address(path, method, on_progress, wait=wait)
        file = Path(path).expanduser().resolve()
        if wait:
            return self._taken(file, file.name, method, on_progress)
        if not file.is_file():
            raise InputError(f"there is no file {file}; check its name")
        job = self._queue.submit(str(file), method=method)
        self._start_worker()
        return job

    @overload
    def live(
        self,
        address: str,
        *,
        method: str = "auto",
        for_s: float | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        wait: Literal[True] = True,
    ) -> Media: ...

    @overload
    def live(self, address: str, *, method: str = "auto", wait: Literal[False]) -> Job: ...

    def live(
        self,
        address: str,
        *,
        method: str = "auto",
        for_s: float | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        wait: bool = True,
    ) -> Media | Job:
        """Watch a live source here and now, until it ends, ``for_s`` is over or it should stop.

        With ``wait=False`` a process of its own watches it until ``cancel``, and goes on when this
        one ends.

        ``address`` is ``webcam`` (or ``webcam:1``), ``screen``, an http, https, rtsp, rtsps or rtmp
        address, or a file that is still being written. Meanwhile its memory can be asked from
        anywhere; "now" is what was seen last. Frames that come too fast are dropped and counted.

        Raises:
            InputError: the address is at fault; nothing of it was kept.
            SetupError: this machine gives no access to its camera or screen.
        """
        from memqa import watching

        if not wait:
            return watching.start(self.settings, address, method=method)
        from memqa.ingest import Ingest
        from vidmem.source import understand

        watching.refuse_kept(self.home, understand(address))

        taken = Ingest(self.store, self.engines, self.settings).take_live(
            address, method=method, for_s=for_s, listener=Listener(on_progress, should_stop)
        )
        assert taken.media is not None, "a source that was watched is a media"
        return taken.media

    def keep_upload(self, path: str | Path, name: str = "") -> Path:
        """Move an uploaded file into the library's own folder, and give its new place.

        Raises:
            InputError: the file is larger than the settings allow.
            DiskFull, ReadOnly: there is no room for it; nothing of it stays.
        """
        from memqa.copying import PART

        source, limit = Path(path), self.settings.limits.max_upload_bytes
        size = source.stat().st_size
        if size > limit:
            raise InputError(
                f"{name or source.name} is {size / 1e9:.1f} GB, uploads may have up to "
                f"{limit / 1e9:.1f} GB; add it by its path on this machine instead"
            )
        folder = self.home / "uploads" / uuid4().hex[:12]
        target = folder / (Path(name).name or source.name)
        try:
            with writing_to(self.home):
                folder.mkdir(parents=True)
                # Under its name it is whole; what a kill leaves of it is swept away later.
                shutil.move(source, folder / PART)
                (folder / PART).replace(target)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return target

    # Within

    def _taken(
        self, file: Path | str, name: str, method: str, on_progress: OnProgress | None
    ) -> Media:
        with watched(name, on_progress) as heard:
            media = self._ingest(file, method, Listener(heard)).media
        assert media is not None, "a file that was taken in is a media"
        return media

    def _add_address(
        self, address: str, method: str, on_progress: OnProgress | None, *, wait: bool
    ) -> Media | Job:
        name = named(address)
        if wait:
            return self._taken(address, name, method, on_progress)
        if not is_whole(name) or "@" in address.split("/")[2]:
            raise InputError(
                "an address with a password or key in it is not written down for a job in the "
                "background; in a terminal: memqa index ADDRESS"
            )
        job = self._queue.submit(name, method=method)
        self._start_worker()
        return job

    def _ingest(self, file: Path | str, method: str, listener: Listener) -> Outcome:
        from memqa.ingest import Ingest

        return Ingest(self.store, self.engines, self.settings).take(
            file, method=method, listener=listener
        )

    def _outcome(self, file: Named, method: str, listener: Listener) -> Outcome:
        from memqa.settled import outcome_of

        return outcome_of(file.told, lambda: self._ingest(file.place, method, listener))
