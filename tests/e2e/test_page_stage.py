"""The stage in a real browser: where a question looks, what was found in a document, memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import webvtt

from tests.e2e.pages import (
    INDEXED_MS,
    ask,
    card,
    look,
    look_everywhere,
    opened,
    served,
    upload,
)
from tests.media import video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def noted_page(
    browser: Browser, copy_of_samples: Callable[[], Path]
) -> Iterator[tuple[Page, list[str]]]:
    """Open the page over a library that holds the samples."""
    with served(copy_of_samples()) as address, opened(browser, address) as (page, noted):
        page.wait_for_selector(f"{card('sample.pdf')}.ready")
        page.wait_for_selector(".start")
        yield page, noted


@pytest.fixture
def page(noted_page: tuple[Page, list[str]]) -> Page:
    return noted_page[0]


def seconds(page: Page) -> float:
    return float(page.evaluate("document.querySelector('video').currentTime"))


def watched_at(page: Page, start_s: float) -> None:
    page.wait_for_function(
        f"Math.abs(document.querySelector('video').currentTime - {start_s}) < 0.6"
    )


def stage_everywhere(page: Page, name: str) -> None:
    """Look at the stage at every width; on a phone it is one of three tabs."""
    page.evaluate("memqa.openTab('media')")
    look_everywhere(page, name)
    page.evaluate("memqa.openTab('ask')")


def test_an_opened_video_waits_for_a_question(page: Page) -> None:
    page.click(f"{card('sample.mp4')} .open")
    page.wait_for_selector(".timeline .event img")
    assert "ask something to see where it looks" in page.inner_text(".row.attention")
    page.wait_for_function(
        "[...document.querySelectorAll('.event')].every(one => one.querySelector('img'))"
    )


def test_the_attention_of_a_question_lies_where_its_answer_is(page: Page) -> None:
    ask(page, "When is a water bottle shown?")
    page.wait_for_selector(".attended path", state="attached")
    shares = page.eval_on_selector_all(
        ".cell", "cells => cells.map(one => [+one.dataset.start, +one.dataset.share])"
    )
    at_s, most = max(shares, key=lambda pair: pair[1])
    assert 15 <= at_s <= 26
    assert most > 0.05
    assert sum(share for start_s, share in shares if 14 <= start_s <= 26) > 0.9
    said = page.inner_text(".attention-words")
    assert re.match(r"“When is a water bottle shown\?” looks most at 0:(1[5-9]|2[0-6])", said)


def test_a_click_on_the_attention_seeks_and_a_drag_zooms(page: Page) -> None:
    page.locator(".cell").nth(22).click()
    watched_at(page, 22)
    lane = page.locator(".timeline .events .lane").bounding_box()
    assert lane is not None
    y = lane["y"] + lane["height"] / 2
    page.mouse.move(lane["x"] + lane["width"] * 0.4, y)
    page.mouse.down()
    page.mouse.move(lane["x"] + lane["width"] * 0.6, y)
    page.mouse.up()
    zoom = "parseFloat(document.querySelector('.timeline').style.getPropertyValue('--zoom') || 1)"
    assert page.evaluate(zoom) == pytest.approx(5, rel=0.1)
    page.dblclick(".timeline .speech .row-name")
    assert page.evaluate(zoom) == 1


def test_the_time_line_is_a_slider_for_the_keyboard(page: Page) -> None:
    page.focus(".timeline")
    page.keyboard.press("Home")
    watched_at(page, 0)
    page.keyboard.press("ArrowRight")
    watched_at(page, 9.2)
    assert page.get_attribute(".timeline", "aria-valuetext") == "0:09"
    page.focus("#stage-tab-time")
    page.keyboard.press("End")
    assert page.get_attribute("#stage-tab-memory", "aria-selected") == "true"
    page.keyboard.press("Home")
    assert page.is_visible("#stage-panel-time")


def test_the_watched_question_looks_well(page: Page) -> None:
    page.locator(".turn:last-of-type .places .chip").first.click()
    watched_at(page, 15.2)
    stage_everywhere(page, "watch-density")


def test_subtitles_can_be_taken_along(page: Page) -> None:
    with page.expect_download() as download:
        page.click("text=Subtitles (WebVTT)")
    assert download.value.suggested_filename == "sample.vtt"
    read = webvtt.read(download.value.path())
    assert "my fellow Americans" in read[-1].text
    assert 15 <= read[-1].start_in_seconds <= 16


def test_a_moment_is_asked_at_only_while_its_button_says_so(page: Page) -> None:
    page.click(".moment")
    assert page.get_attribute(".moment", "aria-pressed") == "true"
    page.click(f"{card('sample.pdf')} .open")
    page.wait_for_selector(".leaf img")
    assert page.is_hidden(".moment")
    page.click(f"{card('sample.mp4')} .open")
    page.wait_for_selector(".title:text-is('sample.mp4')")
    assert page.get_attribute(".moment", "aria-pressed") == "false"


def test_what_is_heard_later_becomes_subtitles_too(page: Page) -> None:
    """As it opens, nothing of the video has been heard yet."""

    def silent(route: Route) -> None:
        if '"open_media"' not in (route.request.post_data or ""):
            return route.continue_()
        response = route.fetch()
        return route.fulfill(response=response, json={**response.json(), "cues": []})

    page.click(f"{card('sample.pdf')} .open")
    page.wait_for_selector(".leaf img")
    page.route("**/component_server/", silent)
    page.click(f"{card('sample.mp4')} .open")
    page.wait_for_selector(".title:text-is('sample.mp4')")
    assert page.is_hidden(".subtitles")
    page.unroute("**/component_server/")
    page.evaluate(
        "memqa.tell('shelf', { reach: {}, ready: 2, line: 'asks all 2 media', placeholder: 'Ask' })"
    )
    page.wait_for_selector(".subtitles", state="visible")
    heard = "[...document.querySelector('video').textTracks[0].cues].map(one => one.text).join(' ')"
    assert "my fellow Americans" in page.evaluate(heard)


def test_memory_shows_its_banks_its_elements_and_their_frames(page: Page) -> None:
    page.click("#stage-tab-memory")
    page.wait_for_selector(".bar-row")
    said = page.inner_text("#stage-panel-memory")
    for words in ("Short-term memory", "Long-term memory", "Frames seen", "Tells apart"):
        assert words in said
    page.wait_for_selector(".gallery .frame img")
    page.locator(".held-strip .held").nth(20).click()
    at_s = float(page.locator(".held-strip .held").nth(20).get_attribute("data-start") or 0)
    watched_at(page, at_s)
    page.focus(".held-strip .held[tabindex='0']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    watched_at(page, float(page.get_attribute(".held:nth-child(2)", "data-start") or 0))
    stage_everywhere(page, "memory-video")


def test_places_found_in_a_document_are_gone_through(page: Page) -> None:
    turn = ask(page, "Which datasets are used for evaluation?")
    assert page.is_visible("video"), "nothing jumps unless it was clicked"
    page.locator(f"{turn} .places .chip[data-page]").first.click()
    page.wait_for_selector(".leaf img")
    page.wait_for_selector(".hits-words:text-matches('^2 of 5 places')")
    first = page.get_attribute(".leaf", "data-page")
    page.wait_for_selector(".box.quoted", state="attached")
    page.click("[data-hit='1']")
    page.wait_for_selector(".hits-words:text-matches('^3 of 5')")
    page.wait_for_selector(f".leaf:not([data-page='{first}']) .box:not(.other)", state="attached")
    page.locator(".sheet-frame").focus()
    page.keyboard.press("p")
    page.wait_for_selector(f".leaf[data-page='{first}']")
    page.wait_for_selector(".hits-words:text-matches('^2 of 5')")


def test_the_outline_shows_the_way_and_where_the_page_is(page: Page) -> None:
    here = page.locator(".outline li.here")
    assert here.count() == 1
    assert "led" in (here.get_attribute("class") or "")
    assert page.locator(".outline li.opened").count() > 1
    page_box, outline = (page.locator(one).bounding_box() for one in (".view", ".below"))
    assert page_box is not None
    assert outline is not None
    assert outline["x"] >= page_box["x"] + page_box["width"], "beside the page"
    page.wait_for_selector(".box.quoted", state="attached")
    stage_everywhere(page, "read-hits")


def test_words_are_found_in_a_document_and_give_way_to_the_answer_again(page: Page) -> None:
    page.fill(".find input", "limitations")
    page.press(".find input", "Enter")
    page.wait_for_selector(".leaf[data-page='9'] .box.quoted", state="attached")
    assert "places" in page.inner_text(".hits-words")
    look(page, "read-find")
    page.fill(".find input", "feline animals")
    page.press(".find input", "Enter")
    page.wait_for_selector(".hits-words:text-matches('near places')")
    page.fill(".find input", "")
    page.press(".find input", "Enter")
    page.wait_for_selector(".hits-words:text-matches('^5 places')")


def test_a_document_tells_what_is_remembered_of_it(page: Page) -> None:
    page.click("#stage-tab-memory")
    page.wait_for_selector(".memory-facts")
    said = page.inner_text("#stage-panel-memory")
    assert "24 pages" in said
    assert "summaries on 3" in said
    stage_everywhere(page, "memory-document")


def test_pages_are_turned_from_the_keyboard_and_by_a_pasted_link(page: Page) -> None:
    media = page.get_attribute(".leaf", "data-media")
    page.evaluate(f"location.hash = '#media={media}&page=22'")
    page.wait_for_selector(".leaf[data-page='22']")
    page.focus(".page-bar [data-turn='23']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".leaf[data-page='23']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".leaf[data-page='24']")
    assert page.evaluate("document.activeElement.ariaLabel") == "Page number"


def test_coming_back_to_a_video_shows_where_the_last_question_looks(page: Page) -> None:
    page.click(f"{card('sample.mp4')} .open")
    page.wait_for_selector(".title:text-is('sample.mp4')")
    assert page.get_attribute("#stage-tab-memory", "aria-selected") == "true", "as it was left"
    page.click("#stage-tab-time")
    page.wait_for_selector(".attended path", state="attached")
    assert "Which datasets" in page.inner_text(".attention-words")
    page.locator(".turn").first.locator(".places .chip").first.click()
    page.wait_for_selector(".attention-words:text-matches('water bottle')")


def test_memory_grows_while_a_video_is_watched(page: Page, tmp_path: Path) -> None:
    long = video(tmp_path / "growing.mp4", shots=(60,) * 8, fps=2)
    upload(page, long)
    page.wait_for_selector(f"{card(long.name)} .open", timeout=INDEXED_MS)
    page.wait_for_selector(f"{card(long.name)} .reach", timeout=INDEXED_MS)
    page.click(f"{card(long.name)} .open")
    page.wait_for_selector(f".title:text-is('{long.name}')")
    page.click("#stage-tab-memory")
    page.wait_for_selector(".memory[data-seen]:not([data-seen='0'])")
    early = int(page.get_attribute(".memory", "data-seen") or 0)
    look(page, "memory-live")
    page.wait_for_selector(f"{card(long.name)}.ready", timeout=INDEXED_MS)
    page.wait_for_function(f"+document.querySelector('.memory').dataset.seen > {early}")
    assert page.is_visible(".bar-row")
    page.evaluate("document.querySelector('.memory-panel').scrollTop = 9999")
    look(page, "memory-grown")
    page.set_viewport_size({"width": 500, "height": 800})
    page.evaluate("memqa.openTab('media')")
    page.click("#stage-tab-time")
    page.wait_for_selector(".event img, .film img", state="attached")
    look(page, "watch-narrow-events")


def test_the_scripts_of_the_stage_fail_nowhere(noted_page: tuple[Page, list[str]]) -> None:
    assert not [url for url in noted_page[1] if url.startswith("script error")]
