"""A file as it lies there: what tells cheaply whether it changed, and the hash of its bytes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

from memqa.listening import Listener
from memqa.near import did_you_mean
from models.errors import (
    IngestCancelled,
    MediaChanged,
    MediaGone,
    UnreadableMedia,
    UnsupportedMedia,
)

if TYPE_CHECKING:
    from memqa.store.schema import MediaRow

_BLOCK_BYTES = 8 * 2**20
_MOST_NAMES = 10_000  # of a folder, among which a misspelt one is looked for


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What tells cheaply whether a file changed.

    ``address`` is the name of the address that its bytes were fetched from; then the other facts
    are those of its server, and ``path`` is theirs only for a while.
    """

    path: Path
    size_bytes: int
    mtime_ns: int
    inode: int = 0
    address: str = ""

    @property
    def place(self) -> str:
        """Where the media lies, as it is stored."""
        return self.address or str(self.path)

    @classmethod
    def of(cls, path: Path) -> FileFacts:
        """Look at a file.

        Raises:
            UnsupportedMedia: it is a pipe, a socket or a device.
            UnreadableMedia: it is not there or may not be looked at.
        """
        try:
            stat = path.stat()
        except OSError as exc:
            near = did_you_mean(path.name, _names_beside(path))
            raise UnreadableMedia(f"there is no file {path}; check its name.{near}") from exc
        if not (S_ISREG(stat.st_mode) or S_ISDIR(stat.st_mode)):
            raise UnsupportedMedia(f"{path.name} is a pipe or a device and no file; copy it first")
        whole = path.resolve()
        try:
            str(whole).encode()
        except UnicodeEncodeError as exc:
            raise UnreadableMedia(
                f"the name {str(path)!a} is not written in UTF-8; rename the file or its folder"
            ) from exc
        return cls(whole, stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def check(self) -> None:
        """Look at the file again.

        Raises:
            MediaChanged: it is not the same any more, by all appearances.
            MediaGone: it is not there any more, or may not be looked at.
        """
        if self.address:  # what was fetched of it is ours alone
            return
        try:
            stat = self.path.stat()
        except OSError as exc:
            raise MediaGone(
                f"{self.path.name} was removed while it was being indexed; what is remembered of "
                f"it so far stays: put it back at {self.path.parent} and index it again"
            ) from exc
        if (stat.st_size, stat.st_mtime_ns, stat.st_ino) != (
            self.size_bytes,
            self.mtime_ns,
            self.inode,
        ):
            raise MediaChanged(
                f"{self.path.name} was changed while it was being indexed, so nothing of this "
                "state of it is kept; index it again once it is written to its end"
            )

    def fits(self, row: MediaRow) -> bool:
        """Say whether a media was made from this file, by all appearances."""
        if self.address and not self.mtime_ns:  # its server tells nothing of changes
            return False
        same = (self.place, self.size_bytes, self.mtime_ns)
        return same == (row.media.path, row.size_bytes, row.mtime_ns)

    @classmethod
    def of_address(cls, address: str) -> FileFacts:
        """Look at a media that lies at an address, without fetching it.

        Raises:
            InputError: there is none, or it may not be fetched.
            BackendError: it cannot be reached.
        """
        from memqa import remote

        name = remote.named(address)
        size_bytes, mark = remote.facts(address)
        return cls(Path(name), size_bytes, mark, address=name)


def sha256_of(facts: FileFacts, listener: Listener) -> str:
    """Hash a file's bytes.

    Raises:
        UnreadableMedia: they cannot be read.
        IngestCancelled: the listener wished it.
    """
    digest, done = hashlib.sha256(), 0
    try:
        with facts.path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                if listener.stops():
                    raise IngestCancelled(f"stopped while checking {facts.path.name}")
                digest.update(block)
                done += len(block)
                listener.progress("Checking the file", done, facts.size_bytes, "bytes")
    except OSError as exc:
        raise UnreadableMedia(f"{facts.path.name} cannot be read: {exc.strerror}") from exc
    return digest.hexdigest()


def _names_beside(path: Path) -> list[str]:
    with suppress(OSError):
        return [one.name for one in islice(path.parent.iterdir(), _MOST_NAMES)]
    return []
