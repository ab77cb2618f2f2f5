"""What the paths and addresses that a person gives stand for: one media to be taken in each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from memqa.addresses import is_address, named, shown
from memqa.values import Outcome
from models.errors import InputError, MemqaError, UnsupportedMedia

MOST_FILES = 200_000  # that one folder may stand for


@dataclass(frozen=True, slots=True)
class Named:
    """A file, or an address (a text), to be taken in; ``refused`` says why it is not even tried.

    ``is_given`` says that it was named itself, not only what it lies in.
    """

    place: Path | str
    is_given: bool = True
    refused: MemqaError | None = None

    @property
    def told(self) -> str:
        """The place as it may be shown: of an address without its secrets."""
        return shown(self.place) if isinstance(self.place, str) else str(self.place)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.told if isinstance(self.place, str) else self.place.name

    @property
    def key(self) -> str:
        """The place as the library stores it."""
        return named(self.place) if isinstance(self.place, str) else str(self.place.resolve())

    def said(self, outcome: Outcome) -> Outcome:
        """Give the outcome as a person is told it: what is no media in a folder is skipped."""
        if not self.is_given and isinstance(outcome.error, UnsupportedMedia):
            return Outcome(outcome.path, "skipped", error=outcome.error)
        return outcome

    def refusal(self) -> Outcome | None:
        """Give the outcome of what is not even tried; None where it is."""
        if self.refused is None:
            return None
        return self.said(Outcome(self.told, "failed", error=self.refused))


def named_by(paths: Iterable[str | Path], *, recursive: bool) -> Iterator[Named]:
    """Give what paths and addresses stand for: files, those in folders too, and addresses."""
    for path in paths:
        if isinstance(path, str) and is_address(path):
            yield from _behind(path, recursive=recursive)
        else:
            for file in files_of(Path(path), recursive=recursive):
                yield Named(file, file == Path(path))


def files_of(path: Path, *, recursive: bool) -> list[Path]:
    """Give the files that a path stands for: itself, or those in the folder; hidden ones not.

    A link to a file stands for the file that it leads to; a link to a folder is not followed, so no
    ring of links goes on for ever. Pipes, sockets and devices are never opened.

    Raises:
        InputError: there are more than any folder holds.
    """
    if not path.is_dir():
        return [path]
    files = list(islice(_files_in(path, recursive=recursive), MOST_FILES + 1))
    if len(files) > MOST_FILES:
        raise InputError(
            f"{path} holds more than {MOST_FILES:,} files; index the folders in it one by one"
        )
    return sorted(files)


def _files_in(path: Path, *, recursive: bool) -> Iterator[Path]:
    for folder, folders, names in os.walk(path):
        folders[:] = [one for one in folders if recursive and not one.startswith(".")]
        for name in names:
            file = Path(folder, name)
            if not name.startswith(".") and file.is_file():
                yield file


def _behind(address: str, *, recursive: bool) -> Iterator[Named]:
    """Give the addresses that one stands for; by its name it may be told that one is no media."""
    from memqa.kinds import is_named_as_media
    from memqa.remote import files_of

    try:
        named(address)  # one that cannot be kept is not even handed to a worker
        found = files_of(address, recursive=recursive)
    except MemqaError as exc:
        yield Named(address, refused=exc)
        return
    for one in found:
        if one == address or is_named_as_media(one):
            yield Named(one, one == address)
        else:
            error = UnsupportedMedia("by its name it is neither a document nor a video")
            yield Named(one, is_given=False, refused=error)
