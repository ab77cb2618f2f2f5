"""The page: how its three parts stand side by side. Everything else is in the parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from memqa.ui.asking import Asking
from memqa.ui.chat import chat_part
from memqa.ui.collections import Collections
from memqa.ui.desk import Desk
from memqa.ui.live import LiveView, live_part
from memqa.ui.markup import Safe, el, icon
from memqa.ui.parts import part
from memqa.ui.places import Places
from memqa.ui.settings import SettingsDesk, settings_part
from memqa.ui.shelf import Shelf
from memqa.ui.shelf_frame import shelf_part
from memqa.ui.stage import Stage, stage_part
from memqa.ui.talk import Talk

if TYPE_CHECKING:
    from memqa.library import Library


def build(
    library: Library, *, cache: Path, places: Places, on_ready: Callable[[], None]
) -> gr.Blocks:
    """Arrange the page over a library.

    ``cache`` is where uploads arrive; ``on_ready`` is called once, when there is something to ask.
    """
    desk = Desk(library.home / "page" / "desk.json")
    page = gr.Blocks(title="memqa", fill_width=True, fill_height=True, analytics_enabled=False)
    with page, gr.Column(elem_id="memqa-desk"):
        shelf = Shelf(library, desk, places, cache=cache, on_ready=on_ready)
        shelf_part(shelf, Collections(library, desk), with_paths=places.local)
        stage_part(Stage(library, places))
        chat_part(Talk(library, desk, Asking(library)))
        live_part(LiveView(library, desk, places), with_address=places.local)
        part("tabs", _tabs(), {})
        settings_part(SettingsDesk(library, places))
    places.serve_by(page)
    return page


def _tabs() -> Safe:
    """The three parts as tabs, for a window too narrow to stand them side by side."""
    tabs = (("media", "film", "Media"), ("ask", "speech", "Ask"), ("library", "shelf", "Library"))
    buttons = [
        el(
            "button",
            icon(drawing),
            label,
            type="button",
            data_tab=name,
            aria_pressed="true" if name == "ask" else "false",
        )
        for name, drawing, label in tabs
    ]
    return el("nav", buttons, class_="tabs", aria_label="Parts of the page")
