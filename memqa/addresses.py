"""What is the address of a media, and the name that it is stored and shown by: without secrets."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from models.errors import InputError

LEFT_OUT = "…"  # stands in a name for what may be a secret
_ADDRESS = re.compile(r"(https?|s3)://[^/?#].*", re.IGNORECASE)
_BUCKET = re.compile(r"[A-Za-z0-9][\w.-]{1,254}", re.ASCII)
_SECRET = re.compile(
    r"pass|pwd|key|token|secret|auth|cred|session|ticket|policy|jwt|code|user|sig|expire|^x-"
    r"|^s[a-z]$",  # the last are those of Azure
    re.IGNORECASE,
)
_FILE = re.compile(r"(?:https?|s3)://.+/([^/?]+\.(?!m3u8?$|mpd$|sdp$)\w{2,5})(?:\?.*)?")
_LONGEST_PLAIN = 40  # what is longer in a query may be a secret, whatever it is called
_MOST_CHARACTERS = 4096
_MOST_NAME_BYTES = 150


def is_address(text: str) -> bool:
    """Say whether a text is the address of a media (http, https, s3), and not a path."""
    return _ADDRESS.fullmatch(text) is not None


def named(address: str) -> str:
    """Give the name that an address is stored and shown by: no password, no key, no fragment.

    ``…`` stands for what was left out of its path or query; such a name cannot be fetched again.

    Raises:
        InputError: it is no address, or it cannot be told what in it is a password.
    """
    if not is_address(address) or len(address) > _MOST_CHARACTERS or not address.isprintable():
        raise InputError("that is no address of a media; write it as https://host/talk.mp4")
    if is_bucket(address):
        return f"s3://{'/'.join(bucket_and_key(address))}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InputError("that is no address of a media; look at its host and port") from None
    behind = address.partition("://")[2][len(parts.netloc) :]
    if "@" in behind and re.search(r"[:@]", parts.netloc):
        # A password may be written with "/", "?" or "#" in it, and would then stand in the path.
        raise InputError("write @ in that address as %40, behind its host and in its password")
    where = f"[{host}]" if ":" in host else host
    where += "" if port is None else f":{port}"
    path = "/".join(map(_open_part, parts.path.split("/")))
    query = "&".join(_open_value(one) for one in parts.query.split("&")) if parts.query else ""
    return f"{parts.scheme}://{where}{path}{'?' if query else ''}{query}"


def shown(address: str) -> str:
    """Give the name of what was typed as an address, even where it is none that can be."""
    try:
        return named(address)
    except InputError:
        return f"{address.partition('://')[0]}://{LEFT_OUT}"


def title(place: str) -> str:
    """Say what a media is called by where it lies: a file's own name, a stream's whole address.

    An address whose last part is no file's name is given whole, and so is that of a playlist.
    """
    if "://" not in place:
        return place.replace("\\", "/").rsplit("/", 1)[-1]
    found = _FILE.fullmatch(place)
    name = unquote(found[1]) if found else ""
    is_plain = name.isprintable() and not set("/\\") & set(name)
    return name if name and is_plain else place


def is_whole(name: str) -> bool:
    """Say whether nothing was left out of a name, so that it is the address itself."""
    return LEFT_OUT not in name


def is_bucket(address: str) -> bool:
    """Say whether an address lies in object storage."""
    return address[:5].lower() == "s3://"


def bucket_and_key(address: str) -> tuple[str, str]:
    """Part an s3 address into its bucket and what follows, as it is written.

    Raises:
        InputError: that is no bucket's name.
    """
    bucket, _, key = address[5:].partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise InputError(
            "an s3 address is written s3://bucket/name; keys come from the environment "
            "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
        )
    return bucket, key


def file_name(name: str, suffix: str = "") -> str:
    """Make a name that a file may have here of what an address ends in, never a path.

    ``suffix`` is added where it has none of its own.
    """
    plain = name if is_bucket(name) else urlsplit(name).path
    last = unquote(plain).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    last = unicodedata.normalize("NFC", last.replace(LEFT_OUT, ""))
    clean = "".join(one for one in last if one.isprintable() and one not in '<>:"|?*').strip(" .")
    given = PurePosixPath(clean).suffix
    suffix = given if 1 < len(given) <= 12 else suffix
    stem = clean.removesuffix(suffix) if suffix else clean
    room = _MOST_NAME_BYTES - len(suffix.encode())
    return (stem.encode()[:room].decode(errors="ignore").strip(" .") or "media") + suffix


def _open_part(part: str) -> str:
    """Give a part of a path, without the value of what is called as secrets are."""
    name, equals, _ = part.partition("=")
    return f"{name}={LEFT_OUT}" if equals and _SECRET.search(unquote(name)) else part


def _open_value(pair: str) -> str:
    name, equals, value = pair.partition("=")
    is_secret = bool(_SECRET.search(unquote(name))) or len(value) > _LONGEST_PLAIN
    if not equals:  # a key without a name
        return LEFT_OUT if is_secret or len(name) > _LONGEST_PLAIN // 2 else pair
    return f"{name}={LEFT_OUT}" if is_secret else pair
