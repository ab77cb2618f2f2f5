"""The page as a server: logging in, two users side by side, and strangers without a name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from memqa import users
from tests.e2e.pages import ask, barriers, card, look, look_everywhere, new_tab, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

PASSWORD = "{} is here"
QUESTION = "What are the water bottles used for?"


@pytest.fixture(scope="module")
def home(copy_of_samples: Callable[[], Path]) -> Path:
    return copy_of_samples()


@pytest.fixture(scope="module")
def address(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve to two users, who may ask twice a minute each."""
    team = tmp_path_factory.mktemp("team") / "team.txt"
    users.write(team, {one: users.checked(one, PASSWORD.format(one)) for one in ("ada", "ben")})
    environment = {"MEMQA_LIMITS__ASKS_PER_MINUTE": "2"}
    with served(home, environment, terms=["--auth-file", str(team)]) as address:
        yield address


@contextmanager
def logged_in(browser: Browser, address: str, name: str) -> Iterator[Page]:
    """Log in as a person does, in a browser of one's own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(address)
    fill(page, name, PASSWORD.format(name))
    page.wait_for_selector(card("sample.mp4"), timeout=60_000)
    yield page
    context.close()


def fill(page: Page, name: str, password: str) -> None:
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.click("text=Log in >> nth=-1")


@pytest.fixture(scope="module")
def ada(browser: Browser, address: str) -> Iterator[Page]:
    with logged_in(browser, address, "ada") as page:
        yield page


@pytest.fixture(scope="module")
def ben(browser: Browser, address: str) -> Iterator[Page]:
    with logged_in(browser, address, "ben") as page:
        yield page


class _Caller:
    """Calls the page's Python as its scripts do, without a browser."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        found = re.search(r"window\.gradio_config = (\{.*?\});</script>", self.http.get("/").text)
        assert found is not None
        parts = json.loads(found[1])["components"]
        self._ids = {one["props"].get("elem_id"): one["id"] for one in parts}

    def __call__(self, part: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
        body = {
            "session_hash": "anyone",
            "component_id": self._ids[f"memqa-{part}"],
            "fn_name": name,
            "data": data,
        }
        answer = self.http.post("/gradio_api/component_server/", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def test_the_way_in_is_fit_to_be_shown(browser: Browser, address: str) -> None:
    page = browser.new_page()
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 401
    look_everywhere(page, "login")
    fill(page, "ada", "wrong")
    page.wait_for_selector('.error:has-text("do not go together")')
    assert page.input_value("input[name=name]") == "ada"
    assert page.evaluate("document.activeElement.name") == "password"
    look(page, "login-wrong")
    assert not barriers(page)
    page.close()


def test_each_user_has_chats_and_ticks_of_their_own(ada: Page, ben: Page) -> None:
    turn = ask(ada, QUESTION)
    assert "bottles" in ada.inner_text(turn)
    ada.uncheck(f"{card('sample.pdf')} input[type=checkbox]")
    ben.reload()
    ben.wait_for_selector(card("sample.pdf"))
    ben.wait_for_selector(".suggestions")
    assert ben.locator(".turn").count() == 0
    assert ben.locator(".chats option").count() == 1
    assert ben.is_checked(f"{card('sample.pdf')} input[type=checkbox]")
    ada.reload()
    ada.wait_for_selector(".turn")
    assert not ada.is_checked(f"{card('sample.pdf')} input[type=checkbox]")


def test_both_see_the_same_film(ada: Page, ben: Page) -> None:
    for page in (ada, ben):
        page.click(f"{card('sample.mp4')} a.open")
        page.wait_for_function("document.querySelector('video')?.readyState >= 2")
        page.evaluate("document.querySelector('video').currentTime = 3")
        page.wait_for_function("!document.querySelector('video').seeking")


def test_too_many_questions_are_told_so(ada: Page) -> None:
    ask(ada, QUESTION)
    ada.fill("#memqa-question", QUESTION)
    ada.press("#memqa-question", "Enter")
    ada.wait_for_selector('.chat-error:has-text("2 questions within a minute; wait")')
    look(ada, "asked-too-often")


def test_users_reach_nothing_of_the_machine_itself(ada: Page) -> None:
    assert ada.locator(".path-box").count() == 0
    assert ada.locator(".live-address").count() == 0
    ada.click(".open-settings")
    ada.wait_for_selector("#memqa-choices[open] .account")
    assert ada.locator("#memqa-choices :is(select, .settings-body input):enabled").count() == 0
    look_everywhere(ada, "account")


def test_who_logs_out_is_out_in_every_tab(ada: Page, address: str) -> None:
    other = new_tab(ada.context, address)[0]
    ada.reload()
    ada.click(".open-settings")
    ada.click("text=Log out")
    ada.wait_for_selector("input[name=password]")
    other.wait_for_selector("input[name=password]")  # it finds out by itself
    other.close()


def test_without_logging_in_nothing_is_answered(address: str, home: Path) -> None:
    film = quote(str(next((home).rglob("*.sqlite"))))
    for path in (
        "config",
        "theme.css",
        "assets/x.js",
        f"gradio_api/file={film}",
        "gradio_api/info",
    ):
        answer = httpx.get(f"{address}{path}")
        assert (answer.status_code, answer.text) == (401, "Log in first: open the page anew.")
    for path in ("component_server", "upload", "queue/join", "cancel", "run/look"):
        assert httpx.post(f"{address}gradio_api/{path}", json={}).status_code == 401
    assert "server" not in httpx.get(address).headers
    foreign = {"Origin": "http://evil.test", "Access-Control-Request-Method": "POST"}
    assert httpx.options(address, headers={**foreign, "Host": "memqa.test"}).status_code == 405


@pytest.fixture(scope="module")
def strangers(copy_of_samples: Callable[[], Path], tmp_path_factory: Any) -> Iterator[str]:
    """Serve to everyone, by TLS, on a disk that is taken for nearly full."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True, timeout=60)
    terms = ["--host", "0.0.0.0", "--open-to-all", "--cert", str(cert), "--key", str(key)]
    environment = {"MEMQA_LIMITS__MIN_FREE_BYTES": str(10**18)}
    with served(copy_of_samples(), environment, terms=terms) as address:
        yield address


@pytest.fixture
def one(strangers: str) -> Iterator[_Caller]:
    with httpx.Client(base_url=strangers, timeout=60, verify=False) as http:
        yield _Caller(http)


@pytest.fixture
def other(strangers: str) -> Iterator[_Caller]:
    with httpx.Client(base_url=strangers, timeout=60, verify=False) as http:
        yield _Caller(http)


def test_strangers_are_told_apart_and_kept_in_bounds(one: _Caller, other: _Caller) -> None:
    begun = one("chat", "ask", {"question": QUESTION})
    version, running = 0, True
    while running:
        news = one("chat", "follow", {"chat": begun["chat"], "version": version})
        version, running = news["version"], news["running"]
    assert QUESTION in one("chat", "talk", {})["html"]
    for named in ({}, {"chat": begun["chat"]}):
        assert QUESTION not in json.dumps(other("chat", "talk", named))
    refused = (
        ("shelf", "add_path", {"path": "/etc/passwd"}),
        ("live", "watch", {"address": "screen"}),
        ("settings", "change", {"name": "tier", "value": "D"}),
        ("settings", "use", {"port": "language_model", "name": "/etc/passwd"}),
        ("shelf", "add_upload", {"path": "/etc/passwd", "name": "x"}),
        ("shelf", "retry", {"path": "/etc/passwd"}),
        ("stage", "open_media", {"media": "/etc/passwd"}),
    )
    for part, name, data in refused:
        assert other(part, name, data)["error"], f"{part}.{name}"
    sent = other.http.post("/gradio_api/upload", files={"files": ("x.txt", b"The ferry leaves.")})
    assert sent.status_code == 507
    cookie = other.http.get("/", headers={"Cookie": "x=1"}).headers["set-cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Lax"} < {*cookie.split("; ")}


def test_nothing_unexpected_is_told(one: _Caller) -> None:
    for content in (b"", b"{", b"[]", b"{}", b'{"component_id": {}}', b"\xff"):
        for path in ("/gradio_api/component_server", "/gradio_api/upload", "/login", "/"):
            headers = {"Content-Type": "application/json"}
            answer = one.http.post(path, content=content, headers=headers)
            expected = (507,) if path.endswith("upload") else (400, 404, 405, 415)
            assert answer.status_code in expected, (path, content, answer.status_code)
            assert "Traceback" not in answer.text
            assert "/" not in answer.text.replace("at /.", ""), answer.text
            assert answer.headers["x-content-type-options"] == "nosniff"
