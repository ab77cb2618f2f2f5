"""Knows the child's side of a conversation with ``models/child.py``: one request, answers, limits.

The request is one JSON line on stdin. Each answer on stdout is two little-endian uint32 (lengths of
header and payload), a JSON header with ``kind``, and raw bytes.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO, TypeAlias

from models.errors import MemqaError

Answer: TypeAlias = tuple[dict[str, Any], bytes]
Answering: TypeAlias = Callable[[dict[str, Any]], Iterable[Answer]]


def serve(answers: Mapping[str, Answering]) -> None:
    """Answer the one request on stdin by what it says to ``do``, then end the process."""
    out = take_stdout()
    request = json.loads(sys.stdin.readline())
    _limit_memory(request["address_space_bytes"])
    try:
        for header, payload in answers[request["do"]](request):
            _send(out, header, payload)
    except MemqaError as exc:
        _send(out, {"kind": "error", "type": type(exc).__name__, "message": str(exc)})
    except MemoryError:
        _send(out, {"kind": "error", "type": "DecodeFailed", "message": "out of memory"})
    out.flush()
    os._exit(0)  # decoders' threads may hang in their destructors


def take_stdout() -> BinaryIO:
    """Keep the pipe to ourselves: what libraries print to stdout goes to stderr instead."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _send(out: BinaryIO, header: dict[str, Any], payload: bytes = b"") -> None:
    head = json.dumps(header).encode()
    out.write(struct.pack("<II", len(head), len(payload)))
    out.write(head)
    out.write(payload)
    out.flush()


def _limit_memory(limit_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the parent still watches the resident size
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
