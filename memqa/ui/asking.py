"""Questions that are being answered: each runs in a thread of its own, whoever is watching.

A page that is reloaded in mid-answer finds the answer still being written, and one that goes away
does not stop it. What is finished lies in the library; here is only what runs or was stopped.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from memqa.chats import Asked
from memqa.ui import faults
from memqa.ui.turns import ShownTurn
from memqa.ui.visitors import key_of
from memqa.values import Answer, Step, Token
from models.errors import InputError, MemqaError

if TYPE_CHECKING:
    from memqa.library import Library

log = logging.getLogger(__name__)

_MOST_CHATS = 64
_MOST_LEFT = 16  # of one chat
_MOST_COUNTED = 4096  # people whose turns are counted


@dataclass(slots=True)
class _Run:
    """One answer in the making; ``version`` rises with every change of ``turn``."""

    turn: ShownTurn
    version: int = 0
    by: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


class Asking:
    """At most one answer in the making per chat.

    What was stopped or failed is known of the chats used last, until the process ends.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._runs: dict[str, _Run] = {}
        self._left: dict[str, list[ShownTurn]] = {}
        self._changed = threading.Condition()
        self._born = uuid4().hex[:8]
        self._turns: OrderedDict[str, int] = OrderedDict({"": 0})  # "" are all

    def stamp_of(self, key: str) -> str:
        """Give what changes whenever a turn of somebody's chats begins, ends or is dropped.

        For the owner, whose ``key`` is empty, these are all chats.
        """
        return f"{self._born}.{self._turns.get(key, 0)}"

    def running(self, by: str | None = None) -> int:
        """Count the answers in the making, all or those asked for ``by`` somebody."""
        with self._changed:
            return sum(
                run.turn.running for run in self._runs.values() if by is None or run.by == by
            )

    def start(self, chat: str, question: str, asked: Asked, *, by: str = "") -> ShownTurn:
        """Begin to answer a question.

        Raises:
            InputError: nothing was asked, or this chat's last question is still being answered.
        """
        question = question.strip()
        if not question:
            raise InputError("The question is empty; write what you want to know.")
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        run = _Run(ShownTurn(uuid4().hex, question, running=True, asked=asked, at=at), by=by)
        with self._changed:
            before = self._runs.get(chat)
            if before is not None and before.turn.running:
                raise InputError("The last question is still being answered; stop it first.")
            if before is not None and before.turn.answer is None:
                self._left.setdefault(chat, []).append(before.turn)
                del self._left[chat][:-_MOST_LEFT]
            self._runs.pop(chat, None)  # the chat used last stands at the end
            self._runs[chat] = run
            self._let_go()
            self._count(chat)
        threading.Thread(
            target=self._work, args=(run, chat), name=f"ask-{run.turn.id}", daemon=True
        ).start()
        return run.turn

    def now(self, chat: str) -> tuple[ShownTurn | None, int]:
        """Give the chat's last turn that began here, and its version."""
        with self._changed:
            run = self._runs.get(chat)
            return (run.turn, run.version) if run is not None else (None, 0)

    def left(self, chat: str) -> list[ShownTurn]:
        """Give the chat's turns that were stopped or failed before the last one."""
        with self._changed:
            return list(self._left.get(chat, ()))

    def follow(
        self, chat: str, version: int, *, patience_s: float = 15.0
    ) -> tuple[ShownTurn | None, int]:
        """Wait until the chat's turn has changed since ``version``, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_news(chat, version), timeout=patience_s)
        return self.now(chat)

    def stop(self, chat: str) -> None:
        """Stop answering; what was written so far stays readable."""
        with self._changed:
            run = self._runs.get(chat)
            if run is None or not run.turn.running:
                return
            run.stop.set()
            self._set(run, replace(run.turn, running=False, stopped=True), chat)

    def drop(self, chat: str) -> None:
        """Stop answering and let go of a chat."""
        self.stop(chat)
        with self._changed:
            self._runs.pop(chat, None)
            self._left.pop(chat, None)
            self._count(chat)
            self._changed.notify_all()

    def _let_go(self) -> None:
        """Forget of the chats used longest ago; whoever watches a run of the last ones finds it."""
        ended = [chat for chat, run in self._runs.items() if not run.turn.running]
        for chat in ended[: max(0, len(self._runs) - _MOST_CHATS)]:
            self._runs.pop(chat)
            self._left.pop(chat, None)

    def _is_news(self, chat: str, version: int) -> bool:
        run = self._runs.get(chat)
        return run is None or run.version != version or not run.turn.running

    def _work(self, run: _Run, chat: str) -> None:
        asked = run.turn.asked
        media = None if asked.media is None else list(asked.media)
        try:
            pieces = self._library.stream(
                run.turn.question,
                media=media,
                at_s=asked.at_s,
                chat=chat,
                resume=asked.resume,
                should_stop=run.stop.is_set,
            )
            for piece in pieces:
                if isinstance(piece, Answer):  # it is kept now, though it may just be stopped
                    self._end(run, chat, piece)
                else:
                    self._take(run, chat, piece)
        except MemqaError as exc:
            self._fail(run, chat, str(exc))
        except Exception:
            mark = faults.kept(log, "answering failed")
            self._fail(run, chat, f"Answering failed; the log of memqa says why, at {mark}.")

    def _take(self, run: _Run, chat: str, piece: Step | Token) -> None:
        with self._changed:
            turn = run.turn
            if not turn.running:
                return
            if isinstance(piece, Step):
                turn = replace(turn, steps=(*turn.steps, piece))
            else:
                turn = replace(turn, text=turn.text + piece.text)
            self._set(run, turn, chat)

    def _end(self, run: _Run, chat: str, answer: Answer) -> None:
        kept = [one.id for one in self._library.turns(chat) if one.answer.text == answer.text]
        with self._changed:
            was = run.turn.id
            if chat in self._left:
                # Stopped too late: another was asked, and it is kept all the same.
                self._left[chat] = [one for one in self._left[chat] if one.id != was]
            if not run.turn.running:
                self._count(chat)
            turn = replace(run.turn, id=kept[-1] if kept else was, was=was, answer=answer)
            self._set(run, replace(turn, running=False, stopped=False), chat)

    def _fail(self, run: _Run, chat: str, message: str) -> None:
        with self._changed:
            if run.turn.running:
                self._set(run, replace(run.turn, error=message, running=False), chat)

    def _count(self, chat: str) -> None:
        """Note that a turn began, ended or was dropped."""
        for key in {"", key_of(chat)}:
            self._turns[key] = self._turns.get(key, 0) + 1
            self._turns.move_to_end(key)
        while len(self._turns) > _MOST_COUNTED:
            self._turns.popitem(last=False)

    def _set(self, run: _Run, turn: ShownTurn, chat: str) -> None:
        if run.turn.running and not turn.running:
            self._count(chat)
        run.turn = turn
        run.version += 1
        self._changed.notify_all()
