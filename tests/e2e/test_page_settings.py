"""The settings in a real browser: what is chosen is kept, used, and refused in words."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import INDEXED_MS, card, look, look_everywhere, opened, served, upload
from tests.media import video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

FRAMES = '[data-setting="video.frames_per_s"]'


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "memqa.toml"
    path.write_text("# mine\n[video]\nread_screen = false  # quicker\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def address(config: Path, copy_of_samples: Callable[[], Path]) -> Iterator[str]:
    environment = {"MEMQA_CONFIG": str(config), "MEMQA_LIMITS__MAX_VIDEO_HOURS": "5"}
    environment["MEMQA_VIDEO__LISTEN"] = "false"  # these videos are silent
    # A worker that waits for long is one that has to go when the settings change.
    environment["MEMQA_JOBS__IDLE_EXIT_S"] = "120"
    with served(copy_of_samples(), environment) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as (page, noted):
        yield page
        assert not [one for one in noted if one.startswith("script error")]


def open_settings(page: Page) -> None:
    page.click(".open-settings")
    page.wait_for_selector(f"#memqa-choices[open] {FRAMES}")


def index(page: Page, file: Path) -> None:
    upload(page, file)
    page.wait_for_selector(f"{card(file.name)}.ready", timeout=INDEXED_MS)


def test_the_settings_open_and_close_by_keyboard(page: Page) -> None:
    page.wait_for_selector(card("sample.pdf"))
    page.focus(".open-settings")
    page.keyboard.press("Enter")
    page.wait_for_selector("#memqa-choices .checks, #memqa-choices .check")
    assert page.evaluate("document.activeElement.closest('#memqa-choices') !== null")
    for _ in range(4):
        page.keyboard.press("Shift+Tab")
        inside = "document.activeElement.closest('#memqa-choices, body') !== null"
        assert page.evaluate(inside)
    page.evaluate("document.querySelector('.settings-scroll').scrollTop = 0")
    look_everywhere(page, "settings")
    page.keyboard.press("Escape")
    page.wait_for_selector("#memqa-choices", state="hidden")
    assert page.evaluate("document.activeElement.classList.contains('open-settings')")


def test_a_wrong_number_is_refused_beside_its_field(page: Page, config: Path) -> None:
    before = config.read_text(encoding="utf-8")
    open_settings(page)
    page.fill(FRAMES, "99")
    page.press(FRAMES, "Enter")
    told = page.locator('[data-message="video.frames_per_s"]')
    told.filter(has_text="Write a number from 0.2 to 30").wait_for()
    assert config.read_text(encoding="utf-8") == before


def test_a_number_is_kept_and_used_after_a_reload(page: Page, config: Path, tmp_path: Path) -> None:
    first = video(tmp_path / "first.mp4", shots=(20, 20), size=(128, 96))
    page.keyboard.press("Escape")
    index(page, first)  # a worker lives now, with the settings of before
    open_settings(page)
    page.fill(FRAMES, "3")
    page.press(FRAMES, "Enter")
    told = page.locator('[data-message="video.frames_per_s"]')
    told.filter(has_text="Kept. Counts for what is added from now on.").wait_for()
    text = config.read_text(encoding="utf-8")
    assert "# mine" in text
    assert "read_screen = false  # quicker" in text
    assert tomllib.loads(text)["video"]["frames_per_s"] == 3
    page.reload()
    open_settings(page)
    assert page.input_value(FRAMES) == "3"
    page.keyboard.press("Escape")
    second = video(tmp_path / "second.mp4", shots=(20, 20, 7), size=(128, 96))
    index(page, second)
    assert elements(page, second) > 2 * elements(page, first)


def elements(page: Page, file: Path) -> int:
    """How many memories a media says that it is."""
    text = page.text_content(f"{card(file.name)} .kept") or ""
    return int(text.split(" in ")[1].split("\u00a0")[0])


def test_what_the_environment_sets_is_fixed(page: Page) -> None:
    open_settings(page)
    box = page.locator('[data-setting="limits.max_video_hours"]')
    assert box.is_disabled()
    assert page.is_visible("text=Set by MEMQA_LIMITS__MAX_VIDEO_HOURS, which wins.")


def test_a_model_and_a_preset_are_chosen_without_a_restart(page: Page, config: Path) -> None:
    port = page.locator('[data-key="port-captioner"]')
    port.locator("> summary").click()
    port.locator(".another > summary").click()
    port.locator(".other input").fill("http://127.0.0.1:9/v1#none")
    port.locator(".other button").click()
    port.locator(".message").filter(has_text="Kept.").wait_for()
    assert tomllib.loads(config.read_text())["models"]["captioner"].startswith("http://127")
    assert page.is_visible("text=memqa models pull --preset laptop")
    preset = page.locator('[data-key="preset-embedded"]')
    preset.locator(".use").click()
    page.locator('[data-message="presets"]').filter(has_text="Kept.").wait_for()
    assert preset.locator(".used").is_visible()
    assert tomllib.loads(config.read_text())["models"]["captioner"] == ""
    page.locator('[data-key="port-language_model"] > summary').click()
    page.locator('[data-key="port-language_model"]').scroll_into_view_if_needed()
    look(page, "settings-models")


def test_the_doctor_says_what_is_in_place(page: Page) -> None:
    page.locator(".checks, .check").first.scroll_into_view_if_needed()
    assert page.is_visible("text=/^Tier [ABCD]/")
    assert "fine" in page.inner_text(".doctor")
    assert "can be written" in page.inner_text(".doctor")
    page.evaluate("document.querySelector('.settings-scroll').scrollTop = 1e6")
    look_everywhere(page, "settings-doctor")
