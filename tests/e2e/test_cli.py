"""The command line from outside: a process, its stdout, its exit code, real models throughout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memqa import examples
from tests.documents import Sheet, lines, write_pdf
from tests.media import video

pytestmark = pytest.mark.real_model

EVIDENCE_KEYS = {"id", "media_id", "path", "kind", "modality", "text", "score", "thumbnail"}
OUTCOME_KEYS = {
    *("path", "media_id", "kind", "status", "error", "notes"),
    *("memories", "bytes", "elapsed_s", "realtime_x"),
}
REPORT = (
    ("The harbour of Skagen was opened in 1907.", "It has room for 300 boats."),
    ("The lighthouse is painted green.", "Its keeper was called Ingrid Holm."),
)


class Memqa:
    """Runs ``memqa`` as a person would, with a library of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command(), *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=240,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run with ``--json`` and read the one line that comes."""
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def json_lines(self, *arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
        """Run with ``--json`` and read a line for each file and the summary."""
        done = self(*arguments, "--json", code=code)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def command(self) -> list[str]:
        """The command without its arguments."""
        return [sys.executable, "-m", "memqa", "--home", str(self.home)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as people have them: two media, another below, and things that are none."""
    place = tmp_path_factory.mktemp("media")
    video(place / "doors.mp4", shots=(40, 40), texts=("GATE 5", "EXIT B"), size=(384, 224))
    write_pdf(place / "report.pdf", [Sheet(ink=lines(*texts)) for texts in REPORT])
    (place / "below").mkdir()
    (place / "below" / "notes.txt").write_text("The ferry leaves at nine.\n", encoding="utf-8")
    (place / "table.xyz").write_bytes(bytes(range(256)) * 8)
    (place / "empty.pdf").write_bytes(b"")
    return place


@pytest.fixture(scope="module")
def batch(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Memqa, list[Any]]:
    """The folder indexed in one go, and what was printed."""
    memqa = Memqa(tmp_path_factory.mktemp("library") / "home")
    return memqa, memqa.json_lines("index", folder, "--recursive", code=1)


@pytest.fixture
def memqa(batch: tuple[Memqa, list[Any]]) -> Memqa:
    return batch[0]


def test_index_prints_one_object_a_file_and_a_summary(batch: tuple[Memqa, list[Any]]) -> None:
    *files, last = batch[1]
    assert all(set(row) >= OUTCOME_KEYS for row in files)
    status = {Path(row["path"]).name: row["status"] for row in files}
    assert status == {
        "doors.mp4": "indexed",
        "report.pdf": "indexed",
        "notes.txt": "indexed",
        "table.xyz": "skipped",
        "empty.pdf": "failed",
    }
    rows = {Path(row["path"]).name: row for row in files}
    assert rows["doors.mp4"]["kind"] == "video"
    assert rows["doors.mp4"]["duration_s"] == pytest.approx(8, abs=0.2)
    assert rows["doors.mp4"]["realtime_x"] > 0
    assert rows["report.pdf"]["pages"] == 2
    assert rows["report.pdf"]["realtime_x"] is None
    assert rows["empty.pdf"]["error"]["type"] == "EmptyMedia"
    assert last["summary"]["files"] == 5
    assert last["summary"]["indexed"] == 3


def test_a_file_already_known_is_passed_over(memqa: Memqa, folder: Path) -> None:
    (row, last) = memqa.json_lines("index", folder / "doors.mp4")
    assert row["status"] == "unchanged"
    assert last["summary"]["unchanged"] == 1


@pytest.mark.parametrize("name", ["empty.pdf", "table.xyz", "not there.mp4"])
def test_a_single_bad_file_is_the_inputs_fault(memqa: Memqa, folder: Path, name: str) -> None:
    before = memqa.json("list")
    done = memqa("index", folder / name, code=2)
    assert len(done.stdout.splitlines()) == 1
    assert name in done.stdout
    assert "Traceback" not in done.stderr
    assert memqa.json("list") == before


def test_ask_answers_about_a_page(memqa: Memqa) -> None:
    answer = memqa.json("ask", "Who was the keeper of the lighthouse?", "--media", "report.pdf")
    assert set(answer) == {
        *("answer", "state", "option", "evidence", "citations"),
        *("walk", "tier", "models", "timings_s"),
    }
    assert answer["state"] == "grounded"
    assert "Ingrid" in answer["answer"]
    first = answer["evidence"][0]
    assert set(first) >= EVIDENCE_KEYS | {"page", "page_end", "char_start", "char_end", "boxes"}
    assert first["page"] == 2
    ids = {item["id"] for item in answer["evidence"]}
    assert answer["citations"]
    assert all(set(citation["evidence"]) <= ids for citation in answer["citations"])


