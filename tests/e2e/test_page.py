"""The page in a real browser over a real library: add, watch, ask, click, land on the place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.documents import Ink, Sheet, lines, write_pdf
from tests.e2e.pages import INDEXED_MS, ask, card, look, opened, served, upload
from tests.media import video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

SHIPS = "In March the lighthouse keeper counted forty-two ships in the northern strait."


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a library of this file's own."""
    with served(tmp_path_factory.mktemp("page") / "home") as address:
        yield address


@pytest.fixture(scope="module")
def asked_for(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """Open the page and note every request and every error of its scripts."""
    with opened(browser, address) as page:
        yield page


@pytest.fixture
def page(asked_for: tuple[Page, list[str]]) -> Page:
    return asked_for[0]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("film") / "signs.mp4"
    return video(place, shots=(60, 60), texts=("GATE 5", "EXIT B"), size=(384, 224))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    filler = [
        f"Chapter {n}. The harbour office writes down tide, wind and the price of rope."
        for n in range(9)
    ]
    sheets = [
        Sheet((Ink(72, 740, "Harbour report", 20, True), *lines(*filler, top=700))),
        Sheet((Ink(72, 740, "Ships", 20, True), *lines(SHIPS, *filler, top=700))),
        Sheet((Ink(72, 740, "Rope", 20, True), *lines(*filler[::-1], top=700))),
    ]
    return write_pdf(
        tmp_path_factory.mktemp("report") / "report.pdf", sheets, title="Harbour report"
    )


def test_an_empty_library_says_what_to_do(page: Page) -> None:
    page.wait_for_selector("text=Try the sample")
    assert page.is_visible("text=Add media")
    assert page.title() == "memqa"
    look(page, "empty")


def test_a_wrong_file_is_refused_in_one_sentence(page: Page, tmp_path: Path) -> None:
    wrong = tmp_path / "not_a_video.mp4"
    wrong.write_text("I only look like a film.\n" * 40, encoding="utf-8")
    upload(page, wrong)
    page.wait_for_selector(f"{card(wrong.name)} .error", timeout=INDEXED_MS)
    said = page.inner_text(f"{card(wrong.name)} .error")
    assert "not_a_video.mp4" in said
    assert "Traceback" not in said
    look(page, "wrong-file")
    page.click(f'{card(wrong.name)} >> text="Dismiss"')
    page.wait_for_selector(card(wrong.name), state="detached")


def test_uploads_are_indexed_through_a_reload(page: Page, film: Path, report: Path) -> None:
    upload(page, film, report)
    page.wait_for_selector(card(report.name))
    look(page, "indexing")
    page.reload()
    for name in (film.name, report.name):
        page.wait_for_selector(f"{card(name)}.ready", timeout=INDEXED_MS)
    assert "0:12" in page.inner_text(card(film.name))
    assert "3 pages" in page.inner_text(card(report.name))
    look(page, "ready")


def test_a_moment_is_found_and_the_player_goes_there(page: Page) -> None:
    turn = ask(page, "Where does it say EXIT B?")
    chip = page.locator(f"{turn} .chip[data-start]").first
    start_s = float(chip.get_attribute("data-start") or -1)
    assert 5 <= start_s <= 12
    chip.click()
    page.wait_for_function(
        f"Math.abs((document.querySelector('video')?.currentTime ?? -9) - {start_s}) < 0.3"
    )
    assert page.evaluate("document.querySelector('video').videoWidth") == 384
    page.wait_for_selector(".timeline .event")
    look(page, "moment")


def test_a_page_is_found_and_shown_with_the_passage_marked(page: Page) -> None:
    turn = ask(page, "How many ships did the lighthouse keeper count in March?")
    assert "forty-two" in page.inner_text(turn)
    page.click(f"{turn} .state.grounded")
    page.locator(f'{turn} .chip[data-page="2"]').first.click()
    page.wait_for_selector(".leaf[data-page='2'] img")
    sheet = page.locator(".sheet").bounding_box()
    boxes = [box.bounding_box() for box in page.locator(".sheet .box").all()]
    assert sheet is not None
    wide = [box for box in boxes if box is not None and box["width"] > sheet["width"] * 0.3]
    assert wide, "the passage is marked"
    assert min(box["y"] for box in wide) < sheet["y"] + sheet["height"] / 4, "where it stands"
    page.click(f"{turn} .how summary")
    page.wait_for_selector(f"{turn} .how ol li")
    look(page, "page")


def test_the_chat_survives_a_reload(page: Page) -> None:
    before = page.locator(".turn .question").all_inner_texts()
    page.reload()
    page.wait_for_selector(".turn")
    assert page.locator(".turn .question").all_inner_texts() == before
    page.wait_for_selector(".leaf[data-page='2'] .sheet img")  # the address remembers the place
    page.locator(".turn .chip[data-start]").first.click()
    page.wait_for_function("document.querySelector('video')?.currentTime > 1")


def test_only_ticked_media_are_asked(page: Page, film: Path, report: Path) -> None:
    page.uncheck(f"{card(report.name)} input[type=checkbox]")
    page.wait_for_selector(f'.scope-line:text-is("asks {film.name}")')
    turn = ask(page, "How many ships did the lighthouse keeper count in March?")
    assert page.locator(f"{turn} .chip[data-page]").count() == 0
    page.check(f"{card(report.name)} input[type=checkbox]")


def test_work_can_be_cancelled_and_gone_on_with(page: Page, tmp_path: Path) -> None:
    place = tmp_path / "long.mp4"
    long = video(place, shots=(400, 400, 400), texts=("ONE", "TWO", "THREE"), size=(384, 224))
    upload(page, long)
    page.wait_for_selector(f"{card(long.name)} progress[value]", timeout=INDEXED_MS)
    page.click(f'{card(long.name)} >> text="Cancel"')
    page.wait_for_selector(f"{card(long.name)}.cancelled", timeout=INDEXED_MS)
    look(page, "cancelled")
    assert page.is_visible(f'{card(long.name)} >> text="Go on"')


def test_only_what_is_shown_is_served(page: Page, address: str) -> None:
    source = page.evaluate("document.querySelector('video').src")
    part = page.request.get(source, headers={"Range": "bytes=0-99"})
    assert (part.status, len(part.body())) == (206, 100)
    uploads = source.rsplit("/", 2)[0]
    assert page.request.get(f"{uploads.rsplit('/', 1)[0]}/jobs.sqlite").status in (403, 404)
    foreign = page.request.get(address, headers={"Origin": "http://elsewhere.test"})
    assert foreign.status == 403


def test_forgetting_asks_first_and_takes_the_file_along(page: Page, film: Path) -> None:
    source = page.evaluate("document.querySelector('video').src")
    page.click(f"{card(film.name)} .more > summary")
    page.click(f'{card(film.name)} >> text="Forget…"')
    assert "Everything remembered of it is erased" in page.inner_text(card(film.name))
    look(page, "forget")
    page.click(f'{card(film.name)} >> text="Forget it"')
    page.wait_for_selector(card(film.name), state="detached", timeout=90_000)
    assert page.request.get(source).status in (403, 404)


def test_nothing_left_this_machine(asked_for: tuple[Page, list[str]]) -> None:
    _, noted = asked_for
    assert not [url for url in noted if url.startswith("script error")]
    hosts = {urlsplit(url).hostname for url in noted if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
