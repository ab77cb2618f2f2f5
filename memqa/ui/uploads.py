"""Files that come in through the browser: what counts as one, and what it may be called."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from models.errors import InputError

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
