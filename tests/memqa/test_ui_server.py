"""How the page's own command ends where it cannot serve."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gradio.route_utils import CustomCORSMiddleware
from starlette.applications import Starlette
from starlette.testclient import TestClient

from memqa.ui import main, server
from memqa.ui.terms import Terms
from models.errors import SetupError


def test_a_taken_port_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def taken(home: str | None, terms: Terms) -> None:
        raise SetupError(f"{terms.host}:{terms.port} cannot be opened")

    monkeypatch.setattr(server, "launch", taken)
    with pytest.raises(SystemExit) as leaving:
        main(["--port", "7999"])
    assert leaving.value.code == 3
    assert capsys.readouterr().err == "memqa: 127.0.0.1:7999 cannot be opened\n"


def test_bad_settings_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "memqa.toml").write_text("colour = = 'red'\n", encoding="utf-8")
    monkeypatch.setenv("MEMQA_CONFIG", str(tmp_path / "memqa.toml"))
    with pytest.raises(SystemExit) as leaving:
        main(["--home", str(tmp_path / "home")])
    assert leaving.value.code == 3
    assert capsys.readouterr().err.startswith("memqa: ")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_this_machine_is_served_by_ipv6_too(host: str) -> None:
    assert Terms(host=host).local
    assert server._place(Terms(host=host)) == {"server_name": "[::1]", "server_port": 7860}
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert server._place(Terms(host=host, port=0))["server_port"]


def test_a_network_is_not_served_by_oversight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--home", str(tmp_path / "home"), "--host", "0.0.0.0"])
    assert leaving.value.code == 3
    said = capsys.readouterr().err
    assert all(way in said for way in ("0.0.0.0", "--auth", "--auth-file", "--open-to-all"))
    assert not (tmp_path / "home").exists()


def test_who_may_log_in_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMQA_AUTH", "ada:a secret")
    users = Terms().users()
    assert users is not None
    assert users.admit("ada", "a secret")
    assert not users.are_apart
    assert "MEMQA_AUTH" not in os.environ  # no process that is started can read it
    assert Terms().users() is None
    with pytest.raises(SetupError, match="give one of them"):
        Terms(open_to_all=True).check(users)
    with pytest.raises(SetupError, match="give one of them"):
        Terms(auth="ada:a secret", auth_file=tmp_path / "users").users()


@pytest.mark.parametrize("auth", ["ada", "ada:", ":secret", ""])
def test_half_a_password_is_none(auth: str) -> None:
    with pytest.raises(SetupError, match="USER:PASSWORD"):
        Terms(auth=auth).users()
    users = Terms(auth="ada:se:cret").users()
    assert users is not None
    assert users.admit("ada", "se:cret")


def test_a_certificate_goes_with_its_key(tmp_path: Path) -> None:
    cert = tmp_path / "cert.pem"
    with pytest.raises(SetupError, match="--cert and --key"):
        Terms(cert=cert).check(None)
    with pytest.raises(SetupError, match="there is no file"):
        Terms(cert=cert, key=cert).check(None)
    cert.write_text("no certificate", encoding="utf-8")
    with pytest.raises(SetupError, match="no certificate with its key"):
        Terms(cert=cert, key=cert).check(None)


def test_a_port_that_there_cannot_be_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--home", str(tmp_path / "home"), "--port", "99999"])
    assert leaving.value.code == 3
    assert "0 to 65535" in capsys.readouterr().err


def test_that_passwords_go_in_the_clear_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    terms = Terms(host="0.0.0.0", auth="ada:a secret")
    terms.check(terms.users())
    assert "over the network as they are typed" in capsys.readouterr().err
    Terms(host="0.0.0.0", open_to_all=True).check(None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("origin", ["http://evil.corp.test", "http://memqa.corp.test:7860"])
def test_no_other_site_is_granted_anything_beforehand(origin: str) -> None:
    """A proxy's header may only come with a preflight, which Gradio grants any site."""
    config = SimpleNamespace(encoded_headers=[(b"server", b"x")], limit_concurrency=None)
    config.loaded_app = CustomCORSMiddleware(Starlette())
    page: Any = SimpleNamespace(server=SimpleNamespace(config=config))
    server._restrain(page)
    asked = {"Access-Control-Request-Method": "POST", "Origin": origin}
    asked["Access-Control-Request-Headers"] = "x-forwarded-host"
    client = TestClient(config.loaded_app, base_url="http://memqa.corp.test:7860")
    answer = client.options("/gradio_api/component_server/", headers=asked)
    assert answer.status_code == 405
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/nothing").status_code == 404


def test_ctrl_c_closes_the_page_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(seconds: float) -> None:
        raise KeyboardInterrupt

    closed: list[bool] = []
    page: Any = SimpleNamespace(is_running=True, close=lambda *, verbose: closed.append(verbose))
    monkeypatch.setattr(server.time, "sleep", pressed)
    server._wait(page)
    assert closed == [False]
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "memqa: stopped.\n")
