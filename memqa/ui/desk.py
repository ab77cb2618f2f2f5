"""What the page itself keeps between two visits: what is not asked, what was dismissed, which chat.

One small JSON file under the library's home, so that a reload and a second tab see the same desk.
Each user has a desk of their own, kept likewise; those of visitors without a name are remembered
only for a while.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from memqa.ui.visitors import Visitor, visitor

log = logging.getLogger(__name__)

_MOST = 1000  # desks that are remembered


@dataclass(frozen=True, slots=True)
class DeskState:
    """Media are ticked until they are unticked, so a new one counts at once."""

    unticked: tuple[str, ...] = ()
    dismissed: tuple[str, ...] = ()
    chat: str = ""


class Desk:
    """Reads and keeps the desk's state; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._states: OrderedDict[str, DeskState] = OrderedDict({"": _read(path)})

    @property
    def state(self) -> DeskState:
        """How the desk stands of whoever is being answered."""
        return self._state

    @property
    def _state(self) -> DeskState:
        whom = visitor()
        with self._lock:
            if whom.key not in self._states:
                self._remember(whom, _read(self._file(whom)) if _is_kept(whom) else DeskState())
            return self._states[whom.key]

    def _remember(self, whom: Visitor, state: DeskState) -> None:
        self._states[whom.key] = state
        self._states.move_to_end(whom.key)
        while len(self._states) > _MOST:
            self._states.popitem(last=False)

    def _file(self, whom: Visitor) -> Path:
        return self._path.with_name(f"desk.{whom.name}.json") if whom.key else self._path

    def tick(self, media_id: str, ticked: bool) -> None:
        """Let a media count for questions, or not."""
        with self._lock:
            unticked = tuple(one for one in self._state.unticked if one != media_id)
            self._keep(replace(self._state, unticked=unticked if ticked else (*unticked, media_id)))

    def untick(self, media_ids: Collection[str]) -> None:
        """Let all media count for questions but these."""
        with self._lock:
            self._keep(replace(self._state, unticked=tuple(media_ids)))

    def dismiss(self, key: str) -> None:
        """Do not show a failed or stopped card again."""
        with self._lock:
            others = tuple(one for one in self._state.dismissed if one != key)
            self._keep(replace(self._state, dismissed=(*others, key)[-500:]))

    def recall(self, key: str) -> None:
        """Show a card again, since it was tried once more."""
        with self._lock:
            others = tuple(one for one in self._state.dismissed if one != key)
            self._keep(replace(self._state, dismissed=others))

    def turn_to(self, chat: str) -> None:
        """Open a chat."""
        with self._lock:
            self._keep(replace(self._state, chat=chat))

    def _keep(self, state: DeskState) -> None:
        whom = visitor()
        self._remember(whom, state)
        if not _is_kept(whom):
            return
        path = self._file(whom)
        draft = path.with_suffix(".part")
        try:
            draft.write_text(json.dumps(asdict(state)), encoding="utf-8")
            os.replace(draft, path)
        except OSError as exc:  # a full disk: the page goes on with it until it is closed
            log.warning("the page's own state cannot be kept in %s: %s", path, exc.strerror)


def _is_kept(whom: Visitor) -> bool:
    return bool(whom.name) or not whom.key


def _read(path: Path) -> DeskState:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return DeskState(
            unticked=tuple(map(str, found["unticked"])),
            dismissed=tuple(map(str, found["dismissed"])),
            chat=str(found["chat"]),
        )
    except FileNotFoundError:
        return DeskState()
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("the page's own state in %s cannot be read; it starts anew", path)
        return DeskState()
