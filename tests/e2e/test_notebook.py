"""The tour, run top to bottom, and the widget at its end used as a person would in JupyterLab."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.jupyter import Lab, await_kernel, lab, look, run_all, surroundings, use_theme
from tests.e2e.pages import ANSWERED_MS, DECIDED, INDEXED_MS, ROOT
from tests.media import video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.page, pytest.mark.real_model, pytest.mark.timeout(600)]

TOUR = ROOT / "examples" / "tour.ipynb"
# A second widget, a file in the background, and a cell that runs while it is indexed.
MORE = ('job = lib.add("signs.mp4", wait=False)', "lib", "print('the kernel', 'is free')")


@dataclass(frozen=True, slots=True)
class Opened:
    """The tour in JupyterLab, every cell run; ``asked_for`` notes each address that was used."""

    lab: Lab
    page: Page
    asked_for: list[str]
    ports_before: set[int]

    def widget(self, place: int = 0) -> Locator:
        return self.page.locator(".memqa-cell").nth(place)


def test_the_tour_is_kept_without_outputs() -> None:
    for cell in json.loads(TOUR.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_tour_runs_top_to_bottom(copy_of_samples: Callable[[], Path], tmp_path: Path) -> None:
    script = (
        "import nbformat, sys; from nbclient import NotebookClient; "
        f"book = nbformat.read({str(TOUR)!r}, 4); NotebookClient(book, timeout=300, "
        "resources={'metadata': {'path': sys.argv[1]}}).execute(); "
        "print(nbformat.writes(book))"
    )
    (tmp_path / "memqa-tour").symlink_to(copy_of_samples())
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env=surroundings(tmp_path / "jupyter"),
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    cells = json.loads(done.stdout)["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    shown = [text_of(output) for output in outputs]
    assert any("Water bottles: 0:15–0:26." in text and "grounded" in text for text in shown)
    assert any("forty-two ships" in text for text in shown)
    last = outputs[-1]["data"]
    assert "application/vnd.jupyter.widget-view+json" in last
    assert "2 media, 1 video 0:48, 1 document 24 pages" in text_of(outputs[-1])


def text_of(output: dict[str, object]) -> str:
    data = output.get("data")
    found = data["text/plain"] if isinstance(data, dict) else output.get("text", "")
    return "".join(found) if isinstance(found, list) else str(found)


@pytest.fixture(scope="module")
def opened(
    browser: Browser, copy_of_samples: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """Run the tour, with a few cells more, in JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    video(folder / "signs.mp4", shots=(120, 120), texts=("GATE 5", "EXIT B"), size=(384, 224))
    _write_notebook(folder / "tour.ipynb")
    (folder / "memqa-tour").symlink_to(copy_of_samples())
    with lab(folder) as started:
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.set_default_timeout(60_000)
        page, asked_for = context.new_page(), list[str]()
        page.on("request", lambda request: asked_for.append(request.url))
        page.on("websocket", lambda socket: asked_for.append(socket.url))
        page.on("pageerror", lambda error: asked_for.append(f"script error: {error}"))
        page.goto(started.notebook("tour.ipynb"))
        await_kernel(page)
        before = started.kernel_ports()
        run_all(page)
        page.locator(".memqa-cell").nth(1).locator(".item").first.wait_for(timeout=INDEXED_MS)
        yield Opened(started, page, asked_for, before)
        context.close()


def _write_notebook(place: Path) -> None:
    book = json.loads(TOUR.read_text(encoding="utf-8"))
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    book["cells"] += [
        {**empty, "id": f"more-{n}", "source": source} for n, source in enumerate(MORE)
    ]
    place.write_text(json.dumps(book), encoding="utf-8")


def ask(widget: Locator, question: str) -> Locator:
    """Ask in a widget, wait for the answer's state, and give its turn."""
    turns = widget.locator(".turn").count()
    widget.locator("textarea").fill(question)
    widget.locator("textarea").press("Enter")
    turn = widget.locator(".turn").nth(turns)
    turn.locator(DECIDED).wait_for(timeout=ANSWERED_MS)
    return turn


