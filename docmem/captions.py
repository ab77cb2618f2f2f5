"""How captions of figures and tables are told by their words."""

from __future__ import annotations

import re

_KINDS = (
    r"fig(?:ure|\.)|chart|graph|plate|scheme|diagram|abb(?:ildung|\.)",
    r"table|exhibit|box|tab(?:elle|leau|\.)",
)
_NUMBER = r"\s+(?:[A-Z]{1,2}[.-]?)?\d+(?:[.-]\d+)*[a-z]?"
_CAPTION = re.compile(rf"((?:{'|'.join(_KINDS)}){_NUMBER})\s*(?:[:.|–—-]\s|[:.]?$)", re.I)
_FIGURE = re.compile(rf"(?:{_KINDS[0]})\s", re.I)


def caption_label(text: str) -> str:
    """Give the label that a caption begins with (``Figure 3``), or nothing."""
    found = _CAPTION.match(text)
    return found[1] if found else ""


def is_figure(text: str) -> bool:
    """Tell the caption of a figure from that of a table."""
    return bool(_FIGURE.match(text))
