"""The workers of a Ray cluster: started, given files, and heard of again, alive or dead.

The only file that knows Ray, which is imported on use. A Ray that runs for us alone is kept to
loopback and ends with us.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TextIO, TypeVar

import psutil  # type: ignore[import-untyped]

from memqa.cluster_actor import Indexer, Made
from models.errors import BackendError, InputError, MissingExtra, SetupError

log = logging.getLogger(__name__)

_File = TypeVar("_File", bound=Hashable)
_TRIES = 3
_PATIENCE_S = 10.0
_QUIET = {"log_to_driver": False, "logging_level": logging.CRITICAL}
_RETRIES = 1  # a file whose second worker dies as well is at fault
# Nothing but loopback, no report to Ray's makers, and only who has the person's key may ask.
_ALONE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which Ray to work on, and with what; without an ``address``, one on this machine.

    ``workers`` is how many files are indexed at once, by default one for each CPU,
    ``gpus_per_worker`` what each of them gets of a GPU, ``worker`` what it is.
    """

    address: str = ""
    workers: int | None = None
    gpus_per_worker: float = 0.0
    worker: type[Indexer] = Indexer

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"{self.workers} workers index nothing; give 1 or more")
        if not 0 <= self.gpus_per_worker < 1024:
            raise InputError(f"a worker cannot have {self.gpus_per_worker} GPUs; give 0 or more")


class Workers(Generic[_File]):
    """Actors that each index one file at a time; one that is lost is started anew, anywhere.

    Files go only to those that have said that they live: one for which the cluster has no room
    yet keeps no file waiting.
    """

    def __init__(self, ray: Any, start: Callable[[], Any], count: int) -> None:
        self._ray = ray
        self._start = start
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._working: dict[Any, tuple[Any, _File]] = {}
        self._lost_with: Counter[_File] = Counter()
        self._never_started = 0
        self._why = ""
        self.count = count
        for _ in range(count):
            self._begin()

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return len(self._idle)

    @property
    def files(self) -> list[_File]:
        """The files that are with a worker."""
        return [file for _, file in self._working.values()]

    def give(self, file: _File, *arguments: Any) -> None:
        """Let an idle one index a file."""
        worker = self._idle.pop()
        self._working[worker.index.remote(*arguments)] = worker, file

    def ready(self, timeout_s: float) -> Iterator[tuple[_File, Made | None]]:
        """Yield what came back, None for a file whose worker was lost for the first time.

        Raises:
            SetupError: no worker can start.
        """
        tasks = [*self._starting, *self._working]
        if not tasks and not self._idle:
            raise SetupError(f"no worker of the cluster can start: {self._why}")
        if not tasks:
            return
        self._ray.wait(tasks, num_returns=1, timeout=timeout_s)
        done, _ = self._ray.wait(tasks, num_returns=len(tasks), timeout=0)
        for task in done:
            if task in self._starting:
                self._started(task)
            else:
                yield self._came_back(task)

    def end(self) -> None:
        """End all, at once; what they had in hand is lost."""
        working = [worker for worker, _ in self._working.values()]
        for worker in [*self._starting.values(), *self._idle, *working]:
            self._ray.kill(worker)

    def _begin(self) -> None:
        worker = self._start()
        self._starting[worker.here.remote()] = worker

    def _started(self, task: Any) -> None:
        worker = self._starting.pop(task)
        try:
            self._ray.get(task)
        except self._ray.exceptions.RayError as exc:
            self._why = _short(exc)
            self._never_started += 1
            if self._never_started < _TRIES * self.count:
                self._begin()
        else:
            self._never_started = 0
            self._idle.append(worker)

    def _came_back(self, task: Any) -> tuple[_File, Made | None]:
        worker, file = self._working.pop(task)
        try:
            made: Made | None = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as exc:  # it lives, and says what went wrong
            made = Made(0.0, error=BackendError(_short(exc)))
        except self._ray.exceptions.RayError as exc:
            self._ray.kill(worker)  # it may only have been out of reach
            self._begin()
            self._lost_with[file] += 1
            return file, Made(0.0, error=_lost(exc)) if self._lost_with[file] > _RETRIES else None
        self._idle.append(worker)
        return file, made


