"""How a part of the page is made: our own HTML and JS in one Gradio component that calls Python.

The skeleton is fixed markup; everything from the library reaches the browser as the result of a
call and is set there by our own JS, since Gradio evaluates its templates as code.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeAlias

import gradio as gr

from memqa.ui import faults
from memqa.ui.markup import Safe
from models.errors import MemqaError

log = logging.getLogger(__name__)

Call: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]


def part(
    name: str, skeleton: Safe, calls: Mapping[str, Call], *, more: Sequence[str] = ()
) -> gr.HTML:
    """Make one part of the page; where it calls Python, ``NAME.js`` runs once it stands.

    The scripts named in ``more`` run after it and see what it defines.
    """
    script = "\n".join(asset(f"{one}.js") for one in (name, *more)) if calls else ""
    assert "{{" not in skeleton
    assert "${" not in skeleton
    return gr.HTML(
        html_template=skeleton,
        js_on_load=f"{asset('page.js')}\n{script}",
        apply_default_css=False,
        elem_id=f"memqa-{name}",
        elem_classes=["memqa-part"],
        server_functions=[_served(name, call) for name, call in calls.items()],
    )


def asset(name: str) -> str:
    """Read one of the page's own files."""
    return files("memqa.ui").joinpath(name).read_text(encoding="utf-8")


def styles() -> str:
    """Put the page's style sheets together: the tokens first, what narrow windows change last."""
    between = (one.name for one in files("memqa.ui").iterdir() if one.name.endswith(".css"))
    parts = sorted(set(between) - {"theme.css", "narrow.css"})
    return "".join(map(asset, ("theme.css", *parts, "narrow.css")))


def _served(name: str, call: Call) -> Callable[[Any], dict[str, Any]]:
    """Turn what went wrong into a sentence that the page shows at its place."""

    def served(data: Any = None) -> dict[str, Any]:
        try:
            return call(data if isinstance(data, dict) else {})
        except MemqaError as exc:
            return {"error": str(exc)}
        except Exception:
            mark = faults.kept(log, f"{name} failed")
            return {"error": f"That did not work; the log of memqa says why, at {mark}."}

    served.__name__ = name
    return served
