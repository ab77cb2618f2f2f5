"""What the language model in use may decide: by a test whose result is kept, or by a setting.

The results lie in ``capabilities.json`` in the library's folder, by the model's signature and the
version of the prompts: another file of weights is another model, and is tested anew.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from memqa.values import SET_BY_HAND
from models.errors import ChatModelUnavailable, InputError, SetupError
from models.ports import LanguageModel, OptionScorer
from models.values import TimeSpan

if TYPE_CHECKING:
    from docmem.capability import Capability, Item
    from docmem.moments import Asked, Sense
    from docmem.steps import Tier
    from memqa.opened import Opened

log = logging.getLogger(__name__)

FILE = "capabilities.json"
_UNTESTED = "It was not tested yet, so it only phrases what retrieval finds; `memqa tier --test`."


def tier_of(library: Opened) -> tuple[Tier, str]:
    """Say which tier the language model works in, and why; loads it only where that matters.

    Without the model, or its server, it is D.

    Raises:
        SetupError: tier B was set by hand, and the model gives no scores.
    """
    wanted = library.settings.tier
    try:
        if wanted == "auto":
            found = known(library)
            return (found.tier, f"{found.model}: {found.why}") if found else ("C", _UNTESTED)
        model = library.engines.language_model() if wanted in ("A", "B") else None
    except (ChatModelUnavailable, SetupError) as exc:  # the model is gone, or never was one
        return "D", str(exc)
    if wanted == "B" and model is not None and not isinstance(model, OptionScorer):
        raise SetupError(f"{model.name} gives no scores, which tier B needs; set tier to auto")
    return wanted, SET_BY_HAND


def may_answer(library: Opened) -> tuple[bool, str]:
    """Say whether the model in use may answer from several pieces of evidence at once, and why.

    By the test; a model that is put in tier A by hand is trusted with it, untested.

    Raises:
        SetupError: the model is missing.
    """
    wanted = library.settings.tier
    if wanted in ("A", "D"):
        return wanted == "A", SET_BY_HAND
    try:
        found = known(library)
    except ChatModelUnavailable as exc:
        return False, str(exc)
    return (found.may_answer, found.answering) if found else (False, _UNTESTED)


def known(library: Opened) -> Capability | None:
    """Give what the model in use showed when it was tested, None where it never was.

    Raises:
        ChatModelUnavailable: the model is on a server that does not answer.
    """
    from docmem.capability import Capability

    kept = _kept(library.home)
    if not kept:
        return None
    try:
        return Capability.from_json(kept[_key(library.engines.language_model())])
    except (KeyError, TypeError, SetupError):
        return None


def measure(library: Opened, *, budget_s: float = 60.0) -> Capability:
    """Test the model in use, on samples and on media of the library, and keep the result.

    Raises:
        SetupError: there is no model to test.
        ChatModelUnavailable: the model failed.
    """
    from docmem.capability import try_out

    model, encoder = library.engines.language_model(), library.engines.text_encoder()
    found = try_out(
        model,
        encoder.encode,
        own=list(_own(library)),
        own_moments=_own_moments(library),
        budget_s=budget_s,
    )
    kept = _kept(library.home) | {_key(model): found.as_json()}
    library.home.mkdir(parents=True, exist_ok=True)
    draft = library.home / f"{FILE}.{uuid4().hex}"
    draft.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    os.replace(draft, library.home / FILE)
    return found


def _own(library: Opened) -> Iterator[Item]:
    """Make items of the longest document that has a tree."""
    from docmem.capability import items_from
    from memqa.outline import load_outline

    documents = [item for item in library.media() if item.kind == "document"]
    for media in sorted(documents, key=lambda item: (-(item.pages or 0), item.id)):
        try:
            tree = load_outline(library.store.read, media)
        except InputError:
            continue
        passages = library.store.read.memories(media.id, levels=("passage",))
        read: Callable[[str], str] = {
            f"p{place}": one.text for place, one in enumerate(passages)
        }.__getitem__
        yield from items_from(tree, read)
        return


def _own_moments(library: Opened) -> list[Asked]:
    """Make questions of the longest video."""
    from docmem.moments import Note, moments_from
    from memqa.findings import parts_of

    videos = [item for item in library.media() if item.kind != "document"]
    longest = max(videos, key=lambda item: (item.duration_s or 0, item.id), default=None)
    if longest is None:
        return []
    events = library.store.read.memories(longest.id, levels=("event",))
    notes = []
    for event in events:
        assert isinstance(event.locator, TimeSpan)
        for sense, text in parts_of(event.text).items():
            notes.append(Note(event.locator.start_s, cast("Sense", sense), text))
            break
    return moments_from(notes)


def _key(model: LanguageModel) -> str:
    from docmem.prompts import VERSION

    return f"{model.signature} prompts/{VERSION}"


def _kept(home: Path) -> dict[str, Any]:
    """Read what was kept; a file that cannot be read counts as none, since a test makes it anew."""
    try:
        kept = json.loads((home / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        log.warning("%s cannot be read, the model counts as untested: %s", home / FILE, exc)
        return {}
    return kept if isinstance(kept, dict) else {}
