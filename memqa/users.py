"""Who may log in to the page, and whether a password is theirs; passwords are kept as hashes only.

A file of users has one a line, ``NAME:scrypt:LOG2_N:R:P:SALT:HASH``; ``memqa users`` writes it. It
is refused where others on the machine could read it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import InputError, SetupError

_LEAST_CHARACTERS = 8
_MOST_CHARACTERS = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH = re.compile(r"scrypt:(\d{1,2}):(\d{1,2}):(\d{1,2}):([0-9a-f]{32}):([0-9a-f]{64})")
_LOG2_N, _R, _P = 15, 8, 3  # 32 MiB and a fifth of a second or so
_COSTS = ((10, 18), (1, 32), (1, 16))  # within which a file may ask for them


@dataclass(frozen=True, slots=True)
class Users:
    """Names with the hashes of their passwords.

    Where ``are_apart``, each has chats of their own; else the one user is the library's owner.
    """

    hashes: Mapping[str, str] = field(repr=False)
    are_apart: bool

    def admit(self, name: str, password: str) -> bool:
        """Say whether a password is that user's; it takes as long for a name that is none."""
        known = self.hashes.get(name)
        is_theirs = _fits(password[:_MOST_CHARACTERS], known or _NOBODYS)
        return is_theirs and known is not None and len(password) <= _MOST_CHARACTERS


def of_pair(pair: str) -> Users:
    """Read ``NAME:PASSWORD``: the one who may log in.

    Raises:
        SetupError: it has no name or no password, or the name has a character it may not have.
    """
    name, _, password = pair.partition(":")
    if not (name and password):
        raise SetupError(
            "a name and a password are needed; give the name where a terminal can ask for the "
            "password, or set MEMQA_AUTH=USER:PASSWORD"
        )
    if not _NAME.fullmatch(name):
        raise SetupError(f"{name!r} cannot name a user; use letters, digits and . _ @ -")
    return Users({name: hashed(password)}, are_apart=False)


def of_file(path: Path) -> Users:
    """Read a file of users.

    Raises:
        SetupError: it cannot be read, others can read it, it names nobody, or a line is no user's.
    """
    hashes = read(path)
    if not hashes:
        raise SetupError(f"{path} names no user; add one: memqa users {path} --add NAME")
    return Users(hashes, are_apart=True)


def read(path: Path) -> dict[str, str]:
    """Give the users in a file, which may be none.

    Raises:
        SetupError: it cannot be read, others can read it, or a line is no user's.
    """
    try:
        with path.open(encoding="utf-8") as file:
            if sys.platform != "win32" and os.fstat(file.fileno()).st_mode & 0o077:
                raise SetupError(f"{path} is open to others on this machine; chmod 600 {path}")
            lines = file.read().splitlines()
    except FileNotFoundError as exc:
        raise SetupError(
            f"there is no file of users {path}; make it: memqa users {path} --add NAME"
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or "it is no text"
        raise SetupError(f"the file of users {path} cannot be read: {why}") from exc
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            name, hash_ = _user(line.strip(), f"{path}, line {number}")
            if name.casefold() in {one.casefold() for one in found}:
                raise SetupError(f"{path}, line {number}: there is a user {name} already")
            found[name] = hash_
    return found


def write(path: Path, hashes: Mapping[str, str]) -> None:
    """Write a file of users that nobody else on the machine can read.

    Raises:
        SetupError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    text = "".join(f"{name}:{hash_}\n" for name, hash_ in hashes.items())
    try:
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(opened, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, path)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise SetupError(f"the file of users {path} cannot be written: {exc}") from exc


def checked(name: str, password: str) -> str:
    """Give the hash of a new user's password.

    Raises:
        InputError: the name cannot be one, or the password is too short or too long.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot name a user; use letters, digits and . _ @ -")
    if not _LEAST_CHARACTERS <= len(password) <= _MOST_CHARACTERS:
        raise InputError(
            f"a password has {_LEAST_CHARACTERS} to {_MOST_CHARACTERS} characters, "
            f"this one {len(password)}; choose another"
        )
    return hashed(password)


def hashed(password: str) -> str:
    """Hash a password with a salt of its own."""
    salt = secrets.token_hex(16)
    return f"scrypt:{_LOG2_N}:{_R}:{_P}:{salt}:{_scrypt(password, salt, _LOG2_N, _R, _P)}"


def _user(line: str, where: str) -> tuple[str, str]:
    name, _, hash_ = line.partition(":")
    found = _HASH.fullmatch(hash_)
    is_sound = found is not None and all(
        low <= int(cost) <= high for cost, (low, high) in zip(found.groups(), _COSTS, strict=False)
    )
    if not (is_sound and _NAME.fullmatch(name)):
        raise SetupError(f"{where}: this is no user; write users with: memqa users FILE --add NAME")
    return name, hash_


def _fits(password: str, hash_: str) -> bool:
    found = _HASH.fullmatch(hash_)
    assert found is not None
    log2_n, r, p, salt, wanted = found.groups()
    made = _scrypt(password, salt, int(log2_n), int(r), int(p))
    return hmac.compare_digest(made, wanted)


def _scrypt(password: str, salt: str, log2_n: int, r: int, p: int) -> str:
    n = 2**log2_n
    room = 128 * r * (n + p + 2) + 2**20
    made = hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=bytes.fromhex(salt),
        n=n,
        r=r,
        p=p,
        maxmem=room,
        dklen=32,
    )
    return made.hex()


_NOBODYS = f"scrypt:{_LOG2_N}:{_R}:{_P}:{'0' * 32}:{'0' * 64}"
