"""Media by address in the page: typed on the shelf, fetched, asked, and not opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import INDEXED_MS, ask, card, look_everywhere, opened, served
from tests.sites import Site
from tests.sites import served as site_served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]
TEXT = (
    "# The lighthouse\n\nThe lamp of the lighthouse at Skarholm was lit by Ingrid Berg in 1911.\n"
)


@pytest.fixture(scope="module")
def address(copy_of_samples: Callable[[], Path]) -> Iterator[str]:
    with served(copy_of_samples()) as found:
        yield found


@pytest.fixture
def site() -> Iterator[Site]:
    with site_served() as found:
        yield found


def test_an_address_on_the_shelf_becomes_a_media(
    browser: Browser, address: str, site: Site
) -> None:
    site.files["/papers/lighthouse.md"] = TEXT.encode()
    with opened(browser, address) as (page, _):
        page.click("text=or a path on this machine, or an address")
        page.fill(".path-box input", site.at("/papers/none.md"))
        page.press(".path-box input", "Enter")
        page.wait_for_selector("text=there is nothing at", timeout=INDEXED_MS)
        page.fill(".path-box input", site.at("/papers/lighthouse.md"))
        page.press(".path-box input", "Enter")
        page.wait_for_selector(f"{card('lighthouse.md')}.ready", timeout=INDEXED_MS)
        look_everywhere(page, "address")
        turn = ask(page, "Who lit the lamp of the lighthouse at Skarholm?")
        assert "Ingrid Berg" in page.inner_text(turn)
        page.click(f"{card('lighthouse.md')} a.open")
        page.wait_for_selector("text=its pages are not shown")
        look_everywhere(page, "address-opened")
