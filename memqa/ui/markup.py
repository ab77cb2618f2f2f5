"""How text becomes HTML: whatever is not markup made here is escaped, wherever it came from.

File names, transcripts, text on screen and answers are untrusted, so no other file of the page
writes angle brackets: it calls ``el``, which escapes every plain string it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

# Bidirectional overrides and isolates, which would turn the text after them round too.
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_VOID = frozenset({"img", "input", "br", "wbr", "meta"})


class Safe(str):
    """Markup that was built here and may stand in a page as it is."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
Attribute: TypeAlias = str | int | float | bool | None


def el(name: str, /, *children: Child, **attributes: Attribute) -> Safe:
    """Build one element; strings that are not ``Safe`` are escaped.

    A trailing underscore of an attribute is dropped and the others become hyphens, so that
    ``class_`` and ``data_media`` can be written. True gives a bare attribute, None and False none.
    """
    opening = f"<{name}{''.join(_attribute(*pair) for pair in attributes.items())}>"
    return Safe(opening if name in _VOID else f"{opening}{join(children)}</{name}>")


def without_turns(text: str) -> str:
    """Take out what would turn the text after it round."""
    return text.translate(_TURNS)


def join(children: Child) -> Safe:
    """Put pieces side by side, escaping those that are not ``Safe``."""
    if children is None:
        return Safe("")
    if isinstance(children, Safe):
        return children
    if isinstance(children, str):
        return Safe(escape(without_turns(children)))
    return Safe("".join(join(child) for child in children))


def _attribute(name: str, value: Attribute) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def icon(name: str) -> Safe:
    """Give one of the page's line drawings, hidden from screen readers."""
    return Safe(
        '<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" '
        'fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" '
        f'stroke-linejoin="round">{_DRAWINGS[name]}</svg>'
    )


_DRAWINGS = {
    "add": '<path d="M8 3v10M3 8h10"/>',
    "play": '<path d="M5 3.5v9l7-4.5z" fill="currentColor" stroke="none"/>',
    "page": '<path d="M4 2h5.5L12 4.5V14H4zM9.5 2v2.5H12M6 8h4M6 10.5h4"/>',
    "wave": '<path d="M2.5 7v2M5.25 5v6M8 3v10M10.75 5.5v5M13.5 7v2"/>',
    "clock": '<circle cx="8" cy="8" r="5.5"/><path d="M8 5v3l2 1.5"/>',
    "more": '<path d="M3.5 8h.01M8 8h.01M12.5 8h.01" stroke-width="2.2"/>',
    "close": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "left": '<path d="M10 3 5 8l5 5"/>',
    "right": '<path d="m6 3 5 5-5 5"/>',
    "up": '<path d="M8 13V3M3.5 7.5 8 3l4.5 4.5"/>',
    "down": '<path d="M8 3v10M3.5 8.5 8 13l4.5-4.5"/>',
    "zoom": '<circle cx="7" cy="7" r="4"/><path d="m10 10 3.5 3.5M5.5 7h3M7 5.5v3"/>',
    "stop": '<rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" stroke="none"/>',
    "shelf": '<path d="M3 3v10M6 3v10M9 3v10M11 3.5l2.5 9.5"/>',
    "film": '<rect x="2.5" y="3.5" width="11" height="9" rx="1"/>'
    '<path d="M5.5 3.5v9M10.5 3.5v9M2.5 8h3M10.5 8h3"/>',
    "gear": '<circle cx="8" cy="8" r="2"/><path d="M8 2v1.6M8 12.4V14M2 8h1.6M12.4 8H14'
    'M3.8 3.8l1.1 1.1M11.1 11.1l1.1 1.1M3.8 12.2l1.1-1.1M11.1 4.9l1.1-1.1"/>'
    '<circle cx="8" cy="8" r="4.4"/>',
    "speech": '<path d="M3 3.5h10v7H8L5 13v-2.5H3z"/>',
}
