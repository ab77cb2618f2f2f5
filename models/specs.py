"""Knows the forms in which a setting names a model, and reads each into a value; opens nothing.

Whether a bare word is a known name is for the catalogue to say (``models/shelf.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from models.errors import SetupError

EMBEDDED = "embedded"
PORTS = (
    "image_encoder",
    "text_encoder",
    "transcriber",
    "text_reader",
    "language_model",
    "captioner",
)
_SPEAKS = ("language_model", "captioner")
_HUB_FOLDER = ("a folder with the model", "hf:OWNER/REPO")
_FORMS = {
    "image_encoder": (
        "open_clip:hf-hub:OWNER/REPO",
        "open_clip:local-dir:FOLDER",
        "open_clip:ARCHITECTURE:TAG or CHECKPOINT",
    ),
    "text_encoder": _HUB_FOLDER,
    "transcriber": _HUB_FOLDER,
    "text_reader": ("rapidocr:LANGUAGE",),
    "language_model": (
        "a path to a .gguf file",
        *_HUB_FOLDER,
        "hf:OWNER/REPO/FILE.gguf",
        "http(s)://HOST[:PORT]/v1[#MODEL]",
    ),
}
_FORMS["captioner"] = _FORMS["language_model"]
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_LANGUAGE = re.compile(r"[a-z][a-z_]*")


@dataclass(frozen=True, slots=True)
class Known:
    """A bare name: ``embedded``, or one of the known models."""

    name: str


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A file of weights on this machine that llama.cpp reads."""

    path: Path


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on this machine that holds a whole model."""

    path: Path


@dataclass(frozen=True, slots=True)
class Hub:
    """A repository on the Hugging Face hub; ``file`` names one GGUF file in it, else all of it."""

    repo: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """An OpenAI-compatible server; ``model`` is empty for the one that it serves."""

    base_url: str
    model: str = ""

    @property
    def host(self) -> str:
        """Give the host's name without its port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_here(self) -> bool:
        """Tell whether the server runs on this machine, so that nothing leaves it."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class OpenClipWeights:
    """An architecture of open_clip with the tag or the checkpoint of its weights."""

    architecture: str
    weights: str

    @property
    def is_file(self) -> bool:
        """Tell whether the weights are a checkpoint on this machine, not a tag."""
        path = Path(self.weights)
        return len(path.parts) > 1 or path.suffix in (".pt", ".pth", ".bin", ".safetensors")


@dataclass(frozen=True, slots=True)
class OpenClipFolder:
    """A folder with open_clip's own configuration and weights."""

    path: Path


@dataclass(frozen=True, slots=True)
class OpenClipHub:
    """A repository on the hub with open_clip's own configuration and weights."""

    repo: str


@dataclass(frozen=True, slots=True)
class RapidOcr:
    """RapidOCR's models for one language or script."""

    language: str


Source: TypeAlias = (
    Known
    | GgufFile
    | Folder
    | Hub
    | Server
    | OpenClipWeights
    | OpenClipFolder
    | OpenClipHub
    | RapidOcr
)


def port_called(name: str) -> str:
    """Give the port of that name; hyphens do for underscores.

    Raises:
        SetupError: there is no such port.
    """
    port = name.strip().lower().replace("-", "_")
    if port not in PORTS:
        raise SetupError(f"No port is called {name!r}. The ports: {', '.join(PORTS)}.")
    return port


def parse(port: str, text: str) -> Source:
    """Read what a setting names.

    Raises:
        SetupError: the text has none of the forms that the port takes; the message lists them.
    """
    scheme, _, rest = text.partition(":")
    found: Source | None = None
    if _NAME.fullmatch(text) and not text.endswith(".gguf"):
        found = Known(text)
    elif port == "image_encoder":
        found = _open_clip(rest) if scheme == "open_clip" else None
    elif port == "text_reader":
        fits = scheme == "rapidocr" and _LANGUAGE.fullmatch(rest)
        found = RapidOcr(rest) if fits else None
    elif scheme == "hf":
        found = _hub(port, rest)
    elif scheme in ("http", "https"):
        found = server_at(text) if port in _SPEAKS else None
    elif text.endswith(".gguf"):
        found = GgufFile(Path(text).expanduser()) if port in _SPEAKS else None
    elif text.startswith("~") or "/" in text or "\\" in text:
        found = Folder(Path(text).expanduser())
    if found is None:
        raise SetupError(f"{text!r} names no {port}. {forms(port)}")
    return found


def server_at(text: str) -> Server | None:
    """Read the address of a chat server, None where it is none.

    Raises:
        SetupError: there is a name or a password in it.
    """
    import httpx

    try:
        parts = urlsplit(text)
        is_good = httpx.URL(text).scheme in ("http", "https") and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        return None
    if parts.username is not None or parts.password is not None:
        raise SetupError(
            "The address of a chat server is no place for a password; put a key into "
            "MEMQA_LANGUAGE__API_KEY, or MEMQA_CAPTION__API_KEY for the captioner."
        )
    if not is_good or not parts.hostname or parts.query or not parts.path.strip("/"):
        return None
    return Server(parts._replace(fragment="").geturl().rstrip("/"), parts.fragment)


def path_of(named: Source) -> Path | None:
    """Give the file or the folder on this machine that a setting names; None where it names none.

    A path that is not absolute starts from the folder that a process is in.
    """
    match named:
        case GgufFile(path) | Folder(path) | OpenClipFolder(path):
            return path
        case OpenClipWeights(_, weights) if named.is_file:
            return Path(weights)
    return None


def settled(port: str, text: str) -> str:
    """Write a path in what a setting names so that it holds from every folder; all else stays.

    Links are not followed, for what a link of the hub's cache points to has another name.

    Raises:
        SetupError: the text has none of the forms that the port takes.
    """
    match parse(port, text):
        case GgufFile(path) | Folder(path):
            return str(path.absolute())
        case OpenClipFolder(path):
            return f"open_clip:local-dir:{path.absolute()}"
        case OpenClipWeights(architecture, weights) as named if named.is_file:
            return f"open_clip:{architecture}:{Path(weights).absolute()}"
    return text


def forms(port: str) -> str:
    """Say in a sentence how a model of that port can be named."""
    return f"It can be: embedded; a known name (memqa models); {'; '.join(_FORMS[port])}."


def _hub(port: str, rest: str) -> Hub | None:
    repo, file = "/".join(rest.split("/")[:2]), "/".join(rest.split("/")[2:])
    if not _REPO.fullmatch(repo) or ".." in rest.split("/"):
        return None
    if not file:
        return Hub(repo)
    return Hub(repo, file) if file.endswith(".gguf") and port in _SPEAKS else None


def _open_clip(rest: str) -> Source | None:
    first, _, second = rest.partition(":")
    if not first or not second:
        return None
    if first == "hf-hub":
        return OpenClipHub(second) if _REPO.fullmatch(second) else None
    if first == "local-dir":
        return OpenClipFolder(Path(second).expanduser())
    named = OpenClipWeights(first, second)
    return OpenClipWeights(first, str(Path(second).expanduser())) if named.is_file else named
