"""One conversation in a terminal: what has been asked, and the few commands beside questions."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from memqa.cli import words
from memqa.cli.ask import last, watched
from memqa.cli.options import ask_of
from memqa.values import Answer
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.library import Library
    from memqa.values import Evidence, Step, Token

HELP = """\
/media NAME…  ask these files or collections only; /media all for everything
/way          how the last answer was found
/more         other places that were found for the last answer
/open N       the whole text at place N, and where its file lies
/help         this list
/quit         leave (or Ctrl-D)
Anything else is a question. Ctrl-C stops an answer, Ctrl-R finds what was asked before."""


class Talk:
    """A chat that questions are put to, and what its last answer showed."""

    def __init__(
        self,
        library: Library,
        chat: str,
        media: Sequence[str] | None = None,
        *,
        at_s: float | None = None,
        as_json: bool = False,
    ) -> None:
        self._library, self._chat = library, chat
        self._media = ask_of(library, list(media or ()) or None)
        self._at_s, self._as_json = at_s, as_json
        self.stopped = threading.Event()  # set where the person wants no more of an answer
        self._answer: Answer | None = None
        self._places: list[Evidence] = []
        self._shown = 0  # of the places
        self._turns_before = 0  # the question asked last
        self.commands: dict[str, Callable[[str], None]] = {
            "/media": self._choose,
            "/way": self._way,
            "/more": self._more,
            "/open": self._open,
            "/help": lambda _: print(HELP),
        }

    @property
    def asked(self) -> str:
        """What questions are put to, in words."""
        if self._media is None:
            return "everything remembered"
        return words.printable(", ".join(self._media))

    def is_kept(self) -> bool:
        """Say whether the question asked last is in the chat, with its answer."""
        return len(self._library.turns(self._chat)) > self._turns_before

    def say(self, line: str) -> bool:
        """Answer a question or obey a command; False where the person wants to leave.

        Raises:
            MemqaError: what was asked for cannot be had; the conversation goes on.
        """
        line = line.strip()
        name, _, rest = line.partition(" ")
        if name in ("/quit", "/exit"):
            return False
        if name in self.commands:
            if self._as_json and name != "/media":
                raise InputError(f"{name} is for reading; with --json all of it is in the answers")
            self.commands[name](rest.strip())
        elif name.startswith("/") and "/" not in name[1:]:
            raise InputError(f"there is no command {name}; see /help")
        elif line:
            self._ask(line)
        return True

    def _ask(self, question: str) -> None:
        self._turns_before = len(self._library.turns(self._chat))
        pieces = self._until_stopped(
            self._library.stream(question, media=self._media, at_s=self._at_s, chat=self._chat)
        )
        is_plain = self._as_json or not sys.stdout.isatty()
        answer = last(pieces) if is_plain else watched(pieces)
        self._answer = answer
        rests_on, others = words.places_of(answer)
        self._places = [*rests_on, *others]
        for note in answer.fallbacks:
            print(f"memqa: note: {words.printable(note)}", file=sys.stderr)
        if self._as_json:
            words.print_json({"chat": self._chat, "question": question, **answer.as_json()})
        else:
            self._shown = words.print_answer(answer, numbered=True)
            if self._shown < len(self._places):
                print(f"/more shows {len(self._places) - self._shown} more that were found")

    def _until_stopped(
        self, pieces: Iterator[Step | Token | Answer]
    ) -> Iterator[Step | Token | Answer]:
        # Ctrl-C raises at once where it can; this is for where a library in use swallows that.
        self.stopped.clear()
        for piece in pieces:
            if self.stopped.is_set() and not isinstance(piece, Answer):
                raise KeyboardInterrupt
            yield piece

    # Commands

    def _choose(self, names: str) -> None:
        try:
            wanted = shlex.split(names)
        except ValueError:
            raise InputError(f"a quotation mark is missing in: /media {names}") from None
        if wanted == ["all"]:
            self._media = None
        elif wanted:
            self._media = ask_of(self._library, wanted)
        if not self._as_json:
            print(f"asking about {self.asked}")

    def _way(self, _: str) -> None:
        from memqa.cli.way import print_way

        print_way(self._last_answer().walk)

    def _more(self, _: str) -> None:
        answer = self._last_answer()
        more = self._places[self._shown :]
        if not more:
            print("no more was found for the last answer; ask in other words")
            return
        words.print_places("see also", more, answer.text, first=self._shown + 1)
        self._shown = len(self._places)

    def _open(self, number: str) -> None:
        self._last_answer()
        if not number.isdecimal() or not 1 <= int(number) <= len(self._places):
            there = f"/open takes 1 to {len(self._places)}" if self._places else "it has none"
            raise InputError(f"the answer has no place {number!r}; {there}")
        item = self._places[int(number) - 1]
        print(f"{words.place(item.locator)}  {words.printable(item.path)}")
        print(words.plain(item.text))

    def _last_answer(self) -> Answer:
        if self._answer is None:
            raise InputError("nothing has been asked yet; ask something first")
        return self._answer
