"""A library's page served as a person would, and a real browser that opens it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
).split()
ART = ROOT / "artefacts" / "page"
INDEXED_MS = 240_000
ANSWERED_MS = 120_000
DECIDED = ".state:is(.grounded, .ungrounded, .unanswered)"
WIDTHS = {"wide": (1440, 900), "middle": (1024, 768), "phone": (390, 844)}


@contextmanager
def served(
    home: Path, environment: Mapping[str, str] | None = None, *, terms: Sequence[str] = ()
) -> Iterator[str]:
    """Serve the library under ``home`` with ``python app.py`` and give its address.

    ``terms`` are its other options.
    """
    # A shell that runs the tests in the background has them, and their children, ignore Ctrl-C.
    heeding = ["env", "--default-signal=INT"]
    command = [
        *heeding,
        sys.executable,
        str(ROOT / "app.py"),
        "--home",
        str(home),
        "--port",
        "0",
        *terms,
    ]
    surroundings = {
        **os.environ,
        "MEMQA_JOBS__IDLE_EXIT_S": "5",
        "HF_HUB_OFFLINE": "1",
        **(environment or {}),
    }
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"https?://\S+", line)
        assert found, f"the page did not come up: {line!r}"
        try:
            yield found.group()
        finally:
            server.send_signal(signal.SIGINT)
            try:
                errors = server.communicate(timeout=30)[1]
            finally:
                server.kill()
    assert "Traceback" not in errors, errors


@contextmanager
def opened(
    browser: Browser, address: str, *, width: str = "wide", dark: bool = False
) -> Iterator[tuple[Page, list[str]]]:
    """Open the page; the list notes every request and every error of its scripts."""
    across, down = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": across, "height": down}, color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(30_000)
    yield new_tab(context, address)
    context.close()


def new_tab(context: BrowserContext, address: str) -> tuple[Page, list[str]]:
    """Open the page in one more tab of a browser."""
    page = context.new_page()
    noted: list[str] = []
    page.on("request", lambda request: noted.append(request.url))
    page.on("pageerror", lambda error: noted.append(f"script error: {error}"))
    page.goto(address)
    page.wait_for_selector("#memqa-question", timeout=60_000)
    return page, noted


def look(page: Page, name: str) -> None:
    """Keep a picture of the page for people to look at."""
    ART.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(ART / f"{name}.png"))


def look_everywhere(page: Page, name: str) -> None:
    """Keep pictures of a state of the page at every width, light and dark, and check them all."""
    before = page.viewport_size
    for width, (across, down) in WIDTHS.items():
        page.set_viewport_size({"width": across, "height": down})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.wait_for_timeout(200)
            look(page, f"{name}-{width}-{scheme}")
            assert not (wrong := barriers(page)), f"{name}, {width}, {scheme}: {wrong}"
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{name}: {wider} px are cut off at {across} px"
    page.emulate_media(color_scheme="light")
    if before is not None:
        page.set_viewport_size(before)


def barriers(page: Page) -> list[str]:
    """Tell what keeps people out of the page as it is, serious or worse (axe-core)."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def card(name: str) -> str:
    """Name the card of a file."""
    return f'.cards .card:has([title$="/{name}"])'


def upload(page: Page, *files: Path) -> None:
    """Give files to the page as a person's file chooser does."""
    page.set_input_files("#memqa-shelf input[type=file]", [str(file) for file in files])


def ask(page: Page, question: str) -> str:
    """Ask, wait for the answer's state, and give the selector of its turn."""
    turns = page.locator(".turn").count()
    page.fill("#memqa-question", question)
    page.press("#memqa-question", "Enter")
    page.wait_for_function(f"document.querySelectorAll('.turn').length === {turns + 1}")
    page.wait_for_selector(f".turn:last-of-type {DECIDED}", timeout=ANSWERED_MS)
    return ".turn:last-of-type"
