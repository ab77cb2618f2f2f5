"""Many machines: files handed to the workers of a cluster, and their rows taken in here.

Workers index (``cluster_actor``), this process alone writes to the library (``delivered``). So a
worker that dies loses nothing and doubles nothing: its file is done again from its beginning.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from memqa.addresses import is_address, shown
from memqa.carried import version
from memqa.cluster_actor import Indexer, Made
from memqa.cluster_ray import Cluster, Workers, workers_of
from memqa.engines import CatalogEngines
from memqa.facts import FileFacts
from memqa.listening import Listener
from memqa.named import Named
from memqa.store.schema import MediaRow
from memqa.values import Outcome
from models.errors import IngestCancelled, MemqaError, SetupError, UnsupportedMedia

if TYPE_CHECKING:
    from memqa.delivered import Delivery
    from memqa.opened import Opened

log = logging.getLogger(__name__)

__all__ = ["Cluster", "index_on"]

_LOOK_S = 0.5
_LOOK_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class _File:
    """A file, or an address, that is to be taken in; what is no media ``in_folder`` is skipped.

    ``facts`` are None for an address that nothing is known of yet.
    """

    place: str
    facts: FileFacts | None = None
    in_folder: bool = False

    @property
    def name(self) -> str:
        """How a person is told of it: without the password of an address."""
        return shown(self.place) if is_address(self.place) else self.place

    @property
    def sent(self) -> str:
        """What a worker, which has another working folder, is told of it."""
        if self.facts is None or self.facts.address:
            return self.place
        return str(self.facts.path)

    def is_like(self, other: _File) -> bool:
        """Say whether both may have the same bytes, by what can be told without reading them."""
        mine, others = self.facts, other.facts
        if mine is None or others is None or mine.size_bytes != others.size_bytes:
            return False
        return not (mine.address or others.address) and _look(mine) == _look(others)


def index_on(
    cluster: Cluster,
    library: Opened,
    files: Iterable[Named],
    *,
    method: str,
    listener: Listener,
) -> Iterator[Outcome]:
    """Index files on a cluster, and say of each what became of it, in the order they are done.

    Raises:
        MissingExtra: Ray is not installed.
        SetupError: there is no such cluster, or none of its workers can start; or the library has
            engines of its own, which other machines cannot have.
    """
    from memqa.delivered import Delivery

    if cluster.worker is Indexer and not isinstance(library.engines, CatalogEngines):
        raise SetupError("a cluster's workers take the models that the settings name")
    run = _Run(Delivery(library.store, library.engines, library.settings), method, listener)
    yield from run.looked_at(files)
    if run.waiting:
        # Keys stay here: the workers ask no language model.
        settings = library.settings.model_dump_json(exclude={"language", "caption"})
        with workers_of(cluster, (settings, version()), most=len(run.waiting)) as workers:
            yield from run.outcomes(workers)
        library.store.upkeep.compact()


class _Run:
    """One run over files: which wait, which are with a worker, and what has come back."""

    def __init__(self, delivery: Delivery, method: str, listener: Listener) -> None:
        self._delivery = delivery
        self._method = method
        self._listener = listener
        self._ids: dict[int, list[str]] = defaultdict(list)  # of finished media, by size
        self._finished: dict[str, MediaRow] = {}
        for row in delivery.finished():
            self._ids[row.size_bytes].append(row.media.id)
            self._finished[row.media.path] = row
        self.waiting: deque[_File] = deque()
        self._made: deque[tuple[_File, Made]] = deque()
        self._total = self._done = 0

    def looked_at(self, files: Iterable[Named]) -> Iterator[Outcome]:
        """Say of what needs no worker what became of it; the others wait."""
        for named in files:
            file = _File(str(named.place), in_folder=not named.is_given)
            if self._listener.stops():
                self.waiting.clear()
                yield _cancelled(file)
                return
            if (outcome := named.refusal() or self._looked_at(file)) is not None:
                yield replace(outcome, path=file.name)
        self._total = len(self.waiting)

    def _looked_at(self, file: _File) -> Outcome | None:
        try:
            facts = self._facts(file.place)
        except MemqaError as exc:
            return Outcome("", "failed", error=exc)
        row = self._finished.get(facts.place) if facts else None
        if facts is None or row is None or not facts.fits(row):
            self.waiting.append(replace(file, facts=facts))
            return None
        return self._delivery.unchanged(row.media, facts, self._method)

    def _facts(self, place: str) -> FileFacts | None:
        """Look at a file; at an address only where it is known, since that takes a while."""
        if not is_address(place):
            return FileFacts.of(Path(place))
        return FileFacts.of_address(place) if shown(place) in self._finished else None

    def outcomes(self, workers: Workers[_File]) -> Iterator[Outcome]:
        """Keep every worker busy, and take in what they made as it comes."""
        self._tell()
        self._hand_out(workers)
        while self.waiting or workers.files or self._made:
            if self._listener.stops():
                yield from self._stopped(workers)
                return
            self._collect(workers)
            # New work first: no worker waits until what it made before is written.
            self._hand_out(workers)
            if self._made:
                outcome = self._outcome(*self._made.popleft())
                self._done += 1
                self._tell()
                yield outcome

    def _stopped(self, workers: Workers[_File]) -> Iterator[Outcome]:
        """Name the files under way, or the one whose turn it was; the next run does them."""
        under_way = [*workers.files, *(file for file, _ in self._made)]
        yield from map(_cancelled, under_way or list(self.waiting)[:1])

    def _tell(self) -> None:
        self._listener.progress("Indexing on the cluster", self._done, self._total, "files")

    def _hand_out(self, workers: Workers[_File]) -> None:
        """Give files to idle workers, as long as what was made is written as fast."""
        while workers.idle and len(self._made) < workers.count:
            under_way = [*workers.files, *(file for file, _ in self._made)]
            if (file := self._next(under_way)) is None:
                return
            workers.give(file, file.sent, self._method, self._known(file))

    def _next(self, under_way: list[_File]) -> _File | None:
        """Give the next file; one that looks like a file under way waits for that one."""
        for _ in range(len(self.waiting)):
            file = self.waiting.popleft()
            if not any(file.is_like(one) for one in under_way):
                return file
            self.waiting.append(file)
        return None

    def _known(self, file: _File) -> list[str]:
        """Name the finished media that may be this file by their size, if it was noted."""
        if file.facts is None or file.facts.address:
            return []  # its bytes are not there to be compared before they are fetched
        return [*self._ids[file.facts.size_bytes], *self._ids[0]]

    def _collect(self, workers: Workers[_File]) -> None:
        """Fetch what is ready; where nothing waits to be written, wait for it."""
        if self._made and not workers.files:
            return
        for file, made in workers.ready(0 if self._made else _LOOK_S):
            if made is None:
                self.waiting.appendleft(file)
            else:
                self._made.append((file, made))

    def _outcome(self, file: _File, made: Made) -> Outcome:
        try:
            outcome = self._taken_in(file, made)
        except UnsupportedMedia as exc:
            outcome = Outcome("", "skipped" if file.in_folder else "failed", error=exc)
        except MemqaError as exc:
            outcome = Outcome("", "failed", error=exc)
        except Exception as exc:  # one file must never stop the others
            log.exception("unexpected while taking in %s", file.name)
            outcome = Outcome("", "failed", error=exc)
        if outcome.media is not None and file.facts is not None:
            self._ids[file.facts.size_bytes].append(outcome.media.id)
        return replace(outcome, path=file.name, elapsed_s=made.elapsed_s)

    def _taken_in(self, file: _File, made: Made) -> Outcome:
        if made.error is not None:
            raise made.error
        if made.parcel is not None:
            row = made.parcel.row
            facts = file.facts or FileFacts(
                Path(row.media.path), row.size_bytes, row.mtime_ns, address=row.media.path
            )
            return self._delivery.deliver(made.parcel, facts, self._method)
        assert file.facts is not None, "only what was looked at is compared"
        return self._delivery.same(made.same_as, file.facts, self._method)


@lru_cache(maxsize=4096)
def _look(facts: FileFacts) -> str:
    """Tell files of one size apart, without reading the whole of them."""
    digest = hashlib.sha256()
    with suppress(OSError), facts.path.open("rb") as file:  # its worker will say why
        digest.update(file.read(_LOOK_BYTES))
        file.seek(max(facts.size_bytes - _LOOK_BYTES, 0))
        digest.update(file.read(_LOOK_BYTES))
    return digest.hexdigest()


def _cancelled(file: _File) -> Outcome:
    return Outcome(
        file.name, "cancelled", error=IngestCancelled("stopped; the next run takes it in")
    )
