"""The page in a real browser over a real library: add, watch, ask, click, land on the place."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.documents import Ink, Sheet, lines, write_pdf
from tests.media import video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run"
).split()
ART = ROOT / "artefacts" / "page"
INDEXED_MS = 240_000
ANSWERED_MS = 120_000

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

SHIPS = "In March the lighthouse keeper counted forty-two ships in the northern strait."
DECIDED = ".state:is(.grounded, .ungrounded, .unanswered)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a library of this file's own with ``python app.py``."""
    home = tmp_path_factory.mktemp("page") / "home"
    # A shell that runs the tests in the background has them, and their children, ignore Ctrl-C.
    heeding = ["env", "--default-signal=INT"]
    command = [*heeding, sys.executable, str(ROOT / "app.py"), "--home", str(home), "--port", "0"]
    environment = {**os.environ, "MEMQA_JOBS__IDLE_EXIT_S": "5", "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the page did not come up: {line!r}"
        yield found.group()
        server.send_signal(signal.SIGINT)
        try:
            errors = server.communicate(timeout=30)[1]
        finally:
            server.kill()
    assert "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium; without it these tests are skipped, or fail where they must run."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is not installed (apt-get install chromium)"
        if os.environ.get("MEMQA_REQUIRE_PAGE") == "1":
            pytest.fail(f"the page must be tested here, but {reason}")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def asked_for(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """Open the page and note every request and every error of its scripts."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    noted: list[str] = []
    page.on("request", lambda request: noted.append(request.url))
    page.on("pageerror", lambda error: noted.append(f"script error: {error}"))
    page.goto(address)
    page.wait_for_selector("#memqa-question", timeout=60_000)
    yield page, noted
    context.close()


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


def look(page: Page, name: str) -> None:
    """Keep a picture of the page for people to look at."""
    ART.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(ART / f"{name}.png"))


def card(name: str) -> str:
    return f'.cards .card:has([title$="/{name}"])'


def upload(page: Page, *files: Path) -> None:
    page.set_input_files("#memqa-shelf input[type=file]", [str(file) for file in files])


def ask(page: Page, question: str) -> str:
    """Ask, wait for the answer's state, and give the selector of its turn."""
    turns = page.locator(".turn").count()
    page.fill("#memqa-question", question)
    page.press("#memqa-question", "Enter")
    page.wait_for_function(f"document.querySelectorAll('.turn').length === {turns + 1}")
    page.wait_for_selector(f".turn:last-of-type {DECIDED}", timeout=ANSWERED_MS)
    return ".turn:last-of-type"


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
    assert page.locator(f"{turn} .how ol li").count() > 0
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
    assert page.request.get(f"{uploads.rsplit('/', 1)[0]}/jobs.sqlite").status == 403
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
    assert page.request.get(source).status == 403


def test_nothing_left_this_machine(asked_for: tuple[Page, list[str]]) -> None:
    _, noted = asked_for
    assert not [url for url in noted if url.startswith("script error")]
    hosts = {urlsplit(url).hostname for url in noted if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
