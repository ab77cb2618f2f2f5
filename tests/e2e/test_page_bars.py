"""What the page promises beside its parts: quick, no second copy, nothing else served, one desk."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest

from tests.e2e.pages import INDEXED_MS, ask, card, look_everywhere, new_tab, opened, served, upload
from tests.media import video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

LARGE_BYTES = 300_000_000
FIRST_PAINT_S = 2.0


@pytest.fixture(scope="module")
def home(copy_of_samples: Callable[[], Path]) -> Path:
    return copy_of_samples()


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with served(home) as address:
        yield address


@pytest.fixture(scope="module")
def asked_for(browser: Browser, address: str) -> Iterator[tuple[Page, list[str], float]]:
    """Open the page right after the server says it is ready; the time is to its first paint."""
    ready = time.monotonic()
    with opened(browser, address) as (page, noted):
        paint = "performance.getEntriesByName('first-contentful-paint')[0]"
        page.wait_for_function(f"{paint} !== undefined")
        age_s = page.evaluate(f"(performance.now() - {paint}.startTime) / 1000")
        yield page, noted, time.monotonic() - ready - age_s


@pytest.fixture
def page(asked_for: tuple[Page, list[str], float]) -> Page:
    return asked_for[0]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a video of 300 MB: after a few seconds of film comes one long `free` box."""
    path = tmp_path_factory.mktemp("large") / "large.mp4"
    video(path, shots=(60, 60), texts=("PIER 7", "DOCK 9"), size=(384, 224))
    padding = LARGE_BYTES - path.stat().st_size
    with path.open("ab") as out:
        out.write(struct.pack(">I4s", padding, b"free"))
        out.truncate(LARGE_BYTES)
    return path


def taken(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


class _Peak:
    """Watches how much a folder takes while something goes on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self.most_bytes = 0

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            try:
                self.most_bytes = max(self.most_bytes, taken(self._folder))
            except FileNotFoundError:  # moved between being listed and being looked at
                continue

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def test_the_first_paint_comes_at_once(asked_for: tuple[Page, list[str], float]) -> None:
    assert asked_for[2] <= FIRST_PAINT_S


def test_every_width_is_fit_to_be_shown(page: Page) -> None:
    page.wait_for_selector(card("sample.mp4"))
    look_everywhere(page, "library")


def test_a_large_upload_lies_on_the_disk_once(page: Page, home: Path, large: Path) -> None:
    before = taken(home)
    with _Peak(home) as peak:
        upload(page, large)
        page.wait_for_selector(card(large.name), timeout=INDEXED_MS)
        turn = ask(page, "What are the water bottles used for?")  # while it is being indexed
        assert page.locator(f"{card(large.name)}.ready").count() == 0
        assert page.inner_text(turn)
        page.wait_for_selector(f"{card(large.name)}.ready", timeout=INDEXED_MS)
        page.click(f"{card(large.name)} a.open")
        page.wait_for_function("document.querySelector('video')?.readyState >= 2")
        page.evaluate("document.querySelector('video').currentTime = 9")
        page.wait_for_function("!document.querySelector('video').seeking")
    assert peak.most_bytes - before < 1.1 * LARGE_BYTES


def test_a_file_on_this_machine_is_not_copied(page: Page, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "here.txt"
    path.write_text("The ferry leaves at half past seven.\n" + "Rope and tide. " * 50_000)
    before = taken(home / "uploads")
    page.click(".paths > summary")
    page.fill(".path-box input", str(path))
    page.press(".path-box input", "Enter")
    page.wait_for_selector(f"{card(path.name)}.ready", timeout=INDEXED_MS)
    assert taken(home / "uploads") == before


def test_parts_of_a_shown_file_are_served(page: Page) -> None:
    source = page.evaluate("document.querySelector('video').src")
    middle = page.request.get(source, headers={"Range": "bytes=1000-1099"})
    assert (middle.status, len(middle.body())) == (206, 100)
    assert middle.headers["content-range"] == f"bytes 1000-1099/{LARGE_BYTES}"
    beyond = page.request.get(source, headers={"Range": f"bytes={LARGE_BYTES}-"})
    assert beyond.status == 416


def test_no_other_file_is_served(page: Page, home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the key lies under the mat")
    link = home / "uploads" / "link.mp4"
    link.symlink_to(secret)
    source = page.evaluate("document.querySelector('video').src")
    root = source.split("/gradio_api/")[0]
    shown = source.split("/file=")[1]
    paths = [
        str(secret),
        "/etc/passwd",
        "../../../../etc/passwd",
        f"{shown}/../../../jobs.sqlite",
        f"{home}/jobs.sqlite",
        f"{home}/tables",
        f"{home}/page/desk.json",
        str(link),
        f"{shown}%2f..%2f..%2f..%2fjobs.sqlite",
        f"{shown}\\..\\..\\jobs.sqlite",
    ]
    for path in paths:
        for form in (f"file={path}", f"file={quote(path, safe='')}", f"file/{path}"):
            answer = page.request.get(f"{root}/gradio_api/{form}")
            assert answer.status in (400, 403, 404), f"{form}: {answer.status}"
            assert b"mat" not in answer.body()
    for away in (
        "file=http://127.0.0.1:9/x",
        "file=https://example.com/",
        "file/http://127.0.0.1:9/x",
        "file/https://example.com/",
        "file=HTTP://127.0.0.1:9/x",
        "file/http%3A%2F%2F127.0.0.1:9/x",
        "proxy=http://a.hf.space",
    ):
        for prefix in ("/gradio_api", ""):
            assert page.request.get(f"{root}{prefix}/{away}").status == 403, away
            assert page.request.head(f"{root}{prefix}/{away}").status == 403, away


def test_two_tabs_show_the_same_desk(page: Page, address: str) -> None:
    other, _ = new_tab(page.context, address)
    other.uncheck(f"{card('large.mp4')} input[type=checkbox]")
    page.wait_for_selector(f"{card('large.mp4')} input[type=checkbox]:not(:checked)")
    other.click(f"{card('large.mp4')} .more > summary")
    other.click(f'{card("large.mp4")} >> text="Forget…"')
    other.click(f'{card("large.mp4")} >> text="Forget it"')
    page.wait_for_selector(card("large.mp4"), state="detached", timeout=90_000)
    other.close()


def test_nothing_left_this_machine(asked_for: tuple[Page, list[str], float]) -> None:
    noted = asked_for[1]
    assert not [url for url in noted if url.startswith("script error")]
    assert {urlsplit(url).hostname for url in noted if url.startswith("http")} == {"127.0.0.1"}
