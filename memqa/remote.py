"""Media by address: what tells cheaply that one changed, and its bytes as a file for a while.

An address is fetched only because a person gave it; nothing that a document, a playlist or a
subtitle names ever is. ``addresses`` says what may be stored and shown of one, ``reach`` where
http may lead, ``buckets`` speaks to object storage.
"""

from __future__ import annotations

import hashlib
import mimetypes
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from memqa import buckets
from memqa.addresses import file_name, is_address, is_bucket, named
from memqa.copying import SPARE_BYTES
from memqa.store.lock import is_held, locked
from models.errors import BackendError, IngestCancelled, InputError, SetupError, UnreadableMedia

if TYPE_CHECKING:
    import httpx

    from memqa.listening import Listener
    from memqa.settings import LimitSettings

__all__ = ["facts", "fetched", "files_of", "is_address", "named"]

_LONGEST_S = 6 * 3600.0
_PATIENCE_S = 60.0
_LOOK_EVERY_BYTES = 64 * 2**20
_REFUSE_HEAD = (400, 403, 404, 405, 501)  # said by servers that answer GET alone
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class _Body:
    """What comes from an address: its length where it is told, its suffix, its blocks."""

    size_bytes: int | None
    suffix: str
    blocks: Iterable[bytes]


def facts(address: str) -> tuple[int, int]:
    """Give what tells cheaply whether a media changed: its size, and a mark of its version.

    The mark is when it was written, in nanoseconds, or is made of the server's own tag for it. A
    0 is what the server does not tell.

    Raises:
        InputError: there is nothing at the address, or it may not be fetched.
        BackendError: it cannot be reached.
    """
    if is_bucket(address):
        return buckets.facts(address)
    for method in ("HEAD", "GET"):
        with _answer(address, method) as response:
            if method == "HEAD" and response.status_code in _REFUSE_HEAD:
                continue
            _check(address, response)
            return _length(response) or 0, _mark(response.headers)
    raise AssertionError("a GET is looked at whatever it says")


@contextmanager
def fetched(
    address: str, folder: Path, *, limits: LimitSettings, listener: Listener
) -> Iterator[Path]:
    """Give a file with the bytes that lie at an address; it is gone afterwards.

    It lies in a folder of its own below ``folder``, under a name made of the address's last part.

    Raises:
        InputError: there is nothing at the address, it may not be fetched, or it is too large.
        SetupError: the disk has no room for it.
        BackendError: it cannot be reached, or the line broke off.
        IngestCancelled: the listener wished it.
    """
    name = named(address)
    with _own_folder(folder) as place:
        listener.progress("Fetching", 0)
        with _body(address) as body:
            path = place / file_name(name, body.suffix)
            _write(body, path, (name, limits.max_upload_bytes), listener)
        yield path


def files_of(address: str, *, recursive: bool = False) -> list[str]:
    """Give the addresses that one stands for: itself, or the files below an s3 one ending in /.

    Raises:
        InputError: nothing lies there, or too much.
        BackendError: it cannot be reached.
    """
    if is_bucket(address) and address.endswith("/"):
        return buckets.files_below(named(address), recursive=recursive)
    return [address]


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that goes afterwards; clear what killed processes left beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / uuid4().hex
    lock = folder / f"{place.name}.lock"
    with ExitStack() as held:
        # Nobody clears up while a folder is made, which is locked only a moment later.
        making = folder.with_name(f"{folder.name}.lock")
        with locked(making, timeout_s=_PATIENCE_S) as is_alone:
            for left in folder.glob("*.lock") if is_alone else ():
                if not is_held(left):
                    shutil.rmtree(left.with_suffix(""), ignore_errors=True)
                    left.unlink(missing_ok=True)
            held.enter_context(locked(lock))
        try:
            place.mkdir()
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextmanager
def _body(address: str) -> Iterator[_Body]:
    if is_bucket(address):
        size_bytes, _ = buckets.facts(address)
        with closing(buckets.blocks(address)) as blocks:
            yield _Body(size_bytes, "", blocks)
        return
    with _answer(address, "GET") as response:
        _check(address, response)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        suffix = mimetypes.guess_extension(kind) or ""
        yield _Body(_length(response), suffix, response.iter_bytes())


@contextmanager
def _answer(address: str, method: str) -> Iterator[httpx.Response]:
    from memqa.reach import Reach

    with Reach(address, name=named(address)).answer(method) as response:
        yield response


def _write(body: _Body, path: Path, what: tuple[str, int], listener: Listener) -> None:
    """Write what comes into a file, within all bounds; whatever a server says of its length."""
    name, most_bytes = what
    until, done, looked = time.monotonic() + _LONGEST_S, 0, 0
    _make_sure_of_size(name, body.size_bytes or 0, most_bytes)
    _make_sure_of_room(name, path, body.size_bytes or 0)
    try:
        with path.open("xb") as file:
            for block in body.blocks:
                done += len(block)
                _make_sure_of_size(name, done, most_bytes)
                if listener.stops():
                    raise IngestCancelled(f"stopped while fetching {name}")
                if time.monotonic() > until:
                    raise UnreadableMedia(f"{name} came too slowly: it was not here after 6 hours")
                if done - looked >= _LOOK_EVERY_BYTES:
                    _make_sure_of_room(name, path, 0)
                    looked = done
                file.write(block)
                listener.progress("Fetching", done, body.size_bytes, "bytes")
    except OSError as exc:
        raise SetupError(
            f"{name} cannot be written to {path.parent.parent}: {exc.strerror or exc}; "
            "free some room and try again"
        ) from exc


def _make_sure_of_size(name: str, size_bytes: int, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        raise InputError(
            f"{name} has more than the {most_bytes / 1e9:.1f} GB that may be fetched; raise "
            "limits.max_upload_bytes, or copy it here and add it by its path"
        )


def _make_sure_of_room(name: str, path: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed_bytes + SPARE_BYTES > free:
        raise SetupError(
            f"{name} has {needed_bytes / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free at "
            f"{path.parent.parent}; free some room and try again"
        )


def _check(address: str, response: httpx.Response) -> None:
    """Refuse what is no answer with a file in it."""
    code = response.status_code
    if code in _GONE:
        raise UnreadableMedia(f"there is nothing at {named(address)}; check the address")
    if code in (401, 403):
        raise UnreadableMedia(f"{named(address)} may not be read so; it may need another password")
    if code == 429 or code >= 500:
        raise BackendError(f"the server of {named(address)} is at fault ({code}); try again later")
    if code != 200:
        raise UnreadableMedia(f"{named(address)} gives no file (its server says {code})")


def _length(response: httpx.Response) -> int | None:
    """Give the length that a server states; of packed bytes it says nothing."""
    told = response.headers.get("content-length", "")
    is_packed = response.headers.get("content-encoding", "identity") != "identity"
    return int(told) if told.isascii() and told.isdecimal() and not is_packed else None


def _mark(headers: httpx.Headers) -> int:
    tag, written = headers.get("etag", ""), headers.get("last-modified", "")
    if tag:
        digest = hashlib.sha256(f"{tag} {written}".encode()).digest()
        return int.from_bytes(digest[:7])  # fits a column of 64 bits with a sign
    try:
        return round(parsedate_to_datetime(written).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return 0
