"""The door of a library: who finds it, what goes through it, and what is kept out."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import memqa
from memqa import door, settings, settings_file, visits, whereabouts
from memqa.calls import Ask, Found, Note, Reply, Search, as_json, read, written
from memqa.doorkeeper import open_door
from memqa.scope import Scope
from memqa.values import Answer, Citation, Evidence, Look, Media, Option, Step, Token
from memqa.warm import warm_up
from models.errors import BackendError, InputError, ModelNotFound
from models.values import Box, PageSpan, TimeSpan

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")

MOMENT = Evidence(
    "m1.e0", "m1", "/v/talk.mp4", "video", "said", TimeSpan(1.23456, 4.0), "Hello", 0.123456
)
PAGE = Evidence(
    *("m2.p3", "m2", "/v/report.pdf", "document", "text", PageSpan(3, 4, 10, 90), "Sum", 1.0),
    boxes=(Box(3, 0.1, 0.2, 0.3, 0.4),),
    node_id="n1-2",
)
LOOK = Look(
    "n1-2", ("n2-0", "n1-2"), "p. 3", "Sum", (Option("p3", "p. 3", "Sum", 0.5),), ("p3",), ""
)
ANSWER = Answer(
    "Sum.",
    "grounded",
    (PAGE, MOMENT),
    (Citation(0, 4, ("m2.p3",)),),
    option=1,
    walk=(Step("walk", look=LOOK), Step("found", "2 places", {"m1.e0": 0.123456})),
    tier="C",
    models={"text": "x"},
    timings_s={"told": 0.1234},
)


class OneLibrary:
    """As much of a library as is asked at the door; notes what it is asked, and what is stopped."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = settings.load(home=home)
        self.asked: list[Any] = []
        self.stopped = threading.Event()
        rows = [SimpleNamespace(media=Media("m1", "/v/talk.mp4", "video", "indexed"), aliases=())]
        self.store = SimpleNamespace(
            read=SimpleNamespace(media_rows=lambda: rows),
            collections=SimpleNamespace(find=lambda name: None),
        )

    def media(self) -> list[Media]:
        return []

    def scope(self, media: Any) -> Scope:
        self.asked.append(media)
        return Scope(notes=("'x' names a file and a collection",) if media else ())

    def search(self, query: str, **wanted: Any) -> list[Evidence]:
        if query == "nothing":
            raise InputError("the query is empty; search for something")
        if query == "a model":
            raise ModelNotFound("the text encoder is missing")
        if query == "a fault":
            raise RuntimeError("not foreseen")
        return [MOMENT, PAGE]

    def stream(self, question: str, **wanted: Any) -> Iterator[Step | Token | Answer]:
        self.asked.append(wanted)
        try:
            yield ANSWER.walk[0]
            for _ in range(1000 if question == "long" else 1):
                yield Token("Sum" * 100)
            yield ANSWER
        finally:
            self.stopped.set()


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the person's own runtime folder, of a short name, for a socket's path has few bytes."""
    with tempfile.TemporaryDirectory(prefix="mq", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def library(own_home: Path) -> OneLibrary:
    return OneLibrary(own_home.resolve())


@pytest.fixture
def place(library: OneLibrary) -> Iterator[Path]:
    """Give the socket of an open door."""
    with open_door(library) as is_open:  # type: ignore[arg-type]
        assert is_open
        found = door.place_of(library.home)
        assert found is not None
        yield found


def heard(call: Search | Ask) -> list[Reply]:
    replies = door.knock(None, call)
    assert replies is not None
    return list(replies)


@pytest.mark.parametrize(
    "reply", [Note("a"), Token("b"), Found((MOMENT, PAGE)), *ANSWER.walk, ANSWER], ids=type
)
def test_replies_are_read_as_they_were_written(reply: Reply) -> None:
    line = json.dumps(written(reply))
    again = read(json.loads(line))
    assert json.dumps(written(again)) == line
    assert type(again) is type(reply)


def test_a_search_goes_through_the_door(place: Path, library: OneLibrary) -> None:
    assert door.knock(library.home.parent / "other", Search("x")) is None
    (found,) = heard(Search("x", limit=3))
    assert isinstance(found, Found)
    assert [one.as_json() for one in found.evidence] == [MOMENT.as_json(), PAGE.as_json()]
    note, _ = heard(Search("x", media=("talk.mp4",)))
    assert note == Note("'x' names a file and a collection")
    assert library.asked[-1] == ("talk.mp4",)


def test_an_answer_comes_piece_by_piece_with_all_that_was_asked(
    place: Path, library: OneLibrary
) -> None:
    call = Ask("?", ("m1",), at_s=7.5, mode="moment", options=("a", "b"), resume="n1-3")
    note, step, token, answer = heard(call)
    assert isinstance(note, Note)
    assert isinstance(step, Step)
    assert isinstance(token, Token)
    assert written(answer) == {"answer": ANSWER.as_json()}
    asked = {"media": ("m1",), "at_s": 7.5, "mode": "moment", "options": ("a", "b")}
    assert library.asked[-1] == {**asked, "resume": "n1-3"}


def test_who_hangs_up_stops_the_work(place: Path, library: OneLibrary) -> None:
    replies = door.knock(None, Ask("long"))
    assert replies is not None
    assert isinstance(next(replies), Step)
    replies.close()  # type: ignore[attr-defined]
    assert library.stopped.wait(10)
    assert len(heard(Search("x"))) == 1


@pytest.mark.parametrize(
    ("query", "kind"),
    [("nothing", InputError), ("a model", ModelNotFound), ("a fault", BackendError)],
)
def test_errors_come_through_as_what_they_are(
    place: Path, query: str, kind: type[Exception], error_log: list[Any]
) -> None:
    with pytest.raises(kind) as raised:
        heard(Search(query))
    assert type(raised.value) is kind
    if kind is BackendError:
        assert "did not foresee: RuntimeError: not foreseen" in str(raised.value)
    error_log.clear()  # what nobody foresaw is in the log of the process that has the library


def test_a_path_is_read_from_where_it_is_typed(place: Path, library: OneLibrary) -> None:
    lines = [json.dumps({**as_json(Search("x", ("talk.mp4",))), "from": at}) for at in ("/v", "/")]
    for line, meant in zip(lines, ("/v/talk.mp4", "talk.mp4"), strict=True):
        with closing(socket.socket(socket.AF_UNIX)) as visit:
            visit.connect(str(place))
            visit.sendall(line.encode() + b"\n")
            assert b"end" in visit.makefile("rb").readlines()[-1]
        assert library.asked[-1] == (meant,)


def test_other_settings_find_no_door(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(Search("x"))
    monkeypatch.setenv("MEMQA_VIDEO__FRAMES_PER_S", "2")
    assert door.knock(None, Search("x")) is None
    monkeypatch.delenv("MEMQA_VIDEO__FRAMES_PER_S")
    whereabouts.config_path().write_text("[video]\nlisten = false\n")
    assert door.knock(None, Search("x")) is None


def found_within(call: Search, is_there: bool) -> bool:
    """Wait until a door answers, or none does."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        replies = door.knock(None, call)
        if (list(replies or ()) != []) == is_there:
            return True
        time.sleep(0.05)
    return False


