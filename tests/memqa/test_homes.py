"""Addresses of libraries: what is one, which folder stands for it, and whom it is believed of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memqa import door, effective, homes, settings
from memqa.homes import address_of, home_named, told
from models.errors import InputError, SetupError


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(homes, "user_data_path", lambda name, **_: tmp_path / "data" / name)
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("s3://lectures", "s3://lectures"),
        ("s3://lectures/", "s3://lectures"),
        ("S3://lectures/Fall 2026".replace(" ", "-"), "s3://lectures/Fall-2026"),
        ("s3://le.ctu-res/a/b/", "s3://le.ctu-res/a/b"),
        (Path("s3://lectures/a"), "s3://lectures/a"),
        ("gs://lectures/ü", "gs://lectures/ü"),
        ("az://lectures/a", "az://lectures/a"),
    ],
)
def test_an_address_has_a_folder_of_its_own(
    named: str | Path, address: str, own_data: Path
) -> None:
    home = home_named(named)
    assert home.is_dir()
    assert home.is_relative_to(own_data)
    assert home == home_named(address)
    assert told(home) == address
    found = address_of(home)
    assert found is not None
    assert found.bucket == address.split("/a")[0].split("/F")[0].split("/ü")[0]
    assert found == address_of(home_named(address)), "a machine keeps its name"


@pytest.mark.parametrize(
    "wrong",
    [
        "s3://",
        "s3:///x",
        "s3://AKIAKEY:geheim@lectures/x",
        "s3://lectures/x?key=geheim",
        "s3://lectures/x#geheim",
        "s3://lectures/../geheim",
        "s3://lectures/a//b",
        "s3://lectures/%2e%2e/x",
        "s3://lectures/a\nb",
        "http://geheim.example/x",
        "s3a://lectures/geheim",
    ],
)
def test_what_is_no_address_is_refused_and_not_said_again(wrong: str, own_data: Path) -> None:
    with pytest.raises(SetupError, match=r"s3://BUCKET/PREFIX") as caught:
        home_named(wrong)
    assert "geheim" not in str(caught.value)
    assert not own_data.exists()


def test_a_folder_stays_a_folder(tmp_path: Path, own_data: Path) -> None:
    for name in ("home", "s3", "a:b", "C:"):
        home = home_named(tmp_path / name)
        assert home == (tmp_path / name).resolve()
        assert address_of(home) is None
        assert told(home) == str(home)
    assert not own_data.exists()


def test_a_folder_from_elsewhere_leads_nowhere(tmp_path: Path) -> None:
    ours = home_named("s3://lectures/a")
    theirs = tmp_path / ours.name
    theirs.mkdir()
    (theirs / "address.json").write_bytes((ours / "address.json").read_bytes())
    assert address_of(theirs) is None

    (ours / "address.json").write_text(json.dumps({"address": "s3://theirs", "machine": "m"}))
    with pytest.raises(SetupError, match="stands for"):
        address_of(ours)
    (ours / "address.json").write_text("{")
    with pytest.raises(SetupError, match="cannot be read"):
        address_of(ours)


def test_the_same_address_at_another_endpoint_is_another_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = home_named("s3://lectures/a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://storage.example")
    there = home_named("s3://lectures/a")
    assert there != here
    with pytest.raises(SetupError, match="AWS_ENDPOINT_URL"):
        address_of(here)


def test_every_way_to_name_a_library_takes_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_named("s3://lectures/a")
    assert settings.load(home="s3://lectures/a").home == home
    assert door.home_of(home) == home

    monkeypatch.setenv("MEMQA_HOME", "s3://lectures/a")
    assert settings.load().home == door.home_of(None) == home
    (value,) = [one.value for one in effective.effective() if one.name == "home"]
    assert value == "s3://lectures/a"

    monkeypatch.delenv("MEMQA_HOME")
    (tmp_path / "memqa.toml").write_text('home = "s3://lectures/a"\n', encoding="utf-8")
    assert settings.load().home == door.home_of(None) == home
    sent = settings.Settings.model_validate_json(settings.load().model_dump_json())
    assert sent.home == home, "as a worker is told it"


def test_only_a_folder_can_be_exported_to_or_imported_from() -> None:
    for named in ("s3://lectures/a", Path("s3://lectures/a")):
        with pytest.raises(InputError, match="takes a folder"):
            homes.refuse_address(named, "do it otherwise")
    homes.refuse_address("lectures/a", "")


@pytest.mark.skipif(sys.platform != "linux", reason="where the data folder lies is Linux's here")
def test_the_command_line_takes_an_address_before_it_loads_anything_heavy(tmp_path: Path) -> None:
    env = os.environ | {"XDG_DATA_HOME": str(tmp_path / "elsewhere")}
    for arguments, code, said in (
        (["--home", "s3://lectures/a", "settings"], 0, "s3://lectures/a"),
        (["settings", "--home", "s3://KEY:geheim@b/a"], 3, "AWS_SECRET_ACCESS_KEY"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "memqa", *arguments], env=env, capture_output=True, timeout=60
        )
        assert done.returncode == code, done.stderr
        assert said.encode() in done.stdout + done.stderr
        assert b"geheim" not in done.stdout + done.stderr
        assert b"Traceback" not in done.stderr
