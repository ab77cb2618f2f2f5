"""Asking a library: moments and pages that fit, answers to questions, and the chats they make."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memqa.chats import Asked, Chat, Turn, chats_of, turn_from, turn_row
from memqa.opened import Opened
from memqa.values import Answer, AnswerMode, Attention, Evidence, Step, Token
from models.errors import DiskFull, InputError, ReadOnly
from models.values import ShouldStop

if TYPE_CHECKING:
    from docmem.capability import Capability
    from docmem.steps import Tier
    from docmem.tree import Tree
    from memqa.account import MemoryAccount


class Asking(Opened):
    """The door of a library through which it is asked."""

    def search(
        self, query: str, *, media: Sequence[str] | str | None = None, limit: int = 10
    ) -> list[Evidence]:
        """Find the moments and pages that fit a query best; no language model is used.

        ``media`` are ids, paths, file names or names of collections; without any, all count.

        Raises:
            InputError: an empty query, or a media that is not in the library.
        """
        from memqa import retrieve

        query = _asked(query, "the query is empty; search for something")
        return retrieve.search(self, query, media_ids=self.scope(media).media_ids, limit=limit)

    def ask(
        self,
        question: str,
        *,
        media: Sequence[str] | str | None = None,
        at_s: float | None = None,
        mode: AnswerMode = "auto",
        options: Sequence[str] | None = None,
        chat: str | None = None,
        resume: str | None = None,
    ) -> Answer:
        """Answer a question from what is remembered; see ``stream``."""
        pieces = self.stream(
            question,
            media=media,
            at_s=at_s,
            mode=mode,
            options=options,
            chat=chat,
            resume=resume,
        )
        answer = None
        for piece in pieces:
            answer = piece if isinstance(piece, Answer) else answer
        assert answer is not None, "a stream ends with its answer"
        return answer

    def stream(
        self,
        question: str,
        *,
        media: Sequence[str] | str | None = None,
        at_s: float | None = None,
        mode: AnswerMode = "auto",
        options: Sequence[str] | None = None,
        chat: str | None = None,
        resume: str | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Step | Token | Answer]:
        """Yield the steps, then the words as they are written, then the one Answer that counts.

        ``media`` are ids, paths, file names or names of collections; without any, all count.
        ``at_s`` asks as of that second of a video, ``options`` makes it multiple choice, ``chat``
        names a chat whose turns a follow-up may lean on and which this turn joins. ``resume`` is a
        node of an earlier answer's walk (``n2-1``, of several media ``report.pdf:n2-1``): only what
        lies below it then counts. Once ``should_stop`` wishes it, nothing more comes, and the turn
        is not kept. Nor is it where there is no room for it, which the answer's ``fallbacks`` say.

        Raises:
            InputError: an empty question, a media that is not in the library, a time that no
                video asked about has, or a node that its tree has not.
            StoreConflict: what the answer rests on was forgotten before the turn could be kept.
        """
        from memqa import answer

        question = _asked(question, "the question is empty; ask something")
        scope = self.scope(media)
        if at_s is not None:
            self._check_time(at_s, scope.media_ids)
        pieces = answer.stream(
            self,
            question,
            scope=scope,
            at_s=at_s,
            mode=mode,
            options=options,
            chat=chat,
            resume=resume,
        )
        for piece in pieces:
            if should_stop is not None and should_stop():
                return
            if isinstance(piece, Answer) and chat is not None:
                turn = turn_row(chat, question, piece, Asked(scope.media_ids, at_s, resume))
                try:
                    if not self.store.write.keep_turn(turn, should_stop=should_stop):
                        return
                except (DiskFull, ReadOnly) as exc:  # the answer itself is as good as ever
                    unkept = Step("kept", f"the turn is not kept: {exc}", fallback=True)
                    piece = replace(piece, walk=(*piece.walk, unkept))
            yield piece

    # Looking

    def density(self, question: str, *, media: str) -> list[Attention]:
        """Give how a question's attention spreads over a video's time line.

        ∞-Video's Gibbs density (arXiv 2501.19098, eq. 7) over the small continuous memory that
        every video keeps: stretches in order of time, and attention a second, integrating to one.

        Raises:
            InputError: an empty question, or no such media, or no picture memory in it.
        """
        from memqa import retrieve

        question = _asked(question, "the question is empty; ask something")
        return retrieve.attention(self, question, self.show(media))

    def outline(self, media: str) -> Tree:
        """Give the tree of summaries over a media, its passages or events as leaves ``p0, p1, …``.

        Raises:
            InputError: no such media, or its outline is not made yet.
        """
        from memqa.outline import load_outline

        return load_outline(self.store.read, self.show(media))

    def memory(self, media: str) -> MemoryAccount:
        """Take stock of what a video's picture memory holds, finished or still being watched.

        Raises:
            InputError: no such media, or no picture memory in it.
        """
        from memqa.account import account_of

        return account_of(self.store.read, self.show(media))

    def thumbnail(self, item: Evidence | str) -> bytes | None:
        """Give the JPEG that belongs to evidence or to a memory's id, if there is one."""
        return self.store.read.thumbnail(item if isinstance(item, str) else item.id)

    # What the model may do

    def tier(self) -> tuple[Tier, str]:
        """Say what the language model in use may decide, from A (it leads) to D, and why.

        Raises:
            SetupError: the tier set by hand is more than the model can do.
        """
        from memqa import capabilities

        return capabilities.tier_of(self)

    def may_answer(self) -> tuple[bool, str]:
        """Say whether the language model in use may answer from several places at once, and why.

        Raises:
            SetupError: the model is missing.
        """
        from memqa import capabilities

        return capabilities.may_answer(self)

    def test_model(self, *, budget_s: float = 60.0) -> Capability:
        """Find out what the language model in use can do, keep it, and give it.

        It takes about ``budget_s``; from then on questions are answered in the tier that it earned.

        Raises:
            SetupError: there is no model to test.
            ChatModelUnavailable: the model failed.
        """
        from memqa import capabilities

        return capabilities.measure(self, budget_s=budget_s)

    # Chats

    def chats(self) -> list[Chat]:
        """List the chats, the latest used first."""
        return chats_of([turn_from(row) for row in self.store.read.turns()])

    def turns(self, chat: str) -> list[Turn]:
        """Give the turns of a chat in the order they were asked."""
        return [turn_from(row) for row in self.store.read.turns(chat)]

    def drop_chat(self, chat: str) -> None:
        """Delete a chat, and every trace of it on the disk."""
        self.store.upkeep.forget_chat(chat)

    # Within

    def _check_time(self, at_s: float, media_ids: Sequence[str] | None) -> None:
        """Refuse a time that is none, or that lies beyond the end of all that is asked about."""
        if not 0 <= at_s < math.inf:
            raise InputError(f"{at_s} is no time in a video; give seconds from its start")
        asked = [one for one in self.media() if media_ids is None or one.id in media_ids]
        timed = [one for one in asked if one.kind != "document"]
        ends = [one.duration_s for one in timed if one.duration_s is not None]
        # A player's last moment may lie a little behind the end that the file states.
        if ends and len(ends) == len(timed) and at_s > max(ends) + 1:
            raise InputError(
                f"there is no second {at_s:g}: what is asked about ends at {max(ends):.1f} s"
            )


def _asked(text: str, if_empty: str) -> str:
    """Give a question as text that can be written: a broken byte becomes a question mark."""
    if not text.strip():
        raise InputError(if_empty)
    return text.encode("utf-8", "replace").decode()
