"""A library on object storage: how its address is written, and the folder that stands for it here.

Its tables lie at the address. All else that a library needs is of one machine (jobs, locks,
uploads, the page's own files) and lies in a folder of it, in which a small file tells the address.
So a library is a folder wherever it is handed on, to child processes too; only the store, and what
a person is told, ask for the address. Credentials are never part of it.

Cheap to import: the command line asks before it knows whether it needs anything else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from platformdirs import user_data_path

from models.errors import InputError, SetupError

_FILE = "address.json"
_SCHEMES = ("s3", "gs", "az")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(/?)")  # C:/ is none
_WHOLE = re.compile(
    r"(?P<scheme>s3|gs|az)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<prefix>(?:/[^/\s%?#@\\:]+)*)/?"
)
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_EXAMPLE = "write s3://BUCKET/PREFIX"
_MOST_NAME = 32


@dataclass(frozen=True, slots=True)
class Address:
    """Where the tables of a library lie, ``s3://bucket/prefix``; ``machine`` is this one's name.

    The name is drawn by lot and tells the machines apart that have the library open.
    """

    address: str
    machine: str

    @property
    def bucket(self) -> str:
        """The bucket alone, with its scheme."""
        scheme, _, rest = self.address.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"


def home_named(named: str | Path) -> Path:
    """Give the folder of a library that a person names, by its folder or by its address.

    The folder of an address is made on first use.

    Raises:
        SetupError: the address is none, or its folder cannot be made.
    """
    if (address := _address_in(str(named))) is None:
        return Path(named).expanduser().resolve()
    folder = remote_root() / _folder_name(address)
    if not (folder / _FILE).exists():
        _write(folder, Address(address, uuid4().hex[:12]))
    return folder


def address_of(home: Path) -> Address | None:
    """Give the address of the library that a folder stands for; None where it is one itself.

    Only our own folders are believed: one from elsewhere cannot lead to an address.

    Raises:
        SetupError: the folder stands for a library at another endpoint than that of now.
    """
    if home.parent != remote_root():
        return None
    try:
        found = Address(**json.loads((home / _FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as exc:
        raise SetupError(f"{home / _FILE} cannot be read; delete it and name the address") from exc
    if _folder_name(found.address) != home.name:
        raise SetupError(
            f"{home} stands for {found.address} at another endpoint; set AWS_ENDPOINT_URL as it was"
        )
    return found


def told(home: Path) -> str:
    """Say where a library lies as a person knows it: its address, or its folder."""
    address = address_of(home)
    return address.address if address else str(home)


def is_remote(where: str) -> bool:
    """Say whether what ``told`` gave is an address."""
    return where.startswith(tuple(f"{scheme}://" for scheme in _SCHEMES))


def refuse_address(named: str | Path, instead: str) -> None:
    """Refuse the address of a library where only a folder will do; raises InputError."""
    scheme = _SCHEME.match(str(named))
    if scheme is not None and (scheme[2] or scheme[1].lower() in _SCHEMES):
        raise InputError(f"this takes a folder of this machine, not an address; {instead}")


def remote_root() -> Path:
    """Say below which folder those lie that stand for libraries on object storage."""
    return user_data_path("memqa-remote", appauthor=False).resolve()


def _address_in(text: str) -> str | None:
    """Give the address in its one form; None where the text is a path."""
    scheme = _SCHEME.match(text)
    # A path that was made of an address has lost a slash.
    if scheme is None or not (scheme[2] or scheme[1].lower() in _SCHEMES):
        return None
    if scheme[1].lower() not in _SCHEMES:
        raise SetupError(f"a library cannot lie at {scheme[1]}://; name a folder, or {_EXAMPLE}")
    text = f"{scheme[1].lower()}://{text[scheme.end() :]}"
    found = _WHOLE.fullmatch(text)
    if found is None or {".", ".."} & set(found["prefix"].split("/")):
        # It is not said again: a key may stand in it.
        raise SetupError(
            f"the address of the library cannot be read; {_EXAMPLE} and no more, for credentials "
            "are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return f"{found['scheme']}://{found['bucket']}{found['prefix']}"


def _folder_name(address: str) -> str:
    """Name the folder of an address; the same address at another endpoint is another library."""
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
    key = hashlib.sha256(f"{address}\n{endpoint.rstrip('/')}".encode()).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", address.rsplit("/", 1)[-1])[:_MOST_NAME].strip("-")
    return f"{name}-{key}" if name else key


def _write(folder: Path, address: Address) -> None:
    draft = folder / f"{_FILE}.{uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(address)), encoding="utf-8")
        draft.replace(folder / _FILE)
    except OSError as exc:
        raise SetupError(
            f"{folder} cannot be written, where this machine keeps what it needs of "
            f"{address.address}: {exc.strerror}; let XDG_DATA_HOME name another folder"
        ) from exc
    finally:
        draft.unlink(missing_ok=True)
