"""What the page's guard turns away, and whom it takes for somebody at this machine."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from memqa.ui.guard import Guard


def reached(_request: Request) -> PlainTextResponse:
    """Answer from a thread, as Gradio does for a part of the page."""
    return PlainTextResponse("reached")


@pytest.fixture
def page() -> TestClient:
    every = Route("/{path:path}", reached, methods=["GET", "HEAD", "POST"])
    app = Starlette(routes=[every], middleware=[Middleware(Guard, loopback_only=True)])
    return TestClient(app, base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "away",
    [
        "file=http://127.0.0.1:9/x",
        "file=https://example.com/",
        "file/http://127.0.0.1:9/x",
        "file/https://example.com/",
        "file/HTTPS://example.com/",
        "file=http%3A%2F%2F127.0.0.1:9/x",
        "file/http%253A%252F%252F127.0.0.1:9/x",
        "file%2Fhttp://127.0.0.1:9/x",
        "file//http://127.0.0.1:9/x",
        "proxy=http://a.hf.space",
    ],
)
def test_nothing_is_fetched_for_anyone(page: TestClient, method: str, away: str) -> None:
    for prefix in ("", "/gradio_api"):
        assert page.request(method, f"{prefix}/{away}").status_code == 403


def test_files_of_this_machine_are_let_through(page: TestClient) -> None:
    for path in ("file=/tmp/https.mp4", "file/tmp/http.mp4", "file=/my file/http.mp4"):
        assert page.get(f"/gradio_api/{path}").text == "reached"