def test_ask_prints_the_answer_its_state_and_its_places(memqa: Memqa) -> None:
    done = memqa("ask", "What does the sign say at the first door?", "-m", "doors.mp4", "--walk")
    assert "▶ 0:0" in done.stdout
    assert "doors.mp4" in done.stdout
    assert "how it was found" in done.stdout


def test_a_walk_goes_on_below_a_branch_that_it_printed(memqa: Memqa) -> None:
    asked = ("ask", "Who was the keeper of the lighthouse?", "-m", "report.pdf", "--walk")
    done = memqa(*asked)
    branch = done.stdout.partition("▸ ")[2].split()[0]
    assert "p. 2" in done.stdout.partition("the walk:")[2]
    assert branch in memqa(*asked, "--resume", branch).stdout
    assert "no branch" in memqa(*asked, "--resume", "n8-8", code=2).stderr


def test_the_tier_is_told(memqa: Memqa) -> None:
    assert memqa.json("tier")["tier"] == "C"


def test_a_small_model_may_not_write_summaries(memqa: Memqa) -> None:
    done = memqa("enrich", "report.pdf", code=3)
    assert "memqa tier --test" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_option_is_given_by_its_place(memqa: Memqa) -> None:
    given = ["--option", "Olaf Berg", "--option", "Ingrid Holm"]
    answer = memqa.json("ask", "What was the lighthouse keeper called?", *given)
    assert answer["option"] == 1


def test_what_is_not_there_is_not_found(memqa: Memqa) -> None:
    answer = memqa.json("ask", "Which trumpet concerto did the astronaut compose on Jupiter?")
    assert answer["state"] == "unanswered"


def test_search_finds_without_a_language_model(memqa: Memqa) -> None:
    found = memqa.json("search", "ferry", "--limit", "2")
    assert 1 <= len(found) <= 2
    assert found[0]["path"].endswith("notes.txt")
    moment = memqa.json("search", "exit", "--media", "doors.mp4")[0]
    assert set(moment) >= EVIDENCE_KEYS | {"start_s", "end_s"}
    assert moment["end_s"] >= moment["start_s"] >= 0


def test_list_show_stats_and_doctor(memqa: Memqa) -> None:
    media = memqa.json("list")
    assert {Path(item["path"]).name for item in media} == {"doors.mp4", "report.pdf", "notes.txt"}
    report = next(item for item in media if item["path"].endswith(".pdf"))
    for name in (report["id"], report["id"][:8], "report.pdf", report["path"]):
        assert memqa.json("show", name)["id"] == report["id"]
    assert memqa.json("show", "report.pdf", "--memory")["outline"]["nodes"]
    assert memqa.json("stats")["media"] == 3
    checks = memqa.json("doctor")
    assert len([check for check in checks if check["name"].startswith("model ")]) >= 5
    assert {check["finding"] for check in checks} <= {"ok", "note"}


def test_a_name_that_means_nothing_is_refused(memqa: Memqa) -> None:
    for command in (("show",), ("forget",), ("ask", "What is seen?", "--media")):
        done = memqa(*command, "no such thing", code=2)
        assert done.stdout == ""
        assert "no such thing" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("frobnicate",), ("ask",), ("ask", "what?", "--at", "soon"), ("search", "a", "--limit", "0")],
)
def test_a_wrong_command_line_is_the_inputs_fault(memqa: Memqa, arguments: tuple[str, ...]) -> None:
    assert memqa(*arguments, code=2).stdout == ""


