"""A web site on this machine whose answers a test writes: bodies, headers, refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What a server on this machine gives: bodies and headers by path; ``asked`` what came."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    takes_head: bool = True

    def at(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def methods(self) -> list[str]:
        return [method for method, *_ in self.asked]


@contextmanager
def served() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            site.asked.append((self.command, self.path, self.headers.get("authorization", "")))
            body = site.files.get(self.path)
            code = site.codes.get(self.path, 200 if body is not None else 404)
            if self.command == "HEAD" and not site.takes_head:
                code = 405
            body = (body or b"") if code == 200 else b""
            headers = {"Content-Length": str(len(body))} | site.headers.get(self.path, {})
            self.send_response(code)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            if headers["Content-Length"] != str(len(body)):
                self.close_connection = True
                self.send_header("Connection", "close")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            del arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.port = server.server_port
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