def test_the_door_follows_the_settings_that_the_library_takes(
    place: Path, library: OneLibrary
) -> None:
    file, call = whereabouts.config_path(), Search("x")
    file.write_text("[video]\nlisten = false\n")
    assert door.knock(None, call) is None
    library.settings = settings.load(home=library.home)
    assert found_within(call, True)
    file.unlink()
    assert door.knock(None, call) is None, "the library has other settings than the file"
    assert found_within(call, False)
    file.write_text("[video]\nlisten = false\n# as before\n")
    assert found_within(call, True)
    assert len(list(place.parent.glob("*.sock"))) == 1


def test_what_is_saved_in_the_page_moves_the_door_of_a_real_library(own_home: Path) -> None:
    with memqa.open(own_home) as library, open_door(library) as is_open:
        assert is_open
        before = door.place_of(library.home)
        settings_file.change("video.listen", False)
        library.take_settings()
        now = door.place_of(library.home)
        assert before is not None
        assert now is not None
        assert now != before
        until = time.monotonic() + 10
        while not now.exists() or before.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
    assert not now.exists()


def test_who_has_other_settings_is_not_answered_meanwhile(place: Path, library: OneLibrary) -> None:
    assert visits.taken_on(library, Search("x"), "/") is not None  # type: ignore[arg-type]
    library.settings = library.settings.model_copy(update={"tier": "D"})
    assert visits.taken_on(library, Search("x"), "/") is None  # type: ignore[arg-type]
    library.settings = settings.load(home=library.home)
    whereabouts.config_path().write_text("tier = ")
    assert visits.taken_on(library, Search("x"), "/") is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "told",
    [
        '[models]\nlanguage_model = "own/model.gguf"\n',
        '[models]\ntext_encoder = "./own"\n',
        '[models]\nimage_encoder = "open_clip:ViT-B-32:own/weights.pt"\n',
        '[models]\nimage_encoder = "open_clip:local-dir:own"\n',
        '[language]\nprojector = "own.gguf"\n',
        '[models]\nlanguage_model = "no model at all"\n',
    ],
)
def test_a_model_named_from_where_one_is_has_no_door(own_home: Path, told: str) -> None:
    whereabouts.config_path().write_text(told)
    with open_door(OneLibrary(own_home.resolve())) as is_open:  # type: ignore[arg-type]
        assert not is_open
    if "own" in told:
        start = "open_clip:ViT-B-32:" if "weights" in told else "local-dir:"
        rooted = told.replace(f"{start}own", f"{start}/own").replace("./own", "/own")
        rooted = rooted.replace('"own', '"/own')
        whereabouts.config_path().write_text(rooted)
        with open_door(OneLibrary(own_home.resolve())) as is_open:  # type: ignore[arg-type]
            assert is_open


