"""Knows what a GGUF file says of itself, read before llama.cpp is given it.

The header is a list of typed keys (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from models.errors import ModelNotFound

Keys: TypeAlias = dict[str, Any]

_NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_MOST_KEYS, _LONGEST_KEY = 10_000, 2**16
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


def check_model(weights: Path) -> Keys:
    """Give a GGUF file's keys once it is a whole model that writes text, with all its parts.

    Raises:
        ModelNotFound: it is something else; the message says what, and what to take instead.
    """
    keys = read_keys(weights)
    kind = str(keys.get("general.architecture", ""))
    if kind == "clip" or keys.get("general.type") == "mmproj":
        raise ModelNotFound(
            f"{weights} is a projector, the part of a model that sees. Name the language model's "
            "own file as the model, and this one as the projector."
        )
    if keys.get("general.type") == "adapter":
        raise ModelNotFound(f"{weights} is an adapter (LoRA). Take a whole model.")
    causal = keys.get(f"{kind}.attention.causal", True)
    if not causal or keys.get(f"{kind}.pooling_type", 0) != 0:
        raise ModelNotFound(
            f"{weights} is an embedding model ({kind}) and writes no text. "
            "Take an instruct (chat) model."
        )
    _check_parts(weights, count_in(keys, "split.count", weights) or 1)
    return keys


def count_in(keys: Keys, name: str, path: Path) -> int:
    """Give a number of something that a file says, 0 where it does not.

    Raises:
        ModelNotFound: what stands there is no such number.
    """
    found = keys.get(name, 0)
    if not isinstance(found, int) or found < 0:
        raise ModelNotFound(
            f"The GGUF file {path} is damaged: {name} is no count. Take another version."
        )
    return found


def check_projector(projector: Path) -> None:
    """Make sure that a file is a GGUF projector, the part that lets a language model see.

    Raises:
        ModelNotFound: it is something else.
    """
    keys = read_keys(projector)
    if keys.get("general.architecture") != "clip":
        raise ModelNotFound(
            f"{projector} is no projector but a model ({keys.get('general.architecture')}). "
            "Take the file whose name begins with mmproj."
        )
    if not keys.get("clip.has_vision_encoder"):
        raise ModelNotFound(f"The projector {projector} cannot see. Take one for pictures.")


def read_keys(path: Path) -> Keys:
    """Give a GGUF file's keys and values; of lists only their lengths.

    Raises:
        ModelNotFound: there is no such file, it is no GGUF file, or its header is damaged.
    """
    if not path.is_file():
        raise ModelNotFound(f"There is no file {path}. Name a GGUF file.")
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelNotFound(f"{path} is no GGUF file. Take a model in the GGUF format.")
            version, _, count = struct.unpack("<IQQ", file.read(20))
            if not 2 <= version <= 3 or count > _MOST_KEYS:
                raise ValueError(f"version {version}, {count} keys")
            size = path.stat().st_size
            return dict(_key(file, size) for _ in range(count))
    except (struct.error, ValueError, OSError) as exc:
        raise ModelNotFound(
            f"The GGUF file {path} is damaged or cut off ({exc}). Fetch it again."
        ) from exc


def _key(file: BinaryIO, size: int) -> tuple[str, Any]:
    name = _text(file, _LONGEST_KEY)
    (kind,) = struct.unpack("<I", file.read(4))
    return name, _value(file, kind, size)


def _value(file: BinaryIO, kind: int, size: int) -> Any:
    if kind == _STRING:
        return _text(file, size)
    if kind == _ARRAY:
        inner, count = struct.unpack("<IQ", file.read(12))
        if count > size:
            raise ValueError(f"a list of {count} values")
        _skip_list(file, inner, count, size)
        return count
    if kind not in _NUMBERS:
        raise ValueError(f"a value of kind {kind}")
    form = "<" + _NUMBERS[kind]
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _skip_list(file: BinaryIO, kind: int, count: int, size: int) -> None:
    if kind in _NUMBERS:
        file.seek(count * struct.calcsize("<" + _NUMBERS[kind]), 1)
    elif kind == _STRING:
        for _ in range(count):
            (length,) = struct.unpack("<Q", file.read(8))
            if length > size:
                raise ValueError(f"a text of {length} bytes")
            file.seek(length, 1)
    else:
        raise ValueError(f"a list of kind {kind}")
    if file.tell() > size:
        raise ValueError("a list longer than the file")


def _text(file: BinaryIO, longest: int) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > longest:
        raise ValueError(f"a text of {length} bytes")
    read = file.read(length)
    if len(read) < length:
        raise ValueError("it ends within a text")
    return read.decode(errors="replace")


def _check_parts(weights: Path, count: int) -> None:
    """Find all parts of a model in several files; llama.cpp is given the first."""
    if count == 1:
        return
    named = _PART.search(weights.name)
    if named is None or int(named[2]) != count:
        raise ModelNotFound(
            f"{weights} is one of {count} parts. Give them back their names, which end in "
            f"-00001-of-{count:05}.gguf and so on, and name the first."
        )
    if int(named[1]) != 1:
        raise ModelNotFound(f"{weights} is part {int(named[1])} of {count}. Name the first part.")
    for number in range(2, count + 1):
        part = weights.with_name(f"{weights.name[: named.start()]}-{number:05}-of-{count:05}.gguf")
        if not part.is_file():
            raise ModelNotFound(f"{part} is missing: the model has {count} parts.")
        read_keys(part)