def test_a_broken_setting_is_the_set_ups_fault(
    memqa: Memqa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMQA_VIDEO__FRAMES_PER_S", "1000")
    assert "frames_per_s" in memqa("list", code=3).stderr


def test_forget_leaves_nothing_behind(tmp_path: Path) -> None:
    memqa = Memqa(tmp_path / "own")
    secret = tmp_path / "diary.txt"
    secret.write_text("The password of the vault is xylophone-quartz.\n", encoding="utf-8")
    memqa("index", secret)
    assert memqa.json("forget", "diary.txt")["forgotten"]
    assert memqa.json("list") == []
    assert secret.exists()
    left = [f for f in memqa.home.rglob("*") if f.is_file() and b"xylophone" in f.read_bytes()]
    assert not left


def test_a_collection_is_asked_by_its_name(memqa: Memqa) -> None:
    made = memqa("collect", "Papers & films", "report.pdf", "doors.mp4").stdout.splitlines()
    assert made[0] == "Papers & films  2 files"
    assert [line.split()[-1] for line in made[1:]] == ["report.pdf", "doors.mp4"]
    (kept,) = memqa.json("collections")
    assert set(kept) == {"name", "media_ids", "missing"}
    answer = memqa.json("ask", "Which file mentions the lighthouse?", "-m", "papers & films")
    assert answer["answer"].startswith("Found in 1 of 2 files: report.pdf.")
    assert {item["media_id"] for item in answer["evidence"]} == {kept["media_ids"][0]}
    (top,) = [step for step in answer["walk"] if step["name"] == "walk Papers & films"]
    branch = top["options"][0]["id"]
    assert branch.startswith("report.pdf:n")
    shown = memqa("ask", "Who was the keeper?", "-m", "papers & films", "--walk").stdout
    assert f"▸ {branch}" in shown
    again = memqa.json("ask", "Who was the keeper?", "-m", "papers & films", "--resume", branch)
    assert {item["media_id"] for item in again["evidence"]} == {kept["media_ids"][0]}
    assert "notes.txt" in memqa("search", "ferry").stdout
    assert "notes.txt" not in memqa("search", "ferry", "-m", "Papers & films").stdout
    assert (
        memqa.json("uncollect", "PAPERS & FILMS", "doors.mp4")["media_ids"]
        == (kept["media_ids"][:1])
    )
    assert "still remembered" in memqa("uncollect", "papers & films").stdout
    assert "Make one: memqa collect" in memqa("collections").stderr
    assert len(memqa.json("list")) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("collect", "report.pdf", "doors.mp4"), "names a file already"),
        (("collect", "reports", "nothing.pdf"), "neither a media nor a collection"),
        (("uncollect", "reports"), "see `memqa collections`"),
        (("ask", "What is it?", "--media", "reports"), "see `memqa list` and `memqa collections`"),
        (("ask", "What is it?", "--resume", "n1-0"), "3 files are asked"),
    ],
)
def test_a_wrong_collection_is_told_in_a_sentence(
    memqa: Memqa, arguments: tuple[str, ...], says: str
) -> None:
    done = memqa(*arguments, code=2)
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def indexing(tmp_path: Path) -> Iterator[tuple[Memqa, subprocess.Popen[str]]]:
    """An ``index`` of the sample video, caught while it works."""
    memqa = Memqa(tmp_path / "own")
    command = [*memqa.command(), "index", str(examples.VIDEO), "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        yield memqa, process
        process.kill()


@pytest.mark.skipif(os.name == "nt", reason="signals work differently on Windows")
def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on(
    indexing: tuple[Memqa, subprocess.Popen[str]],
) -> None:
    memqa, process = indexing
    assert process.stderr is not None
    for line in process.stderr:
        if "Checking" not in line and "Loading" not in line:
            break  # it is at work
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends Ctrl-C to the whole group
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "stopp" in err
    assert "Traceback" not in err
    first = json.loads(out.splitlines()[0])
    assert first["status"] == "cancelled"
    assert "indexed" not in [media["status"] for media in memqa.json("list")]
    (row, _) = memqa.json_lines("index", examples.VIDEO)
    assert row["status"] == "indexed"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_bars_on_a_terminal_leave_results_on_stdout(tmp_path: Path) -> None:
    import pty

    memqa = Memqa(tmp_path / "own")
    text = tmp_path / "notes.txt"
    text.write_text("The ferry leaves at nine.\n", encoding="utf-8")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*memqa.command(), "index", str(text), "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        shown = _all_of(ours)
        assert process.stdout is not None
        rows = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert rows[0]["status"] == "indexed"
    assert "notes.txt: " in shown
    assert '"media_id"' not in shown


def _all_of(terminal: int) -> str:
    """Read a pseudo-terminal until the other side is closed."""
    read = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so when nobody holds the other side any more
            break
        if not piece:
            break
        read += piece
    os.close(terminal)
    return read.decode(errors="replace")