@pytest.mark.parametrize("fails", ["memqa.doorkeeper.locked", "pathlib.Path.chmod"])
def test_what_a_door_needs_and_cannot_have_stops_nothing(
    library: OneLibrary, monkeypatch: pytest.MonkeyPatch, fails: str, runtime: Path
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "not for you")

    with monkeypatch.context() as broken:
        broken.setattr(fails, refused)
        with open_door(library) as is_open:  # type: ignore[arg-type]
            assert not is_open
    assert not list(runtime.rglob("*.sock"))
    with pytest.raises(PermissionError), open_door(library):  # type: ignore[arg-type]
        refused()


def test_other_code_finds_no_door(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memqa" / "store").mkdir(parents=True)
    for part in ("models", "vidmem", "docmem"):
        (tmp_path / part).mkdir()
    for name in ("door.py", "store/store.py"):
        (tmp_path / "memqa" / name).write_text("")
    code = door._code.__wrapped__
    monkeypatch.setattr(door, "__file__", str(tmp_path / "memqa" / "door.py"))
    before = code()
    assert code() == before
    os.utime(tmp_path / "memqa" / "store" / "store.py", (1.0, 1.0))
    assert code() != before
    monkeypatch.setattr(door, "_code", code)
    assert door.knock(None, Search("x")) is None


def test_a_warm_up_that_fails_says_nothing(
    library: OneLibrary, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "media", lambda: [1])
    monkeypatch.setattr(library, "search", lambda *_, **__: 1 / 0)
    warm_up(library)  # type: ignore[arg-type]
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join(10)
    assert capfd.readouterr() == ("", "")


def test_there_is_one_door_and_it_goes_with_its_process(library: OneLibrary, runtime: Path) -> None:
    with open_door(library) as first, open_door(library) as second:  # type: ignore[arg-type]
        assert (first, second) == (True, False)
    assert door.knock(None, Search("x")) is None
    assert not list(runtime.rglob("*.*"))
    changed = library.settings.model_copy(update={"tier": "D"})
    library.settings = changed
    with open_door(library) as is_open:  # type: ignore[arg-type]
        assert not is_open


def test_only_its_owner_reaches_it(place: Path, runtime: Path) -> None:
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    place.parent.chmod(0o750)
    assert whereabouts.private_folder() is None
    place.parent.chmod(0o700)
    runtime.chmod(0o777)
    assert whereabouts.private_folder() is None
    runtime.chmod(0o1777)
    assert whereabouts.private_folder() == place.parent
    moved = place.parent.rename(runtime / "elsewhere")
    place.parent.symlink_to(moved)
    assert whereabouts.private_folder() is None
    place.parent.unlink()
    moved.rename(place.parent)


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"\xff\x00garbage\n",
        b"[]\n",
        b'{"call": "forget", "names": ["x"]}\n',
        b'{"call": "search"}\n',
        b'{"call": "search", "query": 7}\n',
        b'{"call": "search", "query": "x", "limit": "many"}\n',
        b"x" * (2 * door.MOST_BYTES) + b"\n",
    ],
    ids=["empty", "bytes", "list", "other", "without", "number", "words", "huge"],
)
def test_what_is_no_call_is_not_answered(place: Path, said: bytes) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as visit:
        visit.settimeout(10)
        visit.connect(str(place))
        try:
            visit.sendall(said)
            assert visit.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up before all of it was said
    assert len(heard(Search("x"))) == 1


def test_who_says_nothing_does_not_keep_others_out(place: Path) -> None:
    visits = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for visit in visits:
        visit.connect(str(place))
    assert door.knock(None, Search("x")) is None  # all chairs are taken: it is answered alone
    for visit in visits:
        visit.close()
    until = threading.Event()
    while (replies := door.knock(None, Search("x"))) is None:
        assert not until.wait(0.05)
    assert list(replies)


def test_a_door_left_by_a_dead_process_is_removed(place: Path, library: OneLibrary) -> None:
    left = place.with_name("0" * 24 + ".sock")
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(left))
    assert left.exists()
    assert door.sweep(left)
    assert not left.exists()
    assert not door.sweep(place), "a door that is kept stays"
    assert place.exists()


def test_too_long_a_path_has_no_door(
    library: OneLibrary, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = runtime / ("d" * 90)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with open_door(library) as is_open:  # type: ignore[arg-type]
        assert not is_open
    assert door.knock(None, Search("x")) is None


def test_the_library_meant_is_that_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert door.home_of(tmp_path / "flag") == tmp_path / "flag"
    assert door.home_of(None) == settings.load().home == Path(os.environ["MEMQA_HOME"])
    monkeypatch.delenv("MEMQA_HOME")
    assert door.home_of(None) == settings.load().home
    whereabouts.config_path().write_text(f'home = "{tmp_path}/file"\n')
    assert door.home_of(None) == settings.load().home == tmp_path / "file"
    whereabouts.config_path().write_text("home = ")
    assert door.home_of(None) is None
