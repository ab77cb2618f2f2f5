"""A hub on this machine: answers as the Hugging Face hub does, as far as its client asks."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
_LARGE = (".gguf", ".safetensors", ".bin")


@dataclass
class Hub:
    """Repositories by name, each file by name; ``asked`` keeps method, path and range.

    The first ``cuts`` answers with a large file's bytes end after ``cut_after`` of them.
    ``other_sums`` names files whose bytes are not those that the listing has the sum of.
    """

    repos: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    other_sums: set[str] = field(default_factory=set)
    cuts: int = 0
    cut_after: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""

    def gets(self, ending: str) -> list[str]:
        """The ranges of the requests for a file's bytes; empty for all of it."""
        return [r for method, path, r in self.asked if method == "GET" and path.endswith(ending)]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Answer requests on a port of this machine until the block ends."""

    class Handler(_Answers):
        of = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.of.asked.append((self.command, path, self.headers.get("Range", "")))
        parts = path.split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            self._listing("/".join(parts[2:4]))
        elif len(parts) >= 5 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self._say(404, b"")

    def _known(self, repo: str) -> bool:
        if repo in self.of.gated:
            self._say(403, b"{}", {"X-Error-Code": "GatedRepo"})
            return False
        if repo not in self.of.repos:
            self._say(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return False
        return True

    def _listing(self, repo: str) -> None:
        if not self._known(repo):
            return
        siblings: list[dict[str, Any]] = []
        for name, content in self.of.repos[repo].items():
            one: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": _git(content)}
            if name.endswith(_LARGE):
                one["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 130}
            siblings.append(one)
        listing = {"id": repo, "modelId": repo, "sha": COMMIT, "tags": [], "siblings": siblings}
        self._say(200, json.dumps(listing).encode())

    def _file(self, repo: str, name: str) -> None:
        if not self._known(repo):
            return
        content = self.of.repos[repo].get(name)
        if content is None:
            self._say(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        large = name.endswith(_LARGE)
        headers = {
            "ETag": f'"{sha256(content) if large else _git(content)}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        if large:
            headers["X-Linked-Etag"] = headers["ETag"]
            headers["X-Linked-Size"] = str(len(content))
        if name in self.of.other_sums:
            content = bytes(len(content))
        wanted = self.headers.get("Range")
        if wanted:
            first = int(wanted.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            content = content[first:]
        cut = None
        if self.command == "GET" and large and self.of.cuts:
            self.of.cuts -= 1
            cut = self.of.cut_after
        self._say(206 if wanted else 200, content, headers, cut)

    def _say(
        self,
        code: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
