from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docmem.pages import Page
from docmem.parse import open_document, read_pages
from docmem.passages import cut
from docmem.turns import is_stamp
from memqa.kinds import identify, may_be_media
from models.errors import EmptyMedia, InputError

Cue = tuple[float, float, str]


def stamp(seconds: float, mark: str) -> str:
    whole, milli = divmod(round(seconds * 1_000), 1_000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{milli:03d}"


def srt(path: Path, *cues: Cue, newline: str = "\n") -> Path:
    blocks = [
        f"{n}\n{stamp(a, ',')} --> {stamp(b, ',')}\n{text}\n"
        for n, (a, b, text) in enumerate(cues, 1)
    ]
    path.write_bytes("\n".join(blocks).replace("\n", newline).encode())
    return path


def vtt(path: Path, *cues: Cue, head: str = "WEBVTT", between: str = "") -> Path:
    blocks = [f"{stamp(a, '.')} --> {stamp(b, '.')}\n{text}\n" for a, b, text in cues]
    path.write_text("\n".join([head, "", between, *blocks]), encoding="utf-8")
    return path


def pages_of(path: Path) -> list[Page]:
    return list(read_pages(open_document(path), reader=None))


def turns_of(path: Path) -> list[str]:
    return "\n".join(page.text for page in pages_of(path)).split("\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_cues_are_joined_until_a_pause(tmp_path: Path, newline: str) -> None:
    path = srt(
        tmp_path / "any.txt",
        (1, 3, "<i>The harbour</i> was"),
        (3, 5, "quiet &amp; grey.\nNobody came."),
        (3_725, 3_727, "{\\an8}An hour later"),
        (3_727, 3_728, "it rained."),
        newline=newline,
    )
    info = open_document(path)
    assert (info.format, info.title, info.pages) == ("subtitles", "any", 1)
    assert turns_of(path) == [
        "[0:01] The harbour was quiet & grey. Nobody came.",
        "[1:02:05] An hour later it rained.",
    ]


def test_voices_begin_turns_and_notes_and_styles_are_left_out(tmp_path: Path) -> None:
    path = vtt(
        tmp_path / "a.vtt",
        (0, 1, "<v.loud Ann Bo>Shall we <b>start</b>?</v>"),
        (1, 2, "<v Ann Bo>I think so."),
        (2, 3, "<v Cy>Yes.</v>\n<v Ann Bo>Good.</v>"),
        (3, 4, "(door closes)"),
        head="WEBVTT - Weekly meeting\nKind: captions",
        between="STYLE\n::cue { color: red }\n\nNOTE nobody\nsays this\n",
    )
    assert open_document(path).title == "Weekly meeting"
    assert turns_of(path) == [
        "[0:00] Ann Bo: Shall we start? I think so.",
        "[0:02] Cy: Yes.",
        "[0:02] Ann Bo: Good.",
        "[0:03] (door closes)",
    ]


def test_names_written_into_the_words_stand_until_another_speaks(tmp_path: Path) -> None:
    path = srt(
        tmp_path / "a.srt",
        (0, 1, "CHAIR: Welcome,"),
        (1, 2, "everybody."),
        (2, 3, "CHAIR: The agenda is short."),
        (3, 4, "Dr. Lee: Is it?"),
        (4, 5, "Ann: It is."),
        (5, 6, "- No!"),
        (6, 7, "- Yes!"),
        (20, 21, "Somebody sneezes."),
    )
    assert turns_of(path) == [
        "[0:00] CHAIR: Welcome, everybody. The agenda is short.",
        "[0:03] Dr. Lee: Is it?",
        "[0:04] Ann: It is.",
        "[0:05] - No!",
        "[0:06] - Yes!",
        "[0:20] Somebody sneezes.",
    ]


def test_long_turns_end_at_sentences_and_keep_their_speaker(tmp_path: Path) -> None:
    cues = [(n, n + 1.0, f"This is the {n}th thing that I wished to say today.") for n in range(40)]
    path = vtt(tmp_path / "a.vtt", *((a, b, f"<v Ann>{text}") for a, b, text in cues))
    turns = turns_of(path)
    assert 5 <= len(turns) <= 8
    assert all(": This is the" in turn and turn.endswith("today.") for turn in turns)
    assert all(turn.partition("] ")[2].startswith("Ann: ") for turn in turns)


def test_captions_that_roll_up_are_said_once(tmp_path: Path) -> None:
    words = ["we begin", "with the first", "of many things", "to be told"]
    cues = [(n, n + 1.0, f"{words[n - 1] if n else ' '}\n{words[n]}") for n in range(4)]
    assert turns_of(vtt(tmp_path / "a.vtt", *cues)) == ["[0:00] " + " ".join(words)]


def test_passages_keep_turns_whole_with_time_and_speaker(tmp_path: Path) -> None:
    cues = [
        (
            5.0 * n,
            5.0 * n + 4,
            f"<v {'Ann' if n % 2 else 'Bo'}>Point {n} is rather well known to all.",
        )
        for n in range(80)
    ]
    pages = pages_of(vtt(tmp_path / "a.vtt", *cues))
    found = list(cut(pages))
    assert len(pages) > 1
    assert len(found) > len(pages)
    assert all(passage.text.startswith("[") for passage in found)
    whole = "\n".join(passage.text for passage in found)
    assert whole.split("\n") == "\n".join(page.text for page in pages).split("\n")
    assert "[1:05] Ann: Point 13 is rather well known to all." in whole


def test_a_long_turn_of_a_transcript_is_parted_under_its_speaker_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    speech = " ".join(f"This is sentence {n} of a very long speech indeed." for n in range(60))
    for head in ("[0:12] Ann:", "Ann (0:12):", "0:12 Ann:", "Ann:"):
        path.write_text(f"Bo: Go on.\n{head} {speech}\nBo: Thanks.\n")
        inner = [one for one in cut(pages_of(path)) if "sentence 40 " in one.text]
        assert inner[0].text.startswith(f"{head}\n"), head


def test_speaker_and_time_on_a_line_of_their_own_open_a_turn(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    said = "That is what I have always thought about it."
    path.write_text(
        "".join(f"{'Ann Bo' if n % 2 else 'Cy'}  {n}:07\n{said}\n\n" for n in range(40))
    )
    found = list(cut(pages_of(path)))
    assert len(found) > 1
    assert all(is_stamp(passage.text.split("\n")[0]) for passage in found)


def test_other_scripts_are_kept(tmp_path: Path) -> None:
    path = vtt(
        tmp_path / "a.vtt", (0, 1, "<v 田中>おはよう。"), (1, 2, "<v Анна>Привет"), (2, 3, "مرحبا")
    )
    assert turns_of(path) == ["[0:00] 田中: おはよう。", "[0:01] Анна: Привет", "[0:02] مرحبا"]


def test_subtitles_without_words_are_empty(tmp_path: Path) -> None:
    for path in (
        vtt(tmp_path / "a.vtt"),
        vtt(tmp_path / "b.vtt", (0, 1, "♪ ♪"), (1, 2, "...")),
        srt(tmp_path / "c.srt", (0, 1, "<i></i>")),
    ):
        with pytest.raises(EmptyMedia, match="holds no words"):
            open_document(path)


def test_a_cue_without_a_sensible_time_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("1 \n00:00:01,000 --> 00:00:02,000\nHello\n\n2\nsoon --> later\nLost\n")
    assert turns_of(path) == ["[0:01] Hello"]


def test_subtitles_cut_off_or_garbled_anywhere_are_refused_or_read(tmp_path: Path) -> None:
    whole = srt(tmp_path / "a.srt", (0, 1, "<i>Hello</i>"), (1, 2, "Bye: now")).read_bytes()
    part = tmp_path / "part.srt"
    for at in range(1, len(whole)):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :]):
            part.write_bytes(data)
            with suppress(InputError):  # and no other error
                pages_of(part)


def test_a_cue_of_endless_lines_and_marks_is_read_quickly(tmp_path: Path) -> None:
    many = 50_000
    marks = ("<v ", "<", "&", "A:", "<v" + " " * 200_000, "<v.", "{\\", "-- ", '!"', "&lt;")
    hostile = "\n".join(mark * (many if len(mark) < 9 else 1) for mark in marks)
    path = srt(tmp_path / "a.srt", (0, 1, hostile), (1, 2, "Words."))
    assert "Words." in turns_of(path)[-1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40), max_size=8))
def test_any_words_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("cues") / "a.vtt"
    vtt(path, *((float(n), n + 1.0, text) for n, text in enumerate(texts)))
    try:
        pages = pages_of(path)
    except InputError:
        return
    whole = "\n".join(page.text for page in pages)
    for page in pages:
        assert whole[page.char_start : page.char_end] == page.text


def test_the_library_takes_subtitles_by_what_is_in_them(tmp_path: Path) -> None:
    for path in (srt(tmp_path / "a.srt", (0, 1, "Hi.")), vtt(tmp_path / "b.vtt", (0, 1, "Hi."))):
        assert may_be_media(path)
        assert identify(path).path == path
