"""What the settings page offers, takes, refuses, and says of what counts from when."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from memqa import model_choice, settings, settings_file
from memqa.doctor import Check
from memqa.library import Library
from memqa.model_choice import ModelRow
from memqa.settings import Settings
from memqa.settings_file import setting
from memqa.store.lock import locked
from memqa.ui.choices import FIELDS, METHODS, counts_from, ports, presets
from memqa.ui.places import Places
from memqa.ui.settings import SettingsDesk
from memqa.ui.settings_html import doctor_html, models_html
from memqa.whereabouts import config_path
from models.errors import InputError, SetupError
from vidmem.memory.methods import METHODS as MEMORIES


@pytest.fixture
def config(own_home: Path) -> Path:
    return config_path()


@pytest.fixture
def library(config: Path, tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home") as library:
        yield library


def desk(library: Library, *, local: bool = True) -> SettingsDesk:
    return SettingsDesk(library, Places(local=local))


def test_a_change_is_kept_beside_what_stands_in_the_file(library: Library, config: Path) -> None:
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("# mine\n[video]\nlisten = false  # too loud\n", encoding="utf-8")
    library.take_settings()
    done = desk(library).change({"name": "video.frames_per_s", "value": "2,5"})
    assert done["said"] == "Kept. Counts for what is added from now on."
    assert 'value="2.5"' in done["html"]
    assert library.settings.video.frames_per_s == 2.5
    text = config.read_text(encoding="utf-8")
    assert "# mine" in text
    assert "listen = false  # too loud" in text
    assert settings.load().video.frames_per_s == 2.5


def test_a_word_at_the_top_of_the_file_stays_out_of_its_tables(
    library: Library, config: Path
) -> None:
    page = desk(library)
    page.change({"name": "video.listen", "value": False})
    page.change({"name": "tier", "value": "C"})
    page.change({"name": "limits.max_upload_bytes", "value": "0.5"})
    kept = settings.load()
    assert (kept.tier, kept.video.listen) == ("C", False)
    assert kept.limits.max_upload_bytes == 500_000_000


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("video.frames_per_s", "99", "Write a number from 0.2 to 30 a second."),
        ("video.frames_per_s", "fast", "Write a number from 0.2 to 30 a second."),
        ("video.frames_per_s", "nan", "Write a number from 0.2 to 30 a second."),
        ("video.regions", "1.5", "Write a whole number from 0 to 7 rows."),
        ("video.memory_bytes", "0.1", "Write a number from 0.25 to 4096 MB."),
        ("limits.max_video_hours", "0", "Write a number above 0, in hours."),
        ("video.method", "magic", "magic is nothing to choose here."),
        ("language.api_key", "x", "no setting"),
        ("home", "/", "no setting"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    library: Library, config: Path, name: str, value: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        desk(library).change({"name": name, "value": value})
    assert not config.exists()


def test_what_the_environment_sets_is_shown_as_fixed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMQA_VIDEO__FRAMES_PER_S", "4")
    monkeypatch.setenv("memqa_models__transcriber", "embedded")
    library.take_settings()
    page = desk(library)
    html = page.look({})["html"]
    assert "Set by MEMQA_VIDEO__FRAMES_PER_S, which wins." in html
    assert "memqa_models__transcriber" in html
    with pytest.raises(InputError, match="MEMQA_VIDEO__FRAMES_PER_S sets this"):
        page.change({"name": "video.frames_per_s", "value": "2"})


def test_from_a_network_settings_are_only_read(library: Library, config: Path) -> None:
    page = desk(library, local=False)
    found = page.look({})
    assert "disabled" in found["html"]
    assert "data-port" not in found["html"]
    assert str(config) not in found["note"]
    for change in (
        lambda: page.change({"name": "tier", "value": "C"}),
        lambda: page.use({"port": "preset", "name": "embedded"}),
    ):
        with pytest.raises(InputError, match="this machine alone"):
            change()
    assert not config.exists()


def test_a_preset_and_a_server_are_put_in_use(library: Library, config: Path) -> None:
    page = desk(library)
    done = page.use({"port": "captioner", "name": "http://localhost:1/v1"})
    assert "memqa enrich" in done["said"]
    assert library.settings.models.captioner == "http://localhost:1/v1"
    done = page.use({"port": "preset", "name": "embedded"})
    assert settings.load().models.captioner == ""
    assert "Kept" in done["said"]
    with pytest.raises(SetupError, match="cannot be used"):
        page.use({"port": "language_model", "name": "qwen3-4b"})


def test_a_change_that_the_file_cannot_take_changes_nothing(library: Library, config: Path) -> None:
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[video\n", encoding="utf-8")
    before = library.settings
    with pytest.raises(SetupError):
        desk(library).change({"name": "tier", "value": "C"})
    assert library.settings == before
    assert config.read_text(encoding="utf-8") == "[video\n"


def test_every_setting_shown_is_one_and_every_method_is_offered() -> None:
    for name, field in FIELDS.items():
        known = setting(Settings(), name)
        if not field.options and not isinstance(known.value, bool):
            assert field.read(field.shown(known.value), known) == known.value
    assert {value for value, _ in METHODS} == {"auto", *MEMORIES}


BIG = ModelRow("language_model", "big", False, "absent", 10**9, 2 * 10**9, 0, "MIT", "hf:x/y", "")
EYES = replace(BIG, name="eyes", good_for="sees: describes frames", problem="absent: get eyes")


def test_a_port_says_what_there_is_and_how_to_get_the_rest() -> None:
    own = ModelRow("language_model", "embedded", True, "here", 10, 0, 0, "MIT", "package", "small")
    found = ports([own, replace(BIG, problem="absent: memqa models pull big"), EYES], {})
    by_name = {one.port: one for one in found}
    assert [row.name for row in by_name["captioner"].rows] == ["", "eyes"]
    used = by_name["captioner"].used
    assert used is not None
    assert used.name == "", "the one that answers"
    html = models_html([], found, can_change=True)
    assert "1.0\u00a0GB on disk, 2.0\u00a0GB of memory, MIT" in html
    assert "<code" in html
    assert "memqa models pull big" in html
    assert 'data-name-of="big"' not in html, "what is not here cannot be chosen"


def test_a_preset_counts_what_it_costs(config: Path) -> None:
    found = {one.name: one for one in presets(model_choice.rows(settings.load().models))}
    assert found["embedded"].is_used
    assert not found["embedded"].absent
    assert "GPU" in found["gpu"].cost
    assert "qwen3-4b" in found["laptop"].absent or not found["laptop"].absent


def test_another_encoder_says_what_is_left_to_do() -> None:
    assert "3\u00a0media were indexed" in counts_from("text_encoder", 3)
    assert "next question" in counts_from("language_model", 3)


def test_the_doctors_lines_are_a_dot_and_a_word() -> None:
    html = doctor_html([Check("disk", "note", "<1 GB free", "free some")], "Tier C. Untested")
    assert "note" in html
    assert "&lt;1 GB" in html


def test_the_settings_file_keeps_its_mode(config: Path) -> None:
    settings_file.write({"": {"tier": "C"}})
    assert config.stat().st_mode & 0o777 == 0o600
    config.chmod(0o640)
    settings_file.write({"video": {"listen": True}, "": {"tier": "D"}})
    assert config.stat().st_mode & 0o777 == 0o640
    found: Any = settings.load()
    assert (found.tier, found.video.listen) == ("D", True)


def test_two_changes_at_once_are_both_kept(config: Path) -> None:
    settings_file.write({"": {"tier": "C"}})
    names = [f"k{n}" for n in range(8)]
    seen: list[str] = []
    over = Event()

    def look() -> None:
        while not over.is_set():
            seen.append(config.read_text(encoding="utf-8"))

    watching = Thread(target=look)
    watching.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: settings_file.write({"part": {name: True}}), names))
    over.set()
    watching.join()
    assert all(f"{name} = true" in config.read_text(encoding="utf-8") for name in names)
    assert all("tier" in text for text in seen)
    assert not list(config.parent.glob(f"{config.name}.*"))


def test_a_file_that_another_program_changes_is_left_alone(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_file, "_PATIENCE_S", 0.0)
    with (
        locked(config.with_name(f".{config.name}.lock")),
        pytest.raises(SetupError, match="another program; try again"),
    ):
        settings_file.write({"": {"tier": "C"}})
    assert not config.exists()
