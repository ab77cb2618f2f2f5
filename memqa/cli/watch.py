"""The command ``watch``: what arrives in a folder is indexed, until Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memqa.cli import exits, words
from memqa.cli.index import METHODS_HELP
from memqa.cli.options import AsJson, Home, open_library
from memqa.cli.progress import Display, display, stopped_by_ctrl_c
from memqa.doorkeeper import open_door
from memqa.values import Outcome
from models.errors import IngestCancelled, InputError, SetupError, UnsupportedMedia

if TYPE_CHECKING:
    from memqa.arrivals import Arrivals
    from memqa.library import Library

_LOOK_EVERY_MS = 500


def watch(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to watch.")],
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="Also folders in it.", show_default=False),
    ] = False,
    method: Annotated[str, typer.Option(metavar="NAME", help=METHODS_HELP)] = "auto",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Index what arrives in a folder, until Ctrl-C.

    What lies there comes first, then whatever is added or changes. A file is taken in once it has
    not grown for two seconds; hidden files and half downloads (.part, .crdownload, .tmp, ~$…) are
    passed over. A file that fails is named, and tried again when it changes; where it is not the
    file that is at fault, but a missing model or a full disk, by itself after a while. Files that
    are removed stay remembered: memqa forget NAME.

    \b
    Examples:
      memqa watch ~/Downloads
      memqa watch ~/Recordings --recursive
      memqa watch inbox --json >> indexed.jsonl
    """
    started = time.monotonic()
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} to watch; make it, or check its name")
    counts: Counter[str] = Counter()
    with open_library(context, home) as library, open_door(library):
        for outcome in _outcomes(library, folder, recursive=recursive, method=method):
            counts[outcome.status] += 1
            if as_json:
                words.print_json(outcome.as_json())
            else:
                print(words.outcome_line(outcome), flush=True)
    elapsed_s = round(time.monotonic() - started, 3)
    if as_json:
        words.print_json({"summary": {"files": counts.total(), **counts, "elapsed_s": elapsed_s}})
    else:
        told = ", ".join(f"{many} {status}" for status, many in counts.items())
        print(told or "nothing arrived")


def _outcomes(library: Library, folder: Path, *, recursive: bool, method: str) -> Iterator[Outcome]:
    """Index what is there, then what arrives; what is known already is told only at first."""
    from memqa.arrivals import Arrivals

    arrivals = Arrivals(folder, library.home, recursive=recursive)
    with stopped_by_ctrl_c() as wish, display() as shown:
        take = _Take(library, arrivals, method, shown, wish)
        # Watched from here on, so that nothing that arrives meanwhile is missed.
        changes = _changes(folder, recursive=recursive, wish=wish)
        arrivals.note(next(changes, ()), time.monotonic())
        for path in arrivals.lying_there(time.monotonic()):
            yield from take(path)
            if wish.is_set():
                return
        exits.complain(f"watching {folder}; Ctrl-C ends it")
        for paths in changes:
            arrivals.note(paths, time.monotonic())
            for path in arrivals.ready(time.monotonic()):
                yield from (one for one in take(path) if one.status != "unchanged")
                if wish.is_set():
                    return
            if not folder.is_dir():
                raise InputError(f"the folder {folder} is gone; what was indexed of it stays")


class _Take:
    """Takes one file in at a time, with its progress shown."""

    def __init__(
        self,
        library: Library,
        arrivals: Arrivals,
        method: str,
        shown: Display,
        wish: threading.Event,
    ) -> None:
        self._library, self._arrivals, self._method = library, arrivals, method
        self._shown, self._wish = shown, wish
        self._said: dict[Path, str] = {}

    def __call__(self, path: Path) -> Iterator[Outcome]:
        self._shown.begin(words.printable(path.name))
        for outcome in self._library.index(
            [path],
            method=self._method,
            on_progress=self._shown.update,
            should_stop=self._wish.is_set,
        ):
            self._shown.begin("")
            if isinstance(outcome.error, UnsupportedMedia):
                outcome = replace(outcome, status="skipped")
            if self._is_news(path, outcome.error):
                yield outcome

    def _is_news(self, path: Path, error: Exception | None) -> bool:
        """Note how it went with a file; say whether it has not been said before."""
        before = self._said.pop(path, None)
        if error is None or isinstance(error, InputError | IngestCancelled):
            (self._arrivals.done if error is None else self._arrivals.failed)(path)
            return True
        # Another time it may go well: the file is not at fault.
        self._arrivals.later(path, time.monotonic())
        self._said[path] = str(error)
        if before is None:
            exits.complain(f"{path.name} could not be taken in yet; it is tried again by itself")
        return before != str(error)


def _changes(folder: Path, *, recursive: bool, wish: threading.Event) -> Iterator[list[Path]]:
    """Yield the paths that something happened to, and now and then none."""
    import watchfiles

    try:
        found = watchfiles.watch(
            folder,
            recursive=recursive,
            watch_filter=None,
            stop_event=wish,
            rust_timeout=_LOOK_EVERY_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        for changed in found:
            yield [Path(path) for _, path in changed]
    except OSError as exc:
        raise SetupError(
            f"{folder} cannot be watched: {exc.strerror or exc}; on Linux the limit "
            "fs.inotify.max_user_watches may be too low, or set WATCHFILES_FORCE_POLLING=1"
        ) from exc
