"""Who may log in: a file that nobody else reads, hashes in it, and how it is written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from memqa import users
from memqa.cli.app import run
from models.errors import InputError, SetupError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash as cheaply as a file may ask for."""
    monkeypatch.setattr(users, "_LOG2_N", 10)
    monkeypatch.setattr(users, "_P", 1)


@pytest.fixture
def team(tmp_path: Path) -> Path:
    path = tmp_path / "team.txt"
    users.write(path, {name: users.checked(name, f"{name} is here") for name in ("ada", "Ben.K")})
    return path


def test_each_user_is_admitted_by_their_own_password(team: Path) -> None:
    known = users.of_file(team)
    assert known.are_apart
    assert known.admit("ada", "ada is here")
    assert known.admit("Ben.K", "Ben.K is here")
    for name, password in (
        ("ada", "Ben.K is here"),
        ("ada", ""),
        ("ada", "ada is here "),
        ("eve", "ada is here"),
        ("", ""),
        ("ada", "x" * 100_000),
        ("ada", "\ud800"),
    ):
        assert not known.admit(name, password)


def test_only_hashes_are_kept_and_only_the_owner_reads_them(team: Path) -> None:
    text = team.read_text()
    assert "is here" not in text
    assert text.count("scrypt:") == 2
    assert team.stat().st_mode & 0o777 == 0o600
    assert "scrypt" not in repr(users.of_file(team))
    one, other = users.hashed("the same"), users.hashed("the same")
    assert one != other, "each has a salt of its own"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_can_reach_is_refused(team: Path, mode: int) -> None:
    team.chmod(mode)
    with pytest.raises(SetupError, match="chmod 600"):
        users.of_file(team)


@pytest.mark.parametrize(
    "line",
    [
        "ada",
        "ada:secret",
        "ada:scrypt:15:8:3:00:00",
        f"a/b:scrypt:15:8:3:{'0' * 32}:{'0' * 64}",
        f"eve:scrypt:30:8:3:{'0' * 32}:{'0' * 64}",
        f"eve:scrypt:15:0:3:{'0' * 32}:{'0' * 64}",
        f"ADA:scrypt:15:8:3:{'0' * 32}:{'0' * 64}",
    ],
)
def test_a_line_that_is_no_user_is_named(team: Path, line: str) -> None:
    team.write_text(f"{team.read_text()}\n# a comment\n{line}\n")
    with pytest.raises(SetupError, match="line 5"):
        users.of_file(team)


def test_a_file_of_nobody_says_how_to_add_one(tmp_path: Path) -> None:
    users.write(tmp_path / "none", {})
    with pytest.raises(SetupError, match=r"memqa users .* --add NAME"):
        users.of_file(tmp_path / "none")
    with pytest.raises(SetupError, match=r"there is no file of users .* --add NAME"):
        users.of_file(tmp_path / "nowhere")
    with pytest.raises(SetupError, match=r"cannot be read: Is a directory"):
        users.of_file(tmp_path)
    with pytest.raises(SetupError, match="cannot be written"):
        users.write(tmp_path / "nowhere" / "team", {})


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "short"), ("ada", "x" * 2000), ("a:b", "long enough"), ("", "long enough")],
)
def test_not_everything_is_a_name_or_a_password(name: str, password: str) -> None:
    with pytest.raises(InputError):
        users.checked(name, password)


def test_the_command_adds_lists_and_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "team.txt"

    def users_command(*arguments: str, typed: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as leaving:
            run(["users", str(path), *arguments])
        return int(leaving.value.code or 0)

    assert users_command("--add", "ada", typed="a long secret\n") == 0
    assert users_command("--add", "ben", typed="another secret\n") == 0
    assert users_command("--add", "ADA", typed="another secret\n") == 2
    assert users_command("--add", "cleo", typed="short\n") == 2
    capsys.readouterr()
    assert users_command() == 0
    assert capsys.readouterr().out == "ada\nben\n"
    assert users_command("--add", "ada", typed="a new secret\n") == 0
    assert users.of_file(path).admit("ada", "a new secret")
    assert users_command("--remove", "ben") == 0
    assert users_command("--remove", "ben") == 2
    assert list(users.read(path)) == ["ada"]
