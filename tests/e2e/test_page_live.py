"""Watching live in a real browser: its camera, and a stream's address; asked while it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import ask, look, look_everywhere, new_tab, opened, served
from tests.media import video
from tests.serving import streamed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

LIVE_CARD = ".cards .card.live"
SEEN_MS = 120_000
CAMERA_CARD = '.cards .card:has([title*="/camera-"])'


@pytest.fixture(scope="module")
def home(copy_of_samples: Callable[[], Path]) -> Path:
    return copy_of_samples()


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with served(home) as address:
        yield address


@pytest.fixture(scope="module")
def asked_for(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    with opened(browser, address) as page:
        page[0].context.grant_permissions(["camera", "microphone"])
        yield page


@pytest.fixture
def page(asked_for: tuple[Page, list[str]]) -> Page:
    return asked_for[0]


def remembered(page: Page) -> None:
    """Wait until the first part of what is watched can be asked."""
    page.wait_for_selector(f"{LIVE_CARD} .reach", timeout=SEEN_MS)


def test_a_wrong_address_says_why(page: Page) -> None:
    page.click("text=Watch live…")
    look_everywhere(page, "live-start")
    page.fill('[name="address"]', "gopher://camera")
    page.click('#memqa-watch >> text="Watch"')
    page.wait_for_selector(".live-problem:has-text('streams begin with')")
    page.fill('[name="address"]', "http://127.0.0.1:9/none")
    page.click('#memqa-watch >> text="Watch"')
    page.wait_for_selector(".live-problem:has-text('cannot be watched')", timeout=SEEN_MS)
    look(page, "live-refused")
    page.click("#memqa-watch >> text=Close")
    page.wait_for_selector(LIVE_CARD, state="detached")
    assert page.is_visible(".welcome-holder")


def test_the_camera_is_watched_and_asked_meanwhile(page: Page) -> None:
    page.click("text=Watch live…")
    page.click("text=Start the camera")
    page.wait_for_function("document.querySelector('.live-screen video').videoWidth > 0")
    remembered(page)
    page.wait_for_selector(".stage .timeline .event")
    turn = ask(page, "What is on the screen now?")
    assert page.locator(f"{turn} .state.grounded").count() == 1, page.inner_text(turn)
    assert page.locator(f"{turn} .chip[data-start]").count() >= 1
    assert page.locator(LIVE_CARD).count() == 1, "it is still being watched"
    look_everywhere(page, "live-running")


def test_another_tab_sees_it_and_only_one_records(page: Page, address: str) -> None:
    other, noted = new_tab(page.context, address)
    other.wait_for_selector(".live-picture[src^='data:image/jpeg']")
    other.click("text=Watch live…")
    other.click("text=Start the camera")
    other.wait_for_selector(".live-problem:has-text('already')")
    other.close()
    assert not [one for one in noted if one.startswith("script error")]


def test_a_moment_can_be_looked_at_meanwhile(page: Page) -> None:
    page.locator(".turn:last-of-type .chip[data-start]").first.click()
    page.wait_for_selector(".view .still[src^='data:image']")
    assert page.is_hidden(".live-screen")
    page.click("text=Show it")
    page.wait_for_selector(".live-screen video")


def test_what_was_seen_stays_and_plays(page: Page) -> None:
    page.click(".live-stop")
    page.wait_for_selector(f"{CAMERA_CARD}:is(.ready, .partial)", timeout=SEEN_MS)
    page.wait_for_function(
        "Number.isFinite(document.querySelector('.view video')?.duration ?? NaN)", timeout=SEEN_MS
    )
    length_s = page.evaluate("document.querySelector('.view video').duration")
    assert length_s > 15
    page.evaluate("document.querySelector('.view video').currentTime = 10")
    page.wait_for_function("!document.querySelector('.view video').seeking")
    assert page.evaluate("document.querySelector('.view video').videoWidth") > 0
    assert abs(page.evaluate("document.querySelector('.view video').currentTime") - 10) < 0.5
    assert page.is_hidden(".live-view")
    look_everywhere(page, "live-stopped")


def test_forgetting_takes_the_recording_along(page: Page, home: Path) -> None:
    assert list((home / "uploads").rglob("camera-*"))
    page.click(f"{CAMERA_CARD} .more > summary")
    page.click(f'{CAMERA_CARD} >> text="Forget…"')
    page.click(f'{CAMERA_CARD} >> text="Forget it"')
    page.wait_for_selector(CAMERA_CARD, state="detached", timeout=90_000)
    assert not list((home / "uploads").rglob("camera-*"))


def test_a_stream_is_watched_and_stopped(page: Page, tmp_path: Path) -> None:
    film = video(tmp_path / "film.ts", shots=(100,) * 6, fps=2, pan=2, texts=("GATE 5",) * 6)
    with streamed(film.read_bytes(), length_s=300.0) as (port, _):
        page.click("text=Watch live…")
        page.fill('[name="address"]', f"http://me:secret@127.0.0.1:{port}/gate?key=secret")
        page.click('#memqa-watch >> text="Watch"')
        assert page.is_disabled(".live-address button")
        assert page.inner_text(".live-doing") == "Connecting…"
        page.wait_for_selector(".live-picture[src^='data:image/jpeg']", timeout=SEEN_MS)
        page.wait_for_selector("#memqa-watch", state="hidden")
        remembered(page)
        look(page, "live-stream")
        page.reload()
        page.wait_for_selector(".live-picture[src^='data:image/jpeg']")
        page.click(f'{LIVE_CARD} >> text="Stop"')
        page.wait_for_selector(LIVE_CARD, state="detached", timeout=SEEN_MS)
    name = f"http://127.0.0.1:{port}/gate"
    page.wait_for_selector(f".cards .card:is(.ready, .partial):has-text('{name}')")
    page.wait_for_selector(".view .still[src^='data:image']")
    assert page.text_content(".live-told") == f"No longer watched: {name}"
    assert "secret" not in page.content()


def test_nothing_went_wrong_on_the_way(asked_for: tuple[Page, list[str]]) -> None:
    _, noted = asked_for
    assert not [one for one in noted if one.startswith("script error")]
