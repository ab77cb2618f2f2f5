"""What may be asked of the server at all, and what one request may cost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from memqa.ui import gate
from memqa.ui.gate import Gate
from memqa.ui.guard import Guard
from memqa.ui.login import Login
from memqa.ui.places import Places

CALL, UPLOAD = "/gradio_api/component_server/", "/gradio_api/upload"
POLICY = {
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "cache-control",
}


class _Site:
    """The server with our middleware over an app that reads what it is sent."""

    def __init__(self, folder: Path, *, local: bool) -> None:
        self.limits = SimpleNamespace(max_upload_bytes=5000, min_free_bytes=0)
        self.places, self.cache = Places(local=local), folder / "cache"
        self.cache.mkdir()
        self.shown = folder / "film.mp4"
        self.shown.write_bytes(b"film")
        library: Any = SimpleNamespace(settings=SimpleNamespace(limits=self.limits))
        page: Any = SimpleNamespace(allowed_paths=[str(self.shown.resolve())])
        self.places.serve_by(page)
        middleware = [
            Middleware(Guard, loopback_only=local),
            Middleware(Login, users=None, local=local),
            Middleware(Gate, library=library, places=self.places, cache=self.cache),
        ]
        routes = [Route("/{path:path}", self._read, methods=["GET", "HEAD", "POST"])]
        self.app = Starlette(routes=routes, middleware=middleware)
        self.client = TestClient(self.app, base_url="http://127.0.0.1:7860")

    async def _read(self, request: Request) -> PlainTextResponse:
        body = await request.body()
        if body == b'"break"':
            raise RuntimeError(f"the key lies in {__file__}")
        if body == b"{":
            raise KeyError("no such component")
        return PlainTextResponse(f"read {len(body)}")

    def call(self, body: bytes = b"{}", **headers: str) -> Any:
        headers = {"Content-Type": "application/json", **headers}
        return self.client.post(CALL, content=body, headers=headers)


@pytest.fixture
def site(tmp_path: Path) -> _Site:
    """Serve as to somebody at this machine."""
    return _Site(tmp_path, local=True)


@pytest.fixture
def away(tmp_path: Path) -> _Site:
    """Serve as to a visitor."""
    return _Site(tmp_path, local=False)


@pytest.mark.parametrize(
    "path",
    [
        *("/config", "/config/", "/docs", "/openapi.json", "/monitoring", "/monitoring/summary"),
        *("/manifest.json", "/pwa_icon", "/favicon.ico", "/logout", "/a/../config", "//"),
        *(
            f"/gradio_api/{one}"
            for one in (
                *("info", "openapi.json", "queue/join", "queue/data", "queue/status", "call/look"),
                *("run/look", "api/look", "cancel", "reset", "heartbeat/x", "token", "user"),
                *("upload_progress", "stream/x", "process_recording", "vibe-edit", "deep_link"),
                *("dev/reload", "app_id", "login_check", "file/etc/passwd", "runs", "mcp"),
                *("component_server/look", "upload/", "custom_component/a/b/c/d"),
            )
        ),
    ],
)
def test_what_the_page_does_not_need_is_not_there(site: _Site, path: str) -> None:
    for method in ("GET", "POST"):
        answer = site.client.request(method, f"http://127.0.0.1:7860{path}")
        assert answer.status_code == 404, path
        assert answer.text.startswith("There is nothing here")
        assert set(answer.headers) >= POLICY


def test_only_files_on_show_are_read(site: _Site, tmp_path: Path) -> None:
    (tmp_path / "desk.json").write_text("{}")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "desk.json")
    assert site.client.get(f"/gradio_api/file={site.shown}").status_code == 200
    for other in (
        tmp_path / "desk.json",
        tmp_path / "link.mp4",
        tmp_path,
        site.cache,
        f"{site.shown}/../desk.json",
        f"{site.shown}/x",
        "/etc/passwd",
        "film.mp4",
        "x" * 5000,
        "%00",
        f"{site.shown}%00",
    ):
        answer = site.client.get(f"/gradio_api/file={other}")
        assert answer.status_code == 404, other


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("PUT", "/", 405),
        ("DELETE", "/gradio_api/file=/etc/passwd", 405),
        ("OPTIONS", "/", 405),
        ("GET", CALL, 405),
        ("GET", UPLOAD, 405),
    ],
)
def test_only_what_the_page_does_can_be_done(
    site: _Site, method: str, path: str, status: int
) -> None:
    answer = site.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["allow"]
    assert set(answer.headers) >= POLICY


def test_a_call_is_json_of_bounded_size(site: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_MOST_CALL_BYTES", 1000)
    assert site.call(b"x" * 1000).text == "read 1000"
    assert site.call(b"x" * 1001).status_code == 413
    other = site.client.post(CALL, files={"files": b"x"})
    assert other.status_code == 415
    assert site.call(**{"Content-Length": "x"}).status_code == 411


def test_a_length_is_announced_and_kept(site: _Site) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"{}"

    headers = {"Content-Type": "application/json"}
    assert site.client.post(CALL, content=pieces(), headers=headers).status_code == 411
    assert site.client.post(UPLOAD, content=pieces()).status_code == 411
    more = site.client.post(UPLOAD, content=b"x" * 50, headers={"Content-Length": "10"})
    assert more.status_code == 413


def test_what_does_not_arrive_is_not_waited_for(
    site: _Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "IDLE_S", 0.05)
    sent: list[Any] = []

    async def nothing() -> Any:
        await anyio.sleep(30)

    async def keep(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:7860"), (b"content-length", b"50")]
    scope = {"type": "http", "method": "POST", "path": UPLOAD, "headers": headers}
    scope |= {"query_string": b"", "http_version": "1.1", "client": ("127.0.0.1", 5)}
    with ThreadPoolExecutor() as aside:  # this thread may drive a browser in a loop of its own
        aside.submit(anyio.run, site.app, scope, nothing, keep).result()
    assert sent[0]["status"] == 408
    assert b"did not arrive in time" in sent[1]["body"]


def test_uploads_leave_room_on_the_disk(site: _Site) -> None:
    assert site.client.post(UPLOAD, content=b"x" * 100).text == "read 100"
    site.limits.min_free_bytes = 10**18
    full = site.client.post(UPLOAD, content=b"x" * 100)
    assert full.status_code == 507
    assert full.text == "The disk of this library is nearly full; forget something first."


def test_what_is_on_its_way_counts_as_on_the_disk(
    site: _Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert site.client.post(UPLOAD, content=b"x" * 900).status_code == 200
    inside: Any = site.app.middleware_stack
    while not isinstance(inside, Gate):
        inside = inside._app if hasattr(inside, "_app") else inside.app
    with inside._expected(500):
        assert site.client.post(UPLOAD, content=b"x" * 600).status_code == 507
    assert site.client.post(UPLOAD, content=b"x" * 600).status_code == 200


def test_a_file_that_is_too_large_is_refused_before_it_comes(site: _Site) -> None:
    too_large = {"Content-Length": "2000000"}
    answer = site.client.post(UPLOAD, content=b"", headers=too_large)
    assert (answer.status_code, answer.text) == (413, "Files of up to 5\u00a0kB are taken here.")


def test_visitors_send_so_many_a_minute_and_the_owner_as_many_as_they_like(
    site: _Site, tmp_path: Path
) -> None:
    for _ in range(70):
        assert site.client.post(UPLOAD, content=b"x").status_code == 200
    other = tmp_path / "other"
    other.mkdir()
    visited = _Site(other, local=False)
    answers = [visited.client.post(UPLOAD, content=b"x").status_code for _ in range(61)]
    assert answers == [200] * 60 + [429]
    late = visited.client.post(UPLOAD, content=b"x")
    assert late.text.startswith("Too many files are sent; wait ")
    assert int(late.headers["retry-after"]) <= 61


def test_a_visitor_calls_so_often_a_minute(away: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_CALLS", (3, 60.0))
    client = away.client
    assert [away.call().status_code for _ in range(4)] == [200, 200, 200, 429]
    client.cookies.clear()
    assert away.call().status_code == 429, "another browser of the same address is no other"


def test_a_visitor_has_so_many_calls_going(away: _Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_CALLS_AT_ONCE", 0)
    answer = away.call()
    assert (answer.status_code, answer.text[:16]) == (429, "Too much is aske")


def test_what_fails_is_a_sentence_with_a_mark_that_the_log_has(
    site: _Site, error_log: list[logging.LogRecord]
) -> None:
    answer = site.call(b'"break"')
    assert answer.status_code == 500
    mark = answer.text.rpartition(" ")[2].rstrip(".")
    assert answer.text == f"Something went wrong here; the log of memqa says what, at {mark}."
    assert set(answer.headers) >= POLICY
    assert mark in error_log[0].getMessage()
    assert error_log[0].exc_info is not None
    error_log.clear()


def test_what_cannot_be_read_fills_no_log(site: _Site, caplog: pytest.LogCaptureFixture) -> None:
    answer = site.call(b"{")
    assert (answer.status_code, answer.text[:19]) == (400, "This cannot be read")
    assert [record.levelname for record in caplog.records if "memqa" in record.name] == ["WARNING"]
    assert "such component" not in caplog.text


def test_nobody_opens_a_websocket(site: _Site) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), site.client.websocket_connect("/gradio_api/x"):
        pass


def test_gradios_own_code_may_be_kept_by_browsers(site: _Site) -> None:
    assert "cache-control" not in site.client.get("/assets/index.js").headers
    assert site.client.get("/").headers["cache-control"] == "no-store"
    file = site.client.get(f"/gradio_api/file={site.shown}")
    assert file.headers["cache-control"] == "no-store"
