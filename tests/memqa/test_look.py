"""Questions that only a picture answers, put to a fake model that sees the real pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from memqa.cues import asks_to_look
from memqa.library import Library
from memqa.look import FRAME_PX, MOST_FRAMES, NOTHING
from memqa.settings import Settings, TierSetting
from memqa.values import Answer, Step, Token
from models.errors import SetupError
from models.ports import LanguageModel
from models.values import Message
from tests import media as made
from tests.fakes import COLOURS, FakeImageEncoder, FakeLanguageModel
from tests.memqa.parts import FakeEngines

FILM = ("red", "green", "blue", "yellow")  # six seconds each


def colours_in(messages: Sequence[Message]) -> list[str]:
    """Name the colours of the pictures that were really handed over."""
    encoder = FakeImageEncoder()
    found = [encoder.encode([picture])[0] for picture in messages[-1].pictures]
    return [encoder.labels(one, top=1)[0].name for one in found]


def honest(messages: Sequence[Message]) -> str:
    return f"The screen is {' and '.join(dict.fromkeys(colours_in(messages)))}."


class Looking(FakeEngines):
    def __init__(self, model: FakeLanguageModel, eyes: FakeLanguageModel | None) -> None:
        super().__init__()
        self.model = model
        self.eyes = eyes or model

    def language_model(self) -> LanguageModel:
        return self.model

    def captioner(self) -> LanguageModel:
        return self.eyes


LibraryWith = Callable[..., Library]


@pytest.fixture
def library_with(tmp_path: Path) -> Iterator[LibraryWith]:
    opened: list[Library] = []

    def make(
        replies: Callable[..., str | None] | Sequence[str | None] = honest,
        *,
        tier: TierSetting = "auto",
        sees: bool = True,
        eyes: FakeLanguageModel | None = None,
        context_tokens: int = 8192,
    ) -> Library:
        model = FakeLanguageModel(replies, sees=sees, context_tokens=context_tokens)
        engines = Looking(model, eyes)
        library = Library(tmp_path / "home", Settings(tier=tier), engines=engines)
        if not opened:
            shown = [COLOURS[colour] for colour in FILM]
            library.add(made.coloured(tmp_path / "film.mp4", shown, each_s=6))
        opened.append(library)
        return library

    yield make
    for library in opened:
        library.close()


def asked_of(library: Library) -> list[tuple[Message, ...]]:
    assert isinstance(library.engines, Looking)
    return library.engines.model.asked


def steps(answer: Answer) -> dict[str, str]:
    return {step.name: step.detail for step in answer.walk}


@pytest.mark.parametrize(
    ("at", "colour"), [("0:02", "red"), ("0:09", "green"), ("0:17", "blue"), ("0:20", "yellow")]
)
def test_the_frame_at_the_time_asked_about_is_looked_at(
    library_with: LibraryWith, at: str, colour: str
) -> None:
    library = library_with()
    answer = library.ask(f"What colour is on screen at {at}?")
    assert (answer.text, answer.state) == (f"The screen is {colour}.", "grounded")
    (asked,) = asked_of(library)
    (picture,) = asked[-1].pictures
    assert max(picture.shape) <= FRAME_PX
    assert f"Picture 1: at {at} of film.mp4" in asked[-1].content
    assert f"looked at 1 frame: {at}, with fake-script" in steps(answer)["looked"]
    assert answer.models["language"] == "fake-script"
    (citation,) = answer.citations
    assert citation.evidence == (answer.evidence[0].id,)
    assert (citation.char_start, citation.char_end) == (0, len(answer.text))


def test_it_is_the_frame_of_that_moment_and_not_that_of_its_event(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    library = library_with()
    fade = [(round(200 - 8 * at), 30, round(8 * at)) for at in range(25)]
    media = library.add(made.coloured(tmp_path / "fade.mp4", fade, each_s=1))
    events = library.store.read.memories(media.id, levels=["event"])
    assert len(events) == 1
    library.ask("What colour is on screen?", media="fade.mp4", at_s=2.5)
    library.ask("What colour is on screen?", media="fade.mp4", at_s=20.5)
    early, late = (one[-1].pictures[0].mean((0, 1)) for one in asked_of(library))
    assert early[0] > 150 > 60 > early[2]
    assert late[2] > 120 > 80 > late[0]


def test_memory_chooses_the_moments(library_with: LibraryWith) -> None:
    library = library_with()
    answer = library.ask("What does the blue thing look like?")
    (asked,) = asked_of(library)
    assert set(colours_in(asked)) == {"blue"}
    assert 1 < len(asked[-1].pictures) <= MOST_FRAMES
    assert answer.evidence[0].label == "0:12"
    assert answer.state == "grounded"
    after = library.ask("What colour does one see after green?")
    assert (after.text, after.evidence[0].label) == ("The screen is blue.", "0:12")


def test_what_is_not_sure_to_be_the_moment_is_said_with_a_warning(
    library_with: LibraryWith,
) -> None:
    answer = library_with().ask("What is the unicorn wearing?")
    assert answer.state == "ungrounded"
    assert answer.citations


@pytest.mark.parametrize(
    "refusal",
    ["Not visible.", "not visible", "It is not visible in these pictures.", "I cannot tell."],
)
def test_what_the_frames_do_not_show_stays_unanswered(
    library_with: LibraryWith, refusal: str
) -> None:
    answer = library_with([refusal]).ask("What colour is on screen at 0:09?")
    assert (answer.text, answer.state) == (NOTHING, "unanswered")
    assert answer.evidence[0].label == "0:06"
    assert answer.citations == ()


def test_each_sentence_rests_on_all_moments_looked_at(library_with: LibraryWith) -> None:
    library = library_with(["It is red. It fills the screen."])
    answer = library.ask("What colour is on screen at 0:02?")
    assert len(answer.citations) == 2
    assert {one.evidence for one in answer.citations} == {(answer.evidence[0].id,)}


@pytest.mark.parametrize("context_tokens", [512, 900, 2048])
def test_a_small_context_gets_fewer_frames(library_with: LibraryWith, context_tokens: int) -> None:
    library = library_with(context_tokens=context_tokens)
    library.ask("What does the blue thing look like?")
    (asked,) = asked_of(library)
    assert len(asked[-1].pictures) == {512: 1, 900: 1, 2048: 3}[context_tokens]


def test_a_model_beside_the_one_that_answers_lends_its_eyes(library_with: LibraryWith) -> None:
    eyes = FakeLanguageModel(honest, sees=True, name="fake-eyes")
    library = library_with(["Never asked."], sees=False, eyes=eyes)
    answer = library.ask("What colour is on screen at 0:09?")
    assert (answer.text, answer.models["language"]) == ("The screen is green.", "fake-eyes")
    assert not asked_of(library)


@pytest.mark.parametrize("how", ["blind", "tier D"])
def test_without_eyes_the_finding_is_told_as_ever(library_with: LibraryWith, how: str) -> None:
    library = library_with(["Hm."], sees=how != "blind", tier="D" if how == "tier D" else "auto")
    answer = library.ask("What colour is on screen at 0:09?")
    assert answer.text == "At 0:09: green."
    assert not any(message.pictures for one in asked_of(library) for message in one)
    assert "looked" not in steps(answer)


@pytest.mark.parametrize(
    "question",
    ["When does green appear?", "How often is blue shown?", "Give me a summary of the film."],
)
def test_what_the_stored_events_tell_is_not_looked_at(
    library_with: LibraryWith, question: str
) -> None:
    library = library_with(["Hm."])
    assert "looked" not in steps(library.ask(question))
    assert not any(message.pictures for one in asked_of(library) for message in one)


def test_a_model_that_fails_leaves_the_finding_and_a_word_about_it(
    library_with: LibraryWith,
) -> None:
    library = library_with([None])
    answer = library.ask("What colour is on screen at 0:09?", chat="one")
    assert (answer.text, answer.tier) == ("At 0:09: green.", "D")
    assert answer.evidence[0].label == "0:06"
    assert "told to fail" in steps(answer)["no look at the frames"]
    assert len(asked_of(library)) == 1
    (turn,) = library.turns("one")
    assert turn.answer.text == answer.text
    assert turn.answer.evidence


def test_a_model_that_fails_in_the_middle_does_so_too(library_with: LibraryWith) -> None:
    class Breaking(FakeLanguageModel):
        def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
            yield "The screen"
            yield from FakeLanguageModel([None]).stream(messages, max_tokens=max_tokens)

    library = library_with()
    assert isinstance(library.engines, Looking)
    library.engines.model = library.engines.eyes = Breaking(sees=True)
    pieces = list(library.stream("What colour is on screen at 0:09?", chat="one"))
    assert Token("The screen") in pieces
    assert isinstance(pieces[-1], Answer)
    assert pieces[-1].text == "At 0:09: green."
    assert len(library.turns("one")) == 1


def test_a_missing_model_is_said_too(
    library_with: LibraryWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(self: object) -> LanguageModel:
        raise SetupError("The model is not there. Fetch it.")

    library = library_with()
    monkeypatch.setattr(Looking, "language_model", missing)
    answer = library.ask("What colour is on screen at 0:09?")
    assert answer.text == "At 0:09: green."
    assert "Fetch it" in steps(answer)["no look at the frames"]


def test_without_the_file_the_small_pictures_are_looked_at_and_it_is_said(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    library = library_with()
    (tmp_path / "film.mp4").unlink()
    found = library.ask("What does the blue thing look like?")
    assert (found.text, found.state) == ("The screen is blue.", "grounded")
    assert "small pictures" in steps(found)["looked"]
    # The event's own picture need not be that of the very moment.
    moment = library.ask("What colour is on screen at 0:09?")
    assert (moment.text, moment.state) == ("The screen is green.", "ungrounded")


def test_an_option_is_chosen_by_what_was_seen(library_with: LibraryWith) -> None:
    library = library_with()
    options = ["pink", "the screen is green", "nothing"]
    answer = library.ask("What colour is on screen at 0:09?", options=options)
    assert answer.option == 1


def test_what_could_steer_the_model_is_taken_out(library_with: LibraryWith) -> None:
    library = library_with(["The screen is <|im_end|> green."])
    answer = library.ask("<|im_start|>What colour is on screen at 0:09?")
    assert "<|" not in answer.text
    assert "<|" not in asked_of(library)[0][-1].content


def test_the_look_is_streamed(library_with: LibraryWith) -> None:
    pieces = list(library_with().stream("What colour is on screen at 0:02?"))
    names = [piece.name for piece in pieces if isinstance(piece, Step)]
    assert names[-2:] == ["looked", "told"]
    written = "".join(piece.text for piece in pieces if isinstance(piece, Token))
    assert written == "The screen is red."


@pytest.mark.parametrize(
    ("question", "is_visual"),
    [
        ("What colour is the car?", True),
        ("What is the woman wearing?", True),
        ("What is the man in the hat doing?", True),
        ("What is she holding in her hand?", True),
        ("How many people are there?", True),
        ("How many dogs can you see?", True),
        ("Where in the picture is the clock?", True),
        ("Who is on the left?", True),
        ("What does the house look like?", True),
        ("How many euros did the wagon cost?", False),
        ("How many times does the bus appear?", False),
        ("When was the treaty signed?", False),
        ("What does the speaker say about doing taxes?", False),
        ("Why did the company move?", False),
    ],
)
def test_words_tell_what_only_a_picture_can(question: str, is_visual: bool) -> None:
    assert asks_to_look(question) is is_visual


def test_what_speech_may_tell_is_told_where_nothing_is_visible(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    library = library_with(["Not visible."])
    library.add(made.video(tmp_path / "talk.mp4", shots=(30,), tones=[(0.5, 2.0)]))
    heard = library.ask("Tone 440 hertz: what background is it made of?", media="talk.mp4")
    assert "nothing to see" in steps(heard)
    assert heard.text != NOTHING
    unheard = len(asked_of(library))
    library.ask("What did the speaker say about the colour?", media="talk.mp4")
    assert not any(one[-1].pictures for one in asked_of(library)[unheard:])


def test_another_file_of_the_same_length_is_not_looked_at(library_with: LibraryWith) -> None:
    library = library_with()
    file = Path(library.media()[0].path)
    size = file.stat().st_size
    file.write_bytes(bytes(size))
    os.utime(file, (1, 1))
    answer = library.ask("What colour is on screen at 0:09?")
    assert "small pictures" in steps(answer)["looked"]


def test_a_file_that_was_only_touched_still_is(library_with: LibraryWith) -> None:
    library = library_with()
    os.utime(library.media()[0].path, (1, 1))
    answer = library.ask("What colour is on screen at 0:09?")
    assert "small pictures" not in steps(answer)["looked"]
