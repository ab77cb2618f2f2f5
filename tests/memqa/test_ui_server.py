"""How the page's own command ends where it cannot serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from memqa.ui import main, server
from models.errors import SetupError


def test_a_taken_port_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def taken(home: str | None, *, host: str, port: int, auth: str | None) -> None:
        raise SetupError(f"{host}:{port} cannot be opened")

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