@contextmanager
def workers_of(cluster: Cluster, arguments: Sequence[str], *, most: int) -> Iterator[Workers[Any]]:
    """Start at most so many workers, each with these arguments; they end with the block.

    Raises:
        MissingExtra: Ray is not installed.
        SetupError: the cluster cannot be reached, or has nothing that a worker needs.
    """
    with _connected(cluster) as ray:
        room = _room(ray.cluster_resources(), cluster)
        remote = ray.remote(num_cpus=1, num_gpus=cluster.gpus_per_worker)(cluster.worker)
        count = min(cluster.workers or room, most)
        workers: Workers[Any] = Workers(ray, lambda: remote.remote(*arguments), count)
        try:
            yield workers
        finally:
            workers.end()


def _room(resources: Mapping[str, float], cluster: Cluster) -> int:
    room = int(resources.get("CPU", 0))
    if cluster.gpus_per_worker:
        room = min(room, int(resources.get("GPU", 0) / cluster.gpus_per_worker))
    if room < 1:
        raise SetupError(
            f"the cluster has {resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} "
            f"GPUs, a worker needs 1 and {cluster.gpus_per_worker:g}; see `ray status`"
        )
    return room


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    """Be connected to the cluster, or to a Ray on this machine that runs as long as we do."""
    with ExitStack() as stack:
        if not cluster.address:
            stack.enter_context(_environment(_ALONE))
        ray = _imported()
        stack.enter_context(_heard_aside())
        if not ray.is_initialized():  # else by the person's own program, which also ends it
            _connect(ray, cluster)
            stack.callback(ray.shutdown)
        yield ray


def _connect(ray: Any, cluster: Cluster) -> None:
    if not cluster.address:
        _start_here(ray, cluster.workers)
        return
    host, _, port = cluster.address.removeprefix("ray://").rpartition(":")
    try:
        if host and port.isdecimal():  # Ray itself would try for minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_S).close()
        ray.init(cluster.address, **_QUIET)
    except Exception as exc:  # Ray raises anything here, plain Exceptions too
        raise SetupError(
            f"there is no Ray cluster at {cluster.address!r} ({_short(exc)}); see `ray status` on "
            "one of its machines"
        ) from exc


def _start_here(ray: Any, workers: int | None) -> None:
    """Start a Ray; it gives its own processes 30 s, which a busy machine may exceed once."""
    for left in reversed(range(_TRIES)):
        before = psutil.Process().children()
        try:
            with warnings.catch_warnings(), socket.socket() as taken:
                # LanceDB warns of every fork; those of Ray only start other programs.
                warnings.filterwarnings("ignore", "lancedb fork", RuntimeWarning)
                # Without its dashboard Ray still starts the part of it that asks the network which
                # cloud this is; it goes without where the port is taken.
                taken.bind(("127.0.0.1", 0))
                port = taken.getsockname()[1]
                ray.init(
                    "local",
                    num_cpus=workers,
                    include_dashboard=False,
                    dashboard_host="127.0.0.1",
                    dashboard_port=port,
                    **_QUIET,
                )
            return
        except Exception as exc:
            ray.shutdown()
            _kill_left(before)
            if not left:
                raise SetupError(f"Ray does not start on this machine: {_short(exc)}") from exc
            log.info("Ray did not start, trying again: %s", _short(exc))


def _kill_left(before: Sequence[psutil.Process]) -> None:
    """End what of Ray was started since, and of nobody else."""
    for process in psutil.Process().children():
        with suppress(psutil.Error):  # it is just ending by itself
            is_rays = any("/ray/" in Path(one).as_posix() for one in process.cmdline())
            if is_rays and process not in before:
                process.kill()


def _imported() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as exc:
        raise MissingExtra(
            "working on many machines needs Ray; install it: pip install 'memqa[ray]'"
        ) from exc
    return ray


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set what Ray and its processes read from the environment, partly as it is imported."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


class _Aside:
    """A stdout on which only results appear: what Ray's own threads say goes to the log."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def write(self, text: str) -> int:
        if not threading.current_thread().name.startswith("ray"):
            return self._stdout.write(text)
        if text.strip():
            log.info("%s", text.strip())
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout, name)


@contextmanager
def _heard_aside() -> Iterator[None]:
    """Keep what Ray tells of dead workers, unasked, out of the results on stdout."""
    before = sys.stdout
    sys.stdout = _Aside(before)
    try:
        yield
    finally:
        sys.stdout = before


def _lost(error: Exception) -> BackendError:
    return BackendError(
        f"the worker that took it in died, and so did the next one ({type(error).__name__}); the "
        "file may be what ends them, or take longer than batch.file_s and batch.silence_s allow, "
        "or their machine has too little memory: see the logs of Ray"
    )


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
