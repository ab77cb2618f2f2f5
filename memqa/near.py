"""Which known name a misspelt one is near to, as the end of a sentence that refuses it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give `` Did you mean 'talk.mp4'?``, or nothing where no known name is near."""
    by_key = {one.casefold(): one for one in known}
    near = [by_key[key] for key in get_close_matches(name.casefold(), by_key, _MOST)]
    if not near:
        # The beginning of a name, or a name without its ending.
        key = name.casefold().strip()
        near = [one for low, one in by_key.items() if len(key) > 2 and key in low][:_MOST]
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
