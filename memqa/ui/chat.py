"""The chat's frame: which chat, the turns, the box to ask in; ``memqa.ui.talk`` fills it."""

from __future__ import annotations

import gradio as gr

from memqa.ui.markup import Safe, el, icon
from memqa.ui.parts import part
from memqa.ui.talk import Talk

_CALLS = ("talk", "ask", "steer", "follow", "pulse", "stop", "way", "drop", "export")


def chat_part(talk: Talk) -> gr.HTML:
    """Make the chat."""
    return part("chat", _skeleton(), {name: getattr(talk, name) for name in _CALLS})


def _skeleton() -> Safe:
    new = el(
        "button",
        icon("add"),
        type="button",
        class_="new-chat icon-button",
        aria_label="New chat",
        title="New chat",
    )
    chats = el("select", class_="chats", aria_label="Chats")
    head = el("header", chats, _more(), new, class_="chat-head")
    box = el(
        "textarea",
        id="memqa-question",
        rows=1,
        aria_label="Question",
        placeholder="Ask",
        autocomplete="off",
    )
    buttons = el(
        "div",
        el(
            "button",
            type="button",
            class_="scope-line",
            title="Tick in the library what is to be asked",
        ),
        el(
            "button",
            icon("clock"),
            el("span"),
            type="button",
            class_="moment",
            hidden=True,
            aria_pressed="false",
            title="Ask what was known by this moment of the video",
        ),
        el("button", icon("up"), type="submit", class_="send", aria_label="Ask", title="Ask"),
        el(
            "button",
            icon("stop"),
            type="button",
            class_="stop",
            aria_label="Stop",
            title="Stop",
            hidden=True,
        ),
        class_="composer-foot",
    )
    return el(
        "section",
        head,
        el(
            "p",
            "memqa does not answer any more. Is it still running?",
            class_="connection error",
            role="alert",
            hidden=True,
        ),
        el(
            "div",
            class_="log",
            tabindex=0,
            role="log",
            aria_live="off",
            aria_label="Questions and answers",
        ),
        el("p", class_="chat-error error", role="alert"),
        el("form", box, buttons, class_="composer"),
        el("p", class_="live sr", aria_live="polite"),
        class_="chat",
        aria_label="Ask",
    )


def _more() -> Safe:
    """What can be done with a whole chat; deleting asks first."""
    question = "Delete this chat, with all its questions and answers?"
    delete = el(
        "details",
        el("summary", "Delete chat…"),
        el("p", question),
        el("button", "Delete it", type="button", class_="danger", data_act="drop"),
        el("button", "Keep", type="button", class_="keep", data_act="close"),
        class_="drop-chat",
    )
    export = el("button", "Export as Markdown", type="button", data_act="export")
    return el(
        "details",
        el(
            "summary",
            icon("more"),
            class_="icon-button",
            aria_label="More about this chat",
            title="More",
        ),
        el("div", export, delete, class_="panel"),
        class_="chat-more",
        hidden=True,
    )
