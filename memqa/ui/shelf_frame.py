"""The shelf as the page begins with it: where files are added, searched, listed and counted."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr

from memqa.ui.collections import Collections
from memqa.ui.markup import Safe, el, icon
from memqa.ui.parts import Call, part
from memqa.ui.shelf import Shelf

TAKES = "Video, audio, PDF, Word, PowerPoint, EPUB, subtitles, text, Markdown, HTML"
_SHELF_CALLS = (
    "look",
    "add_upload",
    "add_path",
    "retry",
    "renew",
    "renew_all",
    "pause",
    "cancel",
    "dismiss",
    "forget",
    "tick",
    "poster",
    "sample",
)
_COLLECTION_CALLS = ("ask_collection", "tick_only", "keep_collection", "remove_collection")


def shelf_part(shelf: Shelf, collections: Collections, *, with_paths: bool) -> gr.HTML:
    """Make the shelf."""
    calls: Mapping[str, Call] = {
        **{name: getattr(shelf, name) for name in _SHELF_CALLS},
        **{name: getattr(collections, name) for name in _COLLECTION_CALLS},
    }
    return part("shelf", _skeleton(with_paths), calls)


def _skeleton(with_paths: bool) -> Safe:
    picker = el(
        "label",
        icon("add"),
        el("span", "Add media"),
        el(
            "input",
            type="file",
            multiple=True,
            class_="sr",
            aria_label="Add media from your device",
        ),
        class_="button add",
    )
    path_box = el(
        "details",
        el("summary", "or a path on this machine, or an address"),
        el(
            "form",
            el(
                "input",
                type="text",
                name="path",
                aria_label="Path of a file or folder, or an address",
                placeholder="/home/me/talk.mp4",
                autocomplete="off",
                spellcheck="false",
            ),
            el("button", "Add", type="submit"),
            class_="path-box",
        ),
        class_="paths",
    )
    unfold = el(
        "button",
        icon("shelf"),
        type="button",
        class_="unfold-shelf icon-button",
        aria_label="Show the whole shelf",
        aria_expanded="false",
        title="Shelf",
    )
    return el(
        "nav",
        el("header", el("h1", "memqa"), unfold),
        el(
            "div",
            picker,
            el("p", f"or drop files anywhere. {TAKES}.", class_="hint"),
            path_box if with_paths else None,
            el("button", "Watch live…", type="button", class_="watch-live", data_watch_live=True),
            class_="adding",
        ),
        el("p", class_="shelf-status", role="status"),
        el("ul", class_="sending", aria_label="Files being copied"),
        el("div", class_="above"),
        _search(),
        el("ul", class_="cards", aria_label="Media"),
        el("p", "No name contains that.", class_="no-match", hidden=True),
        el("footer", el("div", class_="disk"), _settings_button(), class_="shelf-foot"),
        class_="shelf empty",
        aria_label="Library",
    )


def _search() -> Safe:
    box = el(
        "input",
        type="search",
        class_="search-box",
        aria_label="Search the media by name",
        placeholder="Search by name",
        autocomplete="off",
        spellcheck="false",
    )
    found = el(
        "p",
        el("span", class_="found", role="status"),
        el("button", "Tick only these", type="button", class_="only-these"),
        class_="found-line",
        hidden=True,
    )
    return el("search", box, found, class_="searching", hidden=True)


def _settings_button() -> Safe:
    return el(
        "button",
        icon("gear"),
        el("span", "Settings"),
        type="button",
        class_="open-settings",
        aria_haspopup="dialog",
        title="Settings",
    )
