"""The shelf in a real browser: searched, collected, brought up to date, gone on with, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from memqa.alone import leased
from memqa.library import Library
from tests.e2e.pages import (
    ANSWERED_MS,
    INDEXED_MS,
    ask,
    card,
    look,
    look_everywhere,
    new_tab,
    opened,
    served,
    upload,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

BIRDS = ("avocet", "bittern", "curlew", "dunlin", "egret")
TREES = ("alder", "beech", "cedar", "elm", "larch")


@pytest.fixture(scope="module")
def home(copy_of_samples: Callable[[], Path]) -> Path:
    return copy_of_samples()


@pytest.fixture(scope="module")
def page(browser: Browser, home: Path) -> Iterator[Page]:
    # The worker stays for the next test, which then need not wait until it has loaded its models.
    with (
        served(home, {"MEMQA_JOBS__IDLE_EXIT_S": "20"}) as address,
        opened(browser, address) as (page, noted),
    ):
        yield page
        assert not [one for one in noted if one.startswith("script error")]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    for number, name in enumerate((*BIRDS, *TREES), 11):
        (folder / f"{name} notes.md").write_text(
            f"# The {name}\n\nIn spring we counted {number} of the {name} at the north shore.\n",
            encoding="utf-8",
        )
    return folder


def shown(page: Page) -> list[str]:
    return page.locator(".cards .card:visible .name").all_inner_texts()


def scope_line(page: Page, words: str) -> None:
    page.wait_for_selector(f'.scope-line:text-is("{words}")')


def test_a_folder_is_added_and_searched_by_name(page: Page, notes: Path) -> None:
    page.click("text=or a path on this machine")
    page.fill(".path-box input", str(notes))
    page.click(".path-box button")
    page.wait_for_selector("text=Adding 10")
    page.wait_for_function(
        "document.querySelectorAll('.cards .card.ready').length === 12", timeout=INDEXED_MS
    )
    page.evaluate("window.memqa.openTab('library')")  # the one that a phone shows
    look_everywhere(page, "shelf-many")
    page.fill(".search-box", "NOTES elm")
    assert sorted(shown(page)) == ["elm notes.md"]
    page.fill(".search-box", "ar")
    assert page.inner_text(".found") == "2 of 12 shown"
    page.fill(".search-box", "zzz")
    assert page.is_visible("text=No name contains that.")
    page.press(".search-box", "Escape")
    assert page.input_value(".search-box") == ""
    assert len(shown(page)) == 12


def test_only_what_was_searched_for_can_be_ticked(page: Page) -> None:
    page.fill(".search-box", "cu")
    page.click("text=Tick only these")
    scope_line(page, "asks curlew notes.md")
    page.press(".search-box", "Escape")
    page.click(".ticks [data-ticks=all]")
    scope_line(page, "asks all 12 media")


def test_ticked_media_become_a_collection_that_is_asked_alone(page: Page) -> None:
    page.click(".ticks [data-ticks=none]")
    page.wait_for_selector("text=0 of 12 ticked")
    for bird in BIRDS[:3]:
        page.check(f"{card(f'{bird} notes.md')} input[type=checkbox]")
    scope_line(page, "asks 3 of 12 media")
    page.click("text=Keep these 3 as a collection…")
    page.keyboard.type("Waders")
    page.keyboard.press("Enter")
    scope_line(page, "asks the collection Waders (3 media)")
    page.click(".collection:has-text('Waders')")
    scope_line(page, "asks all 12 media")
    page.click(".collection:has-text('Waders')")
    scope_line(page, "asks the collection Waders (3 media)")
    turn = ask(page, "How many were counted in spring?")
    cited = page.locator(f"{turn} .chip").all()
    assert cited
    ids = {
        page.get_attribute(card(f"{bird} notes.md"), "data-media") or "none" for bird in BIRDS[:3]
    }
    assert all(any(one in (chip.get_attribute("href") or "") for one in ids) for chip in cited)
    page.evaluate("window.memqa.openTab('library')")
    look_everywhere(page, "shelf-collections")


def test_a_second_tab_and_a_reload_see_the_same_shelf(page: Page) -> None:
    page.reload()
    scope_line(page, "asks the collection Waders (3 media)")
    other, _ = new_tab(page.context, page.url.split("#")[0])
    scope_line(other, "asks the collection Waders (3 media)")
    other.click(".collections .more > summary")
    other.click("text=Remove collection")
    other.wait_for_selector("text=The collection Waders is removed; its media stay.")
    other.close()
    page.wait_for_selector(".collection", state="detached")
    page.click(".ticks [data-ticks=all]")
    scope_line(page, "asks all 12 media")


def test_a_file_that_is_there_already_is_said(page: Page, notes: Path) -> None:
    upload(page, notes / "elm notes.md")
    page.wait_for_selector("text=elm notes.md is in the library already.", timeout=ANSWERED_MS)
    assert page.locator(card("elm notes.md")).count() == 1


def test_media_of_other_models_are_brought_up_to_date(page: Page, home: Path) -> None:
    with Library(home) as library:
        for name in ("sample.pdf", "larch notes.md"):
            library.store.write.settle(library.show(name), signatures={"text": "older/1"})
    pdf = card("sample.pdf")
    page.wait_for_selector(f"{pdf} .badge")
    page.locator(pdf).scroll_into_view_if_needed()
    look(page, "shelf-stale")
    page.click(f"{pdf} >> text=Bring up to date")
    page.wait_for_selector(f"{pdf}:is(.waiting, .working)")
    page.wait_for_selector(f"{pdf}.ready:not(:has(.badge))", timeout=INDEXED_MS)
    with Library(home) as library:
        assert not library.show("sample.pdf").stale
    assert page.is_visible(f"{card('larch notes.md')} .badge")


def test_what_another_program_left_can_be_gone_on_with(page: Page, home: Path) -> None:
    name = "beech notes.md"
    with Library(home) as library:
        media = library.show(name)
        with leased(home, media.id):
            half = replace(media, status="indexing", remembered_pages=1)
            library.store.write.settle(half)
            page.wait_for_selector(f"{card(name)}.working >> text=another program is reading it")
            assert not page.locator(f"{card(name)} [data-do=pause]").count()
    page.wait_for_selector(f"{card(name)} >> text=stopped at page 1")
    page.click(f"{card(name)} >> text=Go on")
    page.wait_for_selector(f"{card(name)}.ready", timeout=INDEXED_MS)


def test_forgetting_asks_first(page: Page) -> None:
    name = "cedar notes.md"
    page.click(f"{card(name)} .more > summary")
    assert "remembers" in page.inner_text(f"{card(name)} .kept")
    page.click(f'{card(name)} >> text="Forget…"')
    page.click(f'{card(name)} >> text="Keep"')
    assert page.is_visible(card(name))
    page.click(f"{card(name)} .more > summary")
    page.click(f'{card(name)} >> text="Forget…"')
    page.click(f'{card(name)} >> text="Forget it"')
    page.wait_for_selector(card(name), state="detached", timeout=90_000)
    scope_line(page, "asks all 11 media")
