"""How the library and its values show themselves: printed, in a console, in a notebook's cell.

Here is only what the classes inherit and when it applies; the texts are written in ``plain``, the
HTML in ``html``, what moves in ``memqa.notebook``.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from memqa.library import Library

Bundle = dict[str, Any]


class Printer(Protocol):
    """What IPython's console gives a value to write itself with."""

    def text(self, words: str) -> None:
        """Write some words."""
        ...


class Shown:
    """Reads well printed, in IPython's console and in a notebook; ``repr`` stays exact."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        # IPython asks each class for its own before it goes on to the next, and of a dataclass its
        # `__repr__` would come first.
        setattr(cls, "_repr_pretty_", Shown._repr_pretty_)  # noqa: B010

    def __str__(self) -> str:
        from memqa.shown.plain import plain

        return plain(self)

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        from memqa.shown.html import html

        return html(self)


def in_notebook() -> bool:
    """Say whether a notebook's kernel runs this code, so that somebody sees what is displayed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


def bundle(library: Library) -> Bundle:
    """Give what a front end shows for a library: a widget where it can, HTML and text besides."""
    from memqa.homes import told
    from memqa.shown.html import library_html
    from memqa.shown.plain import library_text

    media = library.media()
    here, able = in_notebook(), importlib.util.find_spec("anywidget") is not None
    shown: Bundle = {
        "text/plain": library_text(told(library.home), media),
        "text/html": library_html(told(library.home), media, hint=here and not able),
    }
    if here and able:
        from memqa.notebook import LibraryWidget

        shown |= LibraryWidget(library).view()
    return shown
