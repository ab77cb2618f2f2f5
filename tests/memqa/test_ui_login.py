"""The way in: who is answered, how sessions end, and how guessing is slowed."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from memqa import users
from memqa.ui.guard import Guard
from memqa.ui.login import Login
from memqa.ui.login_page import account_html, login_html
from memqa.ui.sessions import IDLE_S, LIFE_S, Sessions, Tries
from memqa.ui.visitors import household, visitor
from memqa.users import Users
from tests.memqa.test_ui_limits import Clock


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "_LOG2_N", 10)
    monkeypatch.setattr(users, "_P", 1)
    monkeypatch.setattr(users, "_NOBODYS", f"scrypt:10:8:1:{'0' * 32}:{'0' * 64}")


def told(_request: Request) -> PlainTextResponse:
    """Say, from a thread, who is being answered."""
    whom = visitor()
    return PlainTextResponse(f"{whom.key}|{whom.name}|{whom.counted_as}")


def page(people: Users | None, *, local: bool = True, scheme: str = "http") -> TestClient:
    middleware = [
        Middleware(Guard, loopback_only=local),
        Middleware(Login, users=people, local=local),
    ]
    routes = [Route("/{path:path}", told, methods=["GET", "HEAD", "POST"])]
    app = Starlette(routes=routes, middleware=middleware)
    return TestClient(app, base_url=f"{scheme}://127.0.0.1:7860", follow_redirects=False)


def team() -> Users:
    names = ("ada", "ben")
    return Users({name: users.hashed(f"{name} is here") for name in names}, are_apart=True)


def log_in(client: TestClient, name: str, password: str | None = None) -> int:
    said = {"name": name, "password": password or f"{name} is here"}
    return client.post("/login", data=said).status_code


def test_nobody_is_answered_who_has_not_logged_in() -> None:
    client = page(team())
    first = client.get("/")
    assert first.status_code == 401
    assert 'type="password"' in first.text
    for path in ("/config", "/assets/x.js", "/gradio_api/file=/etc/passwd", "/theme.css"):
        answer = client.get(path)
        assert (answer.status_code, answer.text[:12]) == (401, "Log in first")
    assert client.post("/gradio_api/component_server", json={}).status_code == 401
    assert client.get("/gradio_api/startup-events").status_code == 200


def test_a_user_is_known_by_a_cookie_that_scripts_cannot_read() -> None:
    client = page(team())
    answer = client.post("/login", data={"name": "ada", "password": "ada is here"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"} < {*cookie.split("; ")}
    assert "Secure" not in cookie
    assert client.get("/").text == "user:ada|ada|user ada"
    assert client.post("/any", headers={"Origin": "http://evil.test"}).status_code == 403


def test_behind_tls_the_cookie_is_secure_and_the_browser_stays_there() -> None:
    client = page(team(), local=False, scheme="https")
    client.base_url = client.base_url.copy_with(host="library.test", port=None)
    answer = client.post("/login", data={"name": "ada", "password": "ada is here"})
    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in page(team(), scheme="https").get("/").headers


def test_one_person_alone_is_the_owner() -> None:
    client = page(users.of_pair("ada:secret"))
    assert log_in(client, "ada", "secret") == 303
    assert client.get("/").text == "|ada|user ada"


def test_a_wrong_password_says_no_more_than_that() -> None:
    client = page(team())
    wrong = client.post("/login", data={"name": "ada", "password": "<b>"})
    nobody = client.post("/login", data={"name": "<i>eve", "password": "x"})
    assert wrong.status_code == nobody.status_code == 401
    for answer in (wrong, nobody):
        assert "This name and password do not go together." in answer.text
        assert "set-cookie" not in answer.headers
    assert "<i>" not in nobody.text
    assert "<b>" not in wrong.text


@pytest.mark.parametrize(
    "sent",
    [
        {"content": b"name=ada&password=ada+is+here"},  # no form
        {"json": {"name": "ada", "password": "ada is here"}},
        {"data": {"name": "ada"}},
        {"data": {"name": "ada", "password": "x" * 10_000}},
        {"data": {f"f{n}": "x" for n in range(20)}},
        {
            "content": b"name=\xff",
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        },
    ],
)
def test_what_is_no_form_logs_nobody_in(sent: dict[str, object]) -> None:
    assert page(team()).post("/login", **sent).status_code == 401  # type: ignore[arg-type]


def test_who_logs_out_is_out_everywhere_that_secret_was_used() -> None:
    client = page(team())
    log_in(client, "ada")
    kept = dict(client.cookies)
    assert client.post("/logout").status_code == 303
    assert client.get("/").status_code == 401
    client.cookies.update(kept)
    assert client.get("/").status_code == 401
    assert client.get("/logout").status_code == 401  # a link logs nobody out
    assert client.get("/login").headers["location"] == "./"


def test_guessing_is_slowed_for_an_address() -> None:
    client = page(team())
    for _ in range(10):
        assert log_in(client, "ada", "wrong") == 401
    late = client.post("/login", data={"name": "ada", "password": "ada is here"})
    assert late.status_code == 429
    assert "Too many tries. Wait 15 minutes, then try again." in late.text


def test_a_name_is_not_locked_for_the_address_it_comes_from() -> None:
    clock = Clock()
    tries = Tries(clock=clock)
    tries.succeeded("192.0.2.1", "ada")
    for n in range(60):
        tries.failed(f"198.51.100.{n}", "ada")
    assert tries.wait_s("203.0.113.9", "ada") > 0
    assert tries.wait_s("192.0.2.1", "ada") == 0
    assert tries.wait_s("203.0.113.9", "ben") == 0
    clock.now_s += 3601
    assert tries.wait_s("203.0.113.9", "ada") == 0


def test_sessions_end() -> None:
    clock = Clock()
    sessions = Sessions(clock=clock)
    idle, busy = sessions.begin("ada"), sessions.begin("ada")
    clock.now_s += IDLE_S - 1
    assert sessions.name_of(busy) == "ada"
    clock.now_s += 2
    assert sessions.name_of(idle) is None
    for _ in range(int(LIFE_S // IDLE_S)):
        assert sessions.name_of(busy) == "ada"
        clock.now_s += IDLE_S - 3000
    clock.now_s = 1000 + LIFE_S + 1
    assert sessions.name_of(busy) is None
    assert sessions.name_of("") is None


def test_sessions_are_few() -> None:
    sessions = Sessions()
    first = sessions.begin("ada")
    for _ in range(20):
        sessions.begin("ada")
    assert sessions.name_of(first) is None
    for n in range(2500):
        sessions.begin(f"user{n}")
    assert len(sessions._open) == 2000


def test_at_the_machine_itself_there_is_one_owner() -> None:
    client = page(None)
    answer = client.get("/")
    assert answer.text == "||"
    assert "set-cookie" not in answer.headers


def test_visitors_without_a_name_are_told_apart_by_their_browser() -> None:
    for local, headers in ((False, {}), (True, {"X-Forwarded-For": "203.0.113.9"})):
        one, other = page(None, local=local), page(None, local=local)
        first = one.get("/", headers=headers)
        assert first.text.startswith("visitor:")
        assert "HttpOnly" in first.headers["set-cookie"]
        again = one.get("/", headers=headers)
        assert again.text == first.text
        assert "set-cookie" not in again.headers
        assert other.get("/", headers=headers).text != first.text
        made_up = {**headers, "Cookie": "memqa-visitor-7860=me"}
        assert other.get("/", headers=made_up).headers["set-cookie"]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("made up 4711", "somewhere"),
        ("", "somewhere"),
    ],
)
def test_addresses_are_counted_by_household(address: str, counted: str) -> None:
    assert household(address) == counted


def test_the_login_page_asks_nobody_else_for_anything() -> None:
    html = login_html("<script>", name='"><script>')
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")
    assert "You are logged in as &lt;b&gt;." in account_html("<b>")