def barriers(page: Page) -> list[str]:
    """Tell what keeps people out of the widgets, serious or worse (axe-core)."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context={"include": [[".memqa-cell"]]}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_a_file_is_indexed_in_the_background_and_the_kernel_stays_free(opened: Opened) -> None:
    opened.page.locator("text=the kernel is free").wait_for()
    item = opened.widget(1).locator('.item:has-text("signs.mp4")')
    item.locator("progress").wait_for(timeout=INDEXED_MS)
    look(opened.page, "indexing")
    for widget in (opened.widget(0), opened.widget(1)):
        widget.locator('.item.ready:has-text("signs.mp4")').wait_for(timeout=INDEXED_MS)
    assert "0:24" in item.inner_text()


def test_a_question_is_answered_and_its_seconds_play_right_here(opened: Opened) -> None:
    widget = opened.widget(0)
    turn = ask(widget, "When are the water bottles shown?")
    assert turn.locator(".state.grounded").inner_text() == "grounded"
    assert turn.locator(".places .thumb").count() > 0
    turn.locator(".answer .chip").first.click()
    player = turn.locator("video")
    player.wait_for()
    opened.page.wait_for_function(
        "video => video.currentTime > 0.5 && video.readyState >= 2", arg=player.element_handle()
    )
    assert player.evaluate("video => video.src").startswith("blob:")
    assert player.evaluate("video => video.duration") == pytest.approx(11.0, abs=0.6)
    assert player.evaluate("video => video.webkitAudioDecodedByteCount") > 0
    assert "0:15–0:26" in turn.locator(".viewer").inner_text()
    player.evaluate("video => video.pause()")
    opened.page.wait_for_timeout(300)
    turn.scroll_into_view_if_needed()
    look(opened.page, "moment-light")


def test_another_widget_of_the_same_library_keeps_its_own_chat(opened: Opened) -> None:
    assert opened.widget(1).locator(".turn").count() == 0
    assert opened.widget(0).locator(".turn").count() == 1


def test_a_page_opens_with_the_passage_marked_and_can_be_turned(opened: Opened) -> None:
    widget = opened.widget(1)
    for name in ("sample.mp4", "signs.mp4"):
        widget.locator(f'.item:has-text("{name}") input').uncheck()
    widget.locator(".scope:has-text('1 of 3')").wait_for()
    turn = ask(widget, "What are the limitations of the method?")
    turn.locator(".chip[data-page]").first.click()
    leaf = turn.locator(".leaf")
    leaf.locator("img").wait_for()
    assert leaf.locator(".sheet .box").count() > 0
    opened.page.wait_for_timeout(300)
    turn.locator(".viewer").scroll_into_view_if_needed()
    look(opened.page, "page-light")
    before = leaf.get_attribute("data-page")
    leaf.locator('[aria-label="Next page"]').click()
    turn.locator(f'.leaf[data-page="{int(before or 0) + 1}"]').wait_for()


def test_nobody_is_kept_out_light_or_dark(opened: Opened) -> None:
    for theme in ("Dark", "Light"):
        use_theme(opened.page, f"JupyterLab {theme}")
        for place in (0, 1):
            widget = opened.widget(place)
            widget.scroll_into_view_if_needed()
            opened.page.wait_for_timeout(700)
            look(opened.page, f"widget-{place}-{theme.lower()}")
            shade = widget.evaluate("node => getComputedStyle(node).colorScheme")
            assert shade == theme.lower()
        assert not (wrong := barriers(opened.page)), f"{theme}: {wrong}"


def test_everything_works_from_the_keyboard(opened: Opened) -> None:
    page, widget = opened.page, opened.widget(0)
    widget.locator("textarea").focus()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.matches('.memqa-cell .chip')")
    cells = page.locator(".jp-Cell").count()
    for key in ("a", "b", "d", "d", "m"):  # JupyterLab's own: add, delete, change a cell
        page.keyboard.press(key)
    assert page.locator(".jp-Cell").count() == cells
    page.keyboard.press("Enter")
    widget.locator("video").last.wait_for()


def test_the_cells_above_read_well(opened: Opened) -> None:
    page = opened.page
    page.locator(".jp-Cell").first.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    look(page, "tour-1")
    answer = page.locator(".jp-OutputArea-output:has-text('grounded')").first
    answer.scroll_into_view_if_needed()
    look(page, "tour-2")


def test_nothing_left_this_machine_and_no_port_was_opened(opened: Opened) -> None:
    assert not [url for url in opened.asked_for if url.startswith("script error")]
    hosts = {urlsplit(url).hostname for url in opened.asked_for if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
    assert len(opened.lab.kernels()) == 1
    assert opened.lab.kernel_ports() <= opened.ports_before
