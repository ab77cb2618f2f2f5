"""Files that come in through the browser: what counts as one, its name, how long it may wait."""

from __future__ import annotations

import time
import unicodedata
from contextlib import suppress
from pathlib import Path

from models.errors import InputError

IDLE_S = 60.0  # without a byte of what is being sent
_HALF_SENT_S = 2 * IDLE_S  # after which nobody is sending it any more
_UNCLAIMED_S = 3600.0
_MOST_NAME_BYTES = 200


def arrived(sent: str, *, cache: Path) -> Path:
    """Give the file that the browser says it has sent.

    Raises:
        InputError: it is no file in the page's cache, so this is no upload.
    """
    path = Path(sent).resolve()
    if not path.is_relative_to(cache.resolve()) or not path.is_file():
        raise InputError("The file did not arrive; send it again.")
    return path


def file_name(name: str) -> str:
    """Make a file name that any system takes, keeping letters of every script and the suffix."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(one for one in last if one.isprintable() and one not in '<>:"|?*').strip(" .")
    stem, dot, suffix = clean.rpartition(".")
    if not stem:
        stem, dot, suffix = clean or "upload", "", ""
    room = _MOST_NAME_BYTES - len(suffix.encode()) - 1
    return stem.encode()[:room].decode(errors="ignore") + dot + suffix


def sweep(cache: Path) -> None:
    """Remove what was sent by halves, or whole and claimed by no page.

    What is on its way stays, also where another process serves the same library.
    """
    now = time.time()
    for one in cache.rglob("*"):
        patience_s = _HALF_SENT_S if one.parent == cache and one.is_file() else _UNCLAIMED_S
        with suppress(FileNotFoundError):  # claimed meanwhile
            if now - one.stat().st_mtime > patience_s:
                _remove(one)


def _remove(one: Path) -> None:
    if not one.is_dir():
        one.unlink()
    elif not any(one.iterdir()):
        with suppress(OSError):  # something is just arriving in it
            one.rmdir()
