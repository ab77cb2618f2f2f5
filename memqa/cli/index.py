"""The command ``index``: files go in, one line of what became of each comes out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from memqa.cli import exits, words
from memqa.cli.many import display_many
from memqa.cli.options import AsJson, Home, open_library
from memqa.cli.progress import display, stopped_by_ctrl_c
from memqa.values import Outcome, OutcomeStatus
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.cluster_ray import Cluster
    from memqa.library import Library

# Spelled out, since the methods themselves are slow to import; a test compares.
_METHODS = "auto, moviechat, xmem, infinite, malmm, emllm, uniform, fifo, random, all"
METHODS_HELP = (
    f"How a video is remembered: {_METHODS}. auto is moviechat; the last four are there to compare"
    " with."
)
_STATUSES: tuple[OutcomeStatus, ...] = (
    "indexed",
    "unchanged",
    "partial",
    "failed",
    "skipped",
    "cancelled",
)


def index(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, folders with files, or addresses."),
    ],
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="Also folders in folders.", show_default=False),
    ] = False,
    method: Annotated[
        str,
        typer.Option(metavar="NAME", help=METHODS_HELP),
    ] = "auto",
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Watch webcam, screen, a stream's address or a file that is still being written.",
            show_default=False,
        ),
    ] = False,
    for_s: Annotated[
        float | None,
        typer.Option("--for", metavar="S", min=1.0, help="With --live: watch for S seconds."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-j",
            metavar="N",
            min=1,
            help="So many files at once, each by a process of its own (default: one; of a cluster,"
            " one for each CPU).",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Who works: this machine, or the machines of a Ray cluster."),
    ] = "local",
    ray_address: Annotated[
        str,
        typer.Option(
            metavar="ADDR",
            help="With --engine ray: the cluster, as auto or HOST:PORT; without, a Ray is started"
            " on this machine.",
            show_default=False,
        ),
    ] = "",
    gpus_per_worker: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0.0,
            help="With --engine ray: what a worker's models need of a GPU, as 1 or 0.25.",
            show_default=False,
        ),
    ] = 0.0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Watch, hear and read files, and remember them. Files already known are passed over.

    Of several files, one that crashes, hangs or needs too much ends alone, and the others go on.

    Ctrl-C stops cleanly: what is remembered so far can be asked, and the next run goes on there.

    \b
    Examples:
      memqa index talk.mp4 report.pdf
      memqa index ~/Videos --recursive --workers 2
      memqa index https://example.org/talk.mp4 s3://bucket/lectures/
      memqa index talk.mp4 --json
      memqa index webcam --live --for 600
      memqa index /shared/lectures -r --engine ray --ray-address auto
    """
    started = time.monotonic()
    outcomes: list[Outcome] = []
    if for_s is not None and not live:
        raise InputError("--for is for a live source; give --live too")
    if live and len(paths) != 1:
        raise InputError("one live source at a time; start memqa once for each")
    if live and engine == "ray":
        raise InputError("a live source is watched on this machine; leave out --engine ray")
    cluster = chosen_cluster(engine, ray_address, workers, gpus_per_worker)
    with open_library(context, home) as library:
        taken = (
            watch(library, paths[0], method=method, for_s=for_s)
            if live
            else run(library, paths, recursive=recursive, method=method, by=cluster or workers)
        )
        for outcome in taken:
            outcomes.append(outcome)
            if as_json:
                words.print_json(outcome.as_json())
            else:
                print(words.outcome_line(outcome), flush=True)
    elapsed_s = time.monotonic() - started
    if as_json:
        words.print_json({"summary": summary(outcomes, elapsed_s)})
    elif not outcomes:
        exits.complain(
            "there are no files in there; with --recursive folders in it are looked at too"
        )
    elif len(outcomes) > 1:
        counts = Counter(outcome.status for outcome in outcomes)
        print(", ".join(f"{counts[one]} {one}" for one in _STATUSES if counts[one]))
        if counts["cancelled"]:
            exits.complain("give the same command again to go on")
    raise typer.Exit(exits.code_of_batch(outcomes) if outcomes else exits.INPUT_AT_FAULT)


