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
from memqa.ui.places import Places

PLACES = Places(local=True)


def reached(_request: Request) -> PlainTextResponse:
    """Answer from a thread, as Gradio does for a part of the page."""
    return PlainTextResponse("at this machine" if PLACES.local else "a visitor")


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
        assert page.get(f"/gradio_api/{path}").text == "at this machine"


@pytest.mark.parametrize(
    "added",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-Host": "hub.test", "Origin": "https://hub.test"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 hub"},
    ],
)
def test_whoever_comes_through_a_proxy_is_a_visitor(
    page: TestClient, added: dict[str, str]
) -> None:
    assert page.post("/gradio_api/component_server").text == "at this machine"
    assert page.post("/gradio_api/component_server", headers=added).text == "a visitor"
    assert page.post("/gradio_api/component_server").text == "at this machine"


def test_a_page_open_to_a_network_has_visitors_only() -> None:
    assert not Places(local=False).local
