"""What is set and where it comes from, and what is said of a setting that there is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from memqa import settings
from memqa.effective import effective, strange_variables
from memqa.near import did_you_mean
from models.errors import SetupError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MEMQA_HOME")
    return tmp_path / "memqa.toml"


def test_each_setting_says_where_it_comes_from(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file.write_text('tier = "B"\n[video]\nframes_per_s = 2\nregions = 3\n')
    monkeypatch.setenv("MEMQA_VIDEO__REGIONS", "4")
    monkeypatch.setenv("MEMQA_LANGUAGE__API_KEY", "s3cret")
    found = {one.name: one for one in effective(tmp_path / "here")}
    assert set(found) == set(settings.names())
    told = {name: (one.value, one.source) for name, one in found.items()}
    assert told["home"] == (str(tmp_path / "here"), "flag")
    assert told["tier"] == ("B", "file")
    assert told["video.frames_per_s"] == (2.0, "file")
    assert told["video.regions"] == (4, "environment")
    assert told["video.listen"] == (True, "default")
    assert "s3cret" not in str(found)
    assert found["video.regions"].variable == "MEMQA_VIDEO__REGIONS"


def test_a_variable_that_sets_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMQA_TEIR", "A")
    (note,) = [one for one in strange_variables() if one.startswith("MEMQA_TEIR")]
    assert note.startswith("MEMQA_TEIR sets nothing. Did you mean 'MEMQA_TIER'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[video]\nframes_per_sec = 2\n", "no setting 'video.frames_per_sec'. Did you mean"),
        ('tier = "Z"\n', "not 'Z'"),
        ("[language]\napi_key = 12345\n", "language.api_key"),
    ],
)
def test_a_wrong_setting_is_told(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(SetupError) as error:
        settings.load()
    assert words in str(error.value)
    assert str(file) in str(error.value)
    assert "12345" not in str(error.value)


def test_a_folder_for_a_settings_file_is_refused(file: Path) -> None:
    file.mkdir()
    with pytest.raises(SetupError, match="is a folder"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("smaple.mp4", " Did you mean 'Sample.mp4'?"),
        ("SAMPLE", " Did you mean 'Sample.mp4'?"),
        ("report", ""),
        ("", ""),
    ],
)
def test_a_near_name_is_offered(name: str, told: str) -> None:
    assert did_you_mean(name, ["Sample.mp4", "talk.mkv"]) == told
