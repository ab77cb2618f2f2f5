"""What lies in a ZIP file, which documents of Office and EPUB are, without trusting its word.

Knows how much may be unpacked and into memory only, never to the disk; leaves to the readers of
each format what the parts mean.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docmem.parse.limits import (
    MAX_ENTRIES,
    MAX_RATIO,
    MAX_TAGS,
    MAX_UNPACKED_BYTES,
    RATIO_FROM_BYTES,
)
from models.errors import LockedDocument, UnreadableMedia

_MAX_READ_BYTES = 16_000_000  # no list of 10,000 entries is longer, however long it says it is
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack without a bound
_ENCRYPTED = 0x1
# What zipfile, the XML parsers and the Office libraries raise over a file that was tampered with;
# lxml's syntax errors are SyntaxErrors.
DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    SyntaxError,
    RuntimeError,
    OSError,
)


class Archive:
    """An open ZIP file: the names in it, and their bytes as long as these are not too many."""

    def __init__(self, path: Path, zipped: zipfile.ZipFile) -> None:
        self.path = path
        self._zipped = zipped
        self._left = MAX_UNPACKED_BYTES
        self._tags_left = MAX_TAGS
        if len(zipped.infolist()) > MAX_ENTRIES:
            raise UnreadableMedia(
                f"{path.name} holds more than {MAX_ENTRIES:,} files; no document does."
            )
        self.names = tuple(dict.fromkeys(n for n in zipped.namelist() if not n.endswith("/")))

    def read(self, name: str) -> bytes:
        """Unpack one entry.

        Raises:
            KeyError: there is none of this name.
            LockedDocument: it is encrypted.
            UnreadableMedia: it would unpack to more than is left to unpack.
        """
        entry = self._zipped.getinfo(name)
        if entry.flag_bits & _ENCRYPTED:
            raise LockedDocument(
                f"{self.path.name} is locked with a password; save it without one."
            )
        if entry.compress_type not in _PLAIN:
            raise UnreadableMedia(f"{self.path.name} is packed in a way that no document is.")
        if entry.file_size > self._left:
            raise UnreadableMedia(
                f"{self.path.name} unpacks to more than {MAX_UNPACKED_BYTES / 1e6:.0f} MB of text; "
                "split it first."
            )
        if entry.file_size > max(RATIO_FROM_BYTES, MAX_RATIO * entry.compress_size):
            raise UnreadableMedia(
                f"{self.path.name} unpacks to more than {MAX_RATIO} times its size; no document "
                "does."
            )
        with self._zipped.open(entry) as file:
            data = file.read(entry.file_size)  # zipfile gives no byte more than this
        self._left -= len(data)
        return data

    def read_xml(self, name: str) -> bytes:
        """Unpack one entry that is meant for an XML parser.

        Raises:
            UnreadableMedia: it has more tags than are left, besides what ``read`` raises.
        """
        data = self.read(name)
        self._tags_left -= data.count(b"<")
        if self._tags_left < 0:
            raise UnreadableMedia(f"{self.path.name} has more parts than a document has.")
        return data


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a ZIP file; damage that comes to light while it is open is told as that.

    Raises:
        UnreadableMedia: damaged, or more in it than a document has.
    """
    with told_damage(path), _Bounded(io.FileIO(path)) as file, zipfile.ZipFile(file) as zipped:
        yield Archive(path, zipped)


@contextmanager
def told_damage(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Tell what goes wrong in the parsers, and errors of their own, as a damaged file."""
    try:
        yield
    except (*DAMAGE, *also) as exc:
        raise UnreadableMedia(
            f"{path.name} is damaged and cannot be read; save it again where it was made."
        ) from exc


class _Bounded(io.BufferedReader):
    """A file that is never read in large pieces, since zipfile reads as much as the file says."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_READ_BYTES:
            raise zipfile.BadZipFile(f"a piece of {size} bytes")
        return super().read(size)