def chosen_cluster(
    engine: str, address: str, workers: int | None, gpus_per_worker: float
) -> Cluster | None:
    """Say on which cluster to work; None for this machine alone.

    Raises:
        InputError: an option of a cluster without one.
    """
    if engine == "local":
        if address or gpus_per_worker:
            raise InputError(
                "--ray-address and --gpus-per-worker are for --engine ray; give it too"
            )
        return None
    from memqa.cluster_ray import Cluster

    return Cluster(address, workers, gpus_per_worker)


def run(
    library: Library,
    paths: Sequence[str | Path],
    *,
    recursive: bool = False,
    method: str = "auto",
    by: Cluster | int | None = None,
) -> Iterator[Outcome]:
    """Index files with progress on stderr; the first Ctrl-C stops after the current step.

    They are taken in ``by`` a cluster or so many workers, of which 0 means this process; by default
    by one worker where there are several, so that one that hangs or crashes ends alone.
    """
    from memqa.named import named_by

    taking = partial(library.index, paths, recursive=recursive, method=method)
    if by is not None and not isinstance(by, int):
        return _by_cluster(partial(taking, cluster=by), by.address)
    # The library names a file only when it is done; this list tells which one comes next.
    files = list(named_by(paths, recursive=recursive))
    if by == 0 or (by is None and len(files) < 2):
        return _here(taking, [words.printable(file.name) for file in files])
    return _by_others(partial(taking, workers=by or 1), len(files))


def _by_cluster(taking: Callable[..., Iterator[Outcome]], address: str) -> Iterator[Outcome]:
    """Let a cluster take files in, and show how many it has done."""
    with stopped_by_ctrl_c() as wish, display() as shown:
        shown.begin(words.printable(address) or "Ray")
        yield from taking(on_progress=shown.update, should_stop=wish.is_set)


def _here(taking: Callable[..., Iterator[Outcome]], names: Sequence[str]) -> Iterator[Outcome]:
    """Take files in one after another, and show the one that is worked on."""
    with stopped_by_ctrl_c() as wish, display() as shown:
        outcomes = taking(on_progress=shown.update, should_stop=wish.is_set)
        shown.begin(_title(names, 0))
        for number, outcome in enumerate(outcomes, 1):
            shown.begin(_title(names, number))
            yield outcome


def _by_others(taking: Callable[..., Iterator[Outcome]], files: int) -> Iterator[Outcome]:
    """Let others take files in, and show all that they work on and how far the whole is."""
    with stopped_by_ctrl_c() as wish, display_many(files) as shown:
        for outcome in taking(on_progress=shown.update, should_stop=wish.is_set):
            shown.ended(outcome.path)
            yield outcome


def watch(
    library: Library, address: str, *, method: str = "auto", for_s: float | None = None
) -> Iterator[Outcome]:
    """Watch a live source with progress on stderr; the first Ctrl-C ends it, and all is kept."""
    started = time.monotonic()
    with stopped_by_ctrl_c() as wish, display() as shown:
        shown.begin("live")
        media = library.live(
            address,
            method=method,
            for_s=for_s,
            on_progress=shown.update,
            should_stop=wish.is_set,
        )
        shown.begin("")
    status: OutcomeStatus = "partial" if media.status == "partial" else "indexed"
    yield Outcome(media.path, status, media, elapsed_s=time.monotonic() - started)


def summary(outcomes: Sequence[Outcome], elapsed_s: float) -> dict[str, Any]:
    """Count what became of the files of a run."""
    counts = Counter(outcome.status for outcome in outcomes)
    kept = [outcome.media for outcome in outcomes if outcome.media is not None]
    return {
        "files": len(outcomes),
        **{status: counts[status] for status in _STATUSES},
        "memories": sum(media.memories for media in kept),
        "bytes": sum(media.bytes for media in kept),
        "elapsed_s": round(elapsed_s, 3),
    }


def _title(names: Sequence[str], number: int) -> str:
    if number >= len(names):
        return ""
    return names[number] if len(names) == 1 else f"[{number + 1}/{len(names)}] {names[number]}"
