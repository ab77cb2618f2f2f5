"""The chat as a person uses it: ask, see how it was found, steer, take it along, delete it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pages import (
    ANSWERED_MS,
    DECIDED,
    ask,
    card,
    look,
    look_everywhere,
    new_tab,
    opened,
    served,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

ASKED = "On which datasets is ProgramFC evaluated?"
TOLD = "When does a king penguin appear?"  # in a model's words, which take a second or more
LAST = ".turn:last-of-type"
# A person is slower than the samples are searched.
ESCAPE_AT_ONCE = """() => {
  const watch = new MutationObserver(() => {
    if (!document.querySelector(".turn .state.working")) return;
    watch.disconnect();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  });
  watch.observe(document.querySelector(".log"), { childList: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def address(copy_of_samples: Callable[[], Path]) -> Iterator[str]:
    with served(copy_of_samples()) as address:
        yield address


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as (page, noted):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.context.set_default_timeout(90_000)  # the models are being loaded meanwhile
        page.wait_for_selector(".suggestions button")
        yield page
        assert not [one for one in noted if one.startswith("script error")]


def turns(page: Page) -> list[str]:
    return page.locator(".turn .question").all_inner_texts()


def answered(page: Page, many: int) -> str:
    """Wait until so many turns stand there, the last one answered."""
    page.wait_for_function(f"document.querySelectorAll('.turn').length === {many}")
    page.wait_for_selector(f"{LAST} {DECIDED}", timeout=ANSWERED_MS)
    return LAST


def asked_about(question: str) -> str:
    """Give what a suggested question names, where it names something in the media."""
    quoted = re.search(r"“(.+)”|When is an? (.+) seen|(?:say about|mention) (.+)\?", question)
    return next(filter(None, quoted.groups())) if quoted else ""


def test_looking_can_be_stopped_and_asked_again(page: Page) -> None:
    page.evaluate(ESCAPE_AT_ONCE)
    page.fill("#memqa-question", TOLD)
    page.press("#memqa-question", "Enter")
    page.wait_for_selector(f"{LAST} .state.stopped")
    assert page.is_visible(".send")
    page.click(f"{LAST} >> text=Ask again")
    turn = answered(page, 2)
    assert "0:29" in page.inner_text(turn)
    assert turns(page) == [TOLD, TOLD]


def test_an_empty_chat_offers_questions_that_can_be_answered(page: Page) -> None:
    page.click(".new-chat")
    page.wait_for_selector(".suggestions button")
    look_everywhere(page, "chat-empty-suggestions")
    offered = page.locator(".suggestions button").all_inner_texts()
    assert len(offered) == 3
    page.click(f'.suggestions >> text="{offered[0]}"')
    answered(page, 1)
    for question in offered[1:]:
        turn = ask(page, question)
        assert asked_about(question).lower() in page.inner_text(f"{turn} .answer").lower()
    assert page.locator(".turn .state.unanswered").count() == 0
    assert page.locator(".turn .state.grounded").count() >= 2
    assert page.locator(".suggestions").count() == 0


def test_what_is_ticked_is_what_is_offered(page: Page) -> None:
    page.click(".new-chat")
    page.uncheck(f"{card('sample.pdf')} input[type=checkbox]")
    page.wait_for_selector('.suggestions button:text("said?")')
    offered = page.locator(".suggestions button").all_inner_texts()
    assert len(offered) == 3
    for question in offered:
        turn = ask(page, question)
        assert page.locator(f"{turn} .state.grounded").count() == 1, question
        assert asked_about(question) in page.inner_text(f"{turn} .places")
        assert page.inner_text(f"{turn} .scope") == "asked of sample.mp4"
    look_everywhere(page, "answer-grounded")
    page.check(f"{card('sample.pdf')} input[type=checkbox]")
    page.wait_for_selector('.scope-line:text-is("asks all 2 media")')


def test_a_question_asked_at_once_goes_to_the_chat_that_is_being_opened(page: Page) -> None:
    page.evaluate("""() => {
      document.querySelector(".new-chat").click();
      document.querySelector("#memqa-question").value = "When is a television seen?";
      document.querySelector(".composer").requestSubmit();
    }""")
    page.wait_for_function("document.querySelectorAll('.turn').length === 1")
    page.keyboard.type("and")
    page.evaluate(
        "document.querySelector('.search-box').dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))"
    )
    turn = answered(page, 1)
    assert "0:09" in page.inner_text(turn), "Escape in another box stops nothing"
    assert page.locator(".turn .state.working").count() == 0
    assert page.input_value("#memqa-question") == "and", "what is written meanwhile stays"
    page.fill("#memqa-question", "")


def test_the_walk_is_drawn_and_goes_on_from_another_branch(page: Page) -> None:
    page.click(".new-chat")
    page.wait_for_selector(".start")
    turn = ask(page, ASKED)
    page.click(f"{turn} .how > summary")
    page.wait_for_selector(f"{turn} .tree")
    page.locator(f"{turn} .how").evaluate(
        "node => { node.closest('.log').scrollTop += node.getBoundingClientRect().top - 60; }"
    )
    look_everywhere(page, "way-unfolded")
    fold = page.locator(f"{turn} .fold > summary:text('not opened')").last
    fold.click()
    branch = page.locator(f"{turn} .branch.passed:visible:has(> .row .look-here)").first
    place = branch.locator(".chip").first.inner_text()
    branch.locator(".look-here").click()
    below = answered(page, 2)
    assert turns(page) == [ASKED, ASKED]
    said = page.inner_text(f"{below} .scope")
    assert said.startswith(f"from {place} of sample.pdf")
    pages = [int(part) for part in place.removeprefix("pp. ").split("–")]
    cited = page.locator(f"{below} .chip").first.get_attribute("data-page")
    assert pages[0] <= int(cited or 0) <= pages[-1]
    assert page.locator(".turn:first-of-type .tree").is_visible(), "the old way stays unfolded"


def test_what_was_asked_survives_a_reload(page: Page) -> None:
    said = page.inner_text(f"{LAST} .scope")
    page.reload()
    page.wait_for_selector(LAST)
    assert turns(page) == [ASKED, ASKED]
    assert page.inner_text(f"{LAST} .scope") == said
    page.click(f"{LAST} .how > summary")
    page.wait_for_selector(f"{LAST} .tree .look-here")


def test_an_answer_is_copied_with_its_places(page: Page) -> None:
    page.click(f"{LAST} >> text=Copy")
    page.wait_for_selector(f"{LAST} >> text=Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "[1] sample.pdf, p" in copied


def test_a_chat_is_taken_along_as_markdown(page: Page, address: str) -> None:
    page.click(".chat-more > summary")
    with page.expect_download() as waiting:
        page.click("text=Export as Markdown")
    assert waiting.value.suggested_filename.endswith("-on-which-datasets-is-programfc-evaluated.md")
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert text.startswith(f"# {ASKED}\n")
    assert text.count(f"## {ASKED}") == 2
    assert f"]({address.rstrip('/')}/#media=" in text
    assert "sample.pdf, p" in text
    link = text.partition(f"]({address.rstrip('/')}/")[2].partition(")")[0]
    elsewhere, _ = new_tab(page.context, f"{address}{link}")
    elsewhere.wait_for_selector(".sheet img")
    elsewhere.close()


def test_what_is_not_there_is_said(page: Page) -> None:
    turn = ask(page, "Who is the mayor of Oslo?")
    assert "Closest places" in page.inner_text(turn)
    look_everywhere(page, "answer-not-found")


def test_the_last_question_comes_back_with_a_key(page: Page) -> None:
    page.press("#memqa-question", "ArrowUp")
    assert page.input_value("#memqa-question") == "Who is the mayor of Oslo?"
    page.press("#memqa-question", "End")
    page.press("#memqa-question", "Shift+Enter")
    assert page.input_value("#memqa-question").endswith("?\n")
    page.fill("#memqa-question", "")


def test_two_tabs_show_one_chat(page: Page, address: str) -> None:
    other, noted = new_tab(page.context, address)
    other.wait_for_selector(LAST)
    before = turns(page)
    assert turns(other) == before
    ask(other, "When is a television seen?")
    page.bring_to_front()
    turn = answered(page, len(before) + 1)
    assert "0:09" in page.inner_text(turn)
    assert turns(page) == turns(other)
    assert not [one for one in noted if one.startswith("script error")]
    other.close()


def test_deleting_a_chat_asks_first(page: Page) -> None:
    chats = page.locator(".chats option").count()
    title = page.locator(".chats option:checked").inner_text()
    page.click(".chat-more > summary")
    page.click("text=Delete chat…")
    page.wait_for_selector("text=Delete this chat")
    page.click('.drop-chat >> text="Keep"')
    assert len(turns(page)) == 4
    page.click(".chat-more > summary")
    page.click("text=Delete chat…")
    look(page, "chat-delete")
    page.click('.drop-chat >> text="Delete it"')
    page.wait_for_function(f"document.querySelectorAll('.chats option').length === {chats - 1}")
    assert title == ASKED
    assert turns(page)[0] != ASKED


def test_on_a_phone_the_scope_leads_to_the_ticks(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.click(".scope-line")
    assert page.is_visible(card("sample.pdf"))
