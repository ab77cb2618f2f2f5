"""Media by address, over a real server on this machine and an s3 endpoint on it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from memqa import remote
from memqa.addresses import file_name, is_address, is_whole, named, title
from memqa.jobs import Queue
from memqa.library import Library
from memqa.listening import Listener
from memqa.settings import LimitSettings, Settings
from memqa.store.lock import locked
from memqa.store.schema import NO_COPY
from models.errors import (
    BackendError,
    IngestCancelled,
    InputError,
    MemqaError,
    SetupError,
    UnreadableMedia,
    UnsupportedMedia,
)
from tests import hostile
from tests.archives import write_zip
from tests.media import video
from tests.memqa.parts import FakeEngines, bytes_under, write_document
from tests.sites import Site, served

LIMITS = LimitSettings()


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as found:
        yield found


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as opened:
        yield opened


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("text") / "report.md"
    return write_document(path, chapters=2).read_bytes()


# What an address is, and what may be kept of it


@pytest.mark.parametrize(
    "given", ["https://host/talk.mp4", "HTTP://h/x", "s3://bucket/a/", "s3://b/"]
)
def test_addresses(given: str) -> None:
    assert is_address(given)


@pytest.mark.parametrize(
    "given", ["/a/talk.mp4", "talk.mp4", "file:///x", "https:///x", "rtsp://h/x"]
)
def test_what_is_none(given: str) -> None:
    assert not is_address(given)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://host/a/talk.mp4", "https://host/a/talk.mp4"),
        ("HTTPS://Host:8443/a%20b.mp4#t=4", "https://host:8443/a%20b.mp4"),
        ("https://ann:secret@host/talk.mp4", "https://host/talk.mp4"),
        ("https://host/get?id=7&lang=en", "https://host/get?id=7&lang=en"),
        ("https://h/t.mp4?X-Amz-Signature=secret&v=2", "https://h/t.mp4?X-Amz-Signature=…&v=2"),
        ("https://h/t.mp4?sv=1&sig=secret", "https://h/t.mp4?sv=…&sig=…"),
        (f"https://h/t.mp4?x={'secret' * 9}", "https://h/t.mp4?x=…"),
        ("https://h/token=secret/t.mp4", "https://h/token=…/t.mp4"),
        ("https://h/@ann/t.mp4", "https://h/@ann/t.mp4"),
        ("s3://bucket/a b/c?d.mp4", "s3://bucket/a b/c?d.mp4"),
    ],
)
def test_what_is_stored_of_an_address(given: str, kept: str) -> None:
    assert named(given) == kept
    assert named(kept) == kept
    assert is_whole(kept) == ("…" not in kept)


@pytest.mark.parametrize(
    "given",
    [
        *("https://ann:sec/ret@host/x", "https://host:port/x", "s3://key:secret@bucket/x"),
        *("https://h/a\nb", "/talk.mp4", "https://[::1/x", f"https://h/{'x' * 5000}"),
    ],
)
def test_addresses_that_cannot_be_kept_are_refused_without_being_told(given: str) -> None:
    with pytest.raises(InputError) as told:
        named(given)
    assert "ret" not in str(told.value).replace("secret", "").replace("AWS_SECRET", "")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://h/a/talk.mp4", "talk.mp4"),
        ("https://h/..%2f..%2fetc%2fpasswd", "passwd.pdf"),
        ("https://h/", "media.pdf"),
        ("https://h/%00%0a<script>.", "script.pdf"),
        ("s3://bucket/a/b.tar.gz", "b.tar.gz"),
        ("https://h/..", "media.pdf"),
    ],
)
def test_the_file_that_is_fetched_has_a_safe_name(address: str, name: str) -> None:
    assert file_name(address, ".pdf") == name
    assert len(file_name(f"https://h/{'ü' * 400}.mp4").encode()) <= 150


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/a/talk.mp4", "talk.mp4"),
        ("https://h/a/My%20talk.mp4?id=1", "My talk.mp4"),
        ("s3://bucket/a/report.pdf", "report.pdf"),
        ("https://h/download?id=1", "https://h/download?id=1"),
        ("https://h/live/stream.m3u8", "https://h/live/stream.m3u8"),
        ("rtsp://cam/a.mp4", "rtsp://cam/a.mp4"),
        ("https://h/..%2Fpasswd.txt", "https://h/..%2Fpasswd.txt"),
        ("https://h/%1b%5b2Jx.txt", "https://h/%1b%5b2Jx.txt"),
    ],
)
def test_what_a_media_is_called_by_where_it_lies(place: str, name: str) -> None:
    assert title(place) == name


# Fetching


def fetch(site: Site, path: str, folder: Path, limits: LimitSettings = LIMITS) -> bytes:
    with remote.fetched(site.at(path), folder, limits=limits, listener=Listener()) as file:
        assert file.is_relative_to(folder)
        return file.read_bytes()


def test_a_file_is_there_for_a_while(site: Site, tmp_path: Path) -> None:
    site.files["/a/talk"] = b"moving"
    site.headers["/a/talk"] = {"Content-Type": "video/mp4; x=y"}
    with remote.fetched(
        site.at("/a/talk"), tmp_path / "f", limits=LIMITS, listener=Listener()
    ) as file:
        assert (file.name, file.read_bytes()) == ("talk.mp4", b"moving")
    assert list((tmp_path / "f").iterdir()) == []


def test_what_a_killed_process_left_goes(site: Site, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "talk.mp4").touch()
    (tmp_path / "old.lock").touch()
    site.files["/x"] = b"x"
    fetch(site, "/x", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_and_a_wish_to_stop_heard(site: Site, tmp_path: Path) -> None:
    site.files["/x"] = bytes(300_000)
    told: list[tuple[str, float, float | None]] = []
    listener = Listener(lambda one: told.append((one.stage, one.done, one.total)))
    with remote.fetched(site.at("/x"), tmp_path, limits=LIMITS, listener=listener):
        pass
    assert told[-1] == ("Fetching", 300_000, 300_000)
    stopping = Listener(should_stop=lambda: True)
    with (
        pytest.raises(IngestCancelled, match="stopped while fetching"),
        remote.fetched(site.at("/x"), tmp_path, limits=LIMITS, listener=stopping),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_nobody_clears_up_while_another_folder_is_made(site: Site, tmp_path: Path) -> None:
    site.files["/x"] = b"x"
    with ThreadPoolExecutor(1) as other:
        with locked(tmp_path / "f.lock"):
            fetching = other.submit(fetch, site, "/x", tmp_path / "f")
            with pytest.raises(TimeoutError):
                fetching.result(timeout=0.3)
        assert fetching.result(timeout=30) == b"x"


def test_too_large_is_refused_by_what_is_told_and_by_what_comes(site: Site, tmp_path: Path) -> None:
    few = LimitSettings(max_upload_bytes=1000)
    site.files["/told"], site.files["/untold"] = bytes(1001), bytes(5000)
    site.headers["/untold"] = {"Content-Length": ""}
    for path in ("/told", "/untold"):
        with pytest.raises(InputError, match="more than the"):
            fetch(site, path, tmp_path, few)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_anything_comes(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["/x"] = b"x"
    monkeypatch.setattr(remote, "SPARE_BYTES", 2**70)
    with pytest.raises(SetupError, match="free some room"):
        fetch(site, "/x", tmp_path)


def test_a_line_that_breaks_off_is_no_file(site: Site, tmp_path: Path) -> None:
    site.files["/x"] = b"half"
    site.headers["/x"] = {"Content-Length": "8"}
    with pytest.raises(BackendError, match="broke off"):
        fetch(site, "/x", tmp_path)
    with pytest.raises(BackendError, match="cannot be reached"):
        remote.facts("http://127.0.0.1:9/x")


@pytest.mark.parametrize(
    ("code", "error"),
    [(404, UnreadableMedia), (403, UnreadableMedia), (204, UnreadableMedia), (503, BackendError)],
)
def test_what_a_server_says_instead_of_a_file(
    site: Site, tmp_path: Path, code: int, error: type[Exception]
) -> None:
    site.codes["/x"] = code
    with pytest.raises(error):
        remote.facts(site.at("/x"))
    with pytest.raises(error):
        fetch(site, "/x", tmp_path)


def test_what_tells_that_a_file_changed(site: Site) -> None:
    site.files["/x"] = b"12345"
    assert remote.facts(site.at("/x")) == (5, 0)
    site.headers["/x"] = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert remote.facts(site.at("/x")) == (5, 1_445_412_480 * 10**9)
    site.headers["/x"] |= {"ETag": '"one"'}
    one = remote.facts(site.at("/x"))
    site.headers["/x"] |= {"ETag": '"two"'}
    assert 0 < one[1] != remote.facts(site.at("/x"))[1] < 2**63
    assert set(site.methods()) == {"HEAD"}
    site.takes_head = False
    assert remote.facts(site.at("/x"))[0] == 5


def test_a_password_is_sent_and_kept_nowhere(site: Site, library: Library, text: bytes) -> None:
    site.files["/r.md?key=hidden"] = text
    address = site.at("/r.md?key=hidden").replace("//", "//ann:pa55@")
    media = library.add(address)
    assert media.path == site.at("/r.md?key=…")
    assert all(told for *_, told in site.asked)
    for secret in ("pa55", "hidden"):
        assert bytes_under(library.home, secret) == []
    with pytest.raises(InputError, match="memqa index ADDRESS"):
        library.add(address, wait=False)
    with pytest.raises(InputError, match="memqa index ADDRESS"):
        library.add(site.at("/r.md").replace("//", "//ann@"), wait=False)


# In the library


def test_a_media_at_an_address_is_fetched_once(site: Site, library: Library, text: bytes) -> None:
    site.files["/a/report.md"] = text
    site.headers["/a/report.md"] = {"ETag": '"1"'}
    address = site.at("/a/report.md")
    (first,) = library.index([address])
    assert (first.status, first.path) == ("indexed", address)
    assert first.media is not None
    assert (first.media.path, first.media.notes) == (address, (NO_COPY,))
    assert list((library.home / "fetched").iterdir()) == []
    site.asked.clear()
    (second,) = library.index([address])
    assert (second.status, site.methods()) == ("unchanged", ["HEAD"])
    assert library.show("report.md").id == library.show(address).id == first.media.id
    assert library.search("zebrafinch")[0].media_id == first.media.id
    assert library.doctor()
    library.forget(address)
    assert library.media() == []


def test_a_changed_file_takes_the_place_of_the_one_before(
    site: Site, library: Library, text: bytes
) -> None:
    address = site.at("/r.md")
    for number, body in enumerate((text, text + b"\nAnd more.")):
        site.files["/r.md"], site.headers["/r.md"] = body, {"ETag": f'"{number}"'}
        (outcome,) = library.index([address])
        assert outcome.status == "indexed"
    (media,) = library.media()
    assert outcome.media is not None
    assert media.id == outcome.media.id


def test_files_of_one_name_but_other_keys_do_not_replace_each_other(
    site: Site, library: Library, text: bytes
) -> None:
    for number in range(2):
        path = f"/r.md?key={number}"
        site.files[path] = text + f"\nNumber {number}.".encode()
        list(library.index([site.at(path)]))
    assert len(library.media()) == 2


def test_the_same_bytes_by_path_and_by_address_are_one_media(
    site: Site, library: Library, text: bytes, tmp_path: Path
) -> None:
    site.files["/r.md"], site.headers["/r.md"] = text, {"ETag": '"1"'}
    here, address = tmp_path / "here.md", site.at("/r.md")
    here.write_bytes(text)
    by_path = library.add(here)
    assert library.add(address).id == by_path.id
    row = library.store.read.media_row(by_path.id)
    assert row is not None
    assert (row.media.path, row.aliases) == (str(here), (address,))
    library.forget(by_path.id)

    by_address = library.add(address)
    known = library.add(here)
    assert known.id == by_address.id
    assert (known.path, known.notes) == (str(here), ())
    assert library.show(address).id == known.id


def test_what_fails_leaves_nothing_and_does_not_stop_the_others(
    site: Site, library: Library, text: bytes
) -> None:
    site.files["/ok.md"], site.files["/bad.mp4"] = text, b"not a video"
    names = [site.at("/none.mp4"), site.at("/bad.mp4"), "http://127.0.0.1:9/x", site.at("/ok.md")]
    outcomes = list(library.index(names))
    assert [one.status for one in outcomes] == ["failed", "failed", "failed", "indexed"]
    assert len(library.media()) == 1
    assert list((library.home / "fetched").iterdir()) == []


def test_a_job_fetches_in_the_background(
    site: Site, library: Library, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memqa.worker import Worker

    monkeypatch.setattr(Library, "_start_worker", lambda self: None)
    site.files["/r.md"] = text
    job = library.add(site.at("/r.md"), wait=False)
    settings = Settings(home=library.home, jobs={"idle_exit_s": 0})
    Worker(settings, engines=FakeEngines()).run()
    assert Queue(library.home).get(job.id).state == "done"
    assert library.media()[0].path == job.path == site.at("/r.md")


def test_reindex_fetches_again_what_was_given_here(
    site: Site, library: Library, text: bytes, tmp_path: Path
) -> None:
    from memqa import reindex

    site.files["/r.md"] = text
    media = library.add(site.at("/r.md"))
    row = library.store.read.media_row(media.id)
    assert row is not None
    with reindex._file_of(library, row, "its text", Listener()) as facts:
        assert facts.path.read_bytes() == text
    site.files["/r.md"] = b"another"
    with (
        pytest.raises(UnreadableMedia, match="another file by now"),
        reindex._file_of(library, row, "its text", Listener()),
    ):
        pass

    folder = tmp_path / "carried"
    (carried,) = library.export(folder, with_files=True)
    assert "only at its address" in " ".join(carried.notes)
    with Library(tmp_path / "other", engines=FakeEngines()) as other:
        other.import_from(folder)
        came = other.store.read.media_row(media.id)
        assert came is not None
        assert came.media.path == media.path
        site.asked.clear()
        with (
            pytest.raises(UnreadableMedia, match="given on another machine"),
            reindex._file_of(other, came, "its text", Listener()),
        ):
            pass
        assert site.asked == []


# Nothing inside a file is fetched


def test_nothing_that_a_file_names_is_ever_fetched(
    site: Site, library: Library, tmp_path: Path
) -> None:
    away = site.at("/spy")
    film = video(tmp_path / "part.ts", shots=(10,))
    listed = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    page = f"<img src='{away}'><iframe src='{away}'></iframe><link href='{away}'><p>Words.</p>"
    inside = {
        "list.mp4": listed.format(away),
        "local.mp4": listed.format(film),
        "joined.mp4": f"ffconcat version 1.0\nfile '{away}'\n",
        "dash.mp4": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">'
        f"<Period><BaseURL>{away}</BaseURL></Period></MPD>",
        "page.html": f"<html><body>{page}</body></html>",
        "notes.md": f"# A\n\n![picture]({away}) and words.",
        "drawing.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{away}"/></svg>',
        "said.srt": f"1\n00:00:01,000 --> 00:00:02,000\nLook at {away}\n",
    }
    for name, content in inside.items():
        (tmp_path / name).write_text(content)
    write_zip(tmp_path / "remote.docx", _word_with_a_remote_template(away))
    outcomes = {
        Path(one.path).name: one
        for one in library.index([tmp_path / name for name in (*inside, "remote.docx")])
    }
    assert site.asked == []
    for name in ("list.mp4", "local.mp4", "joined.mp4", "dash.mp4"):
        assert isinstance(outcomes[name].error, InputError), name
    for name in ("page.html", "notes.md", "said.srt", "remote.docx"):
        assert outcomes[name].status == "indexed", name


def test_ffmpeg_reads_no_file_that_a_list_names(tmp_path: Path) -> None:
    from vidmem.video import probe

    film = video(tmp_path / "part.ts", shots=(10,))
    assert probe(film).kind == "video"
    for name, text in {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
        "a.ffconcat": "ffconcat version 1.0\nfile part.ts\n",
        "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 33\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UnsupportedMedia):
            probe(tmp_path / name)


def _word_with_a_remote_template(away: str) -> dict[str, str]:
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    pkg = "http://schemas.openxmlformats.org/package/2006"
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    return {
        "[Content_Types].xml": f'<Types xmlns="{pkg}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        f'PartName="/word/document.xml" ContentType="{kind}.document.main+xml"/><Override '
        f'PartName="/word/settings.xml" ContentType="{kind}.settings+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{pkg}/relationships"><Relationship Id="r1" '
        f'Type="{rel}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body><w:p><w:r><w:t>Some words '
        "in a letter.</w:t></w:r></w:p></w:body></w:document>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{pkg}/relationships"><Relationship '
        f'Id="r1" Type="{rel}/settings" Target="settings.xml"/></Relationships>',
        "word/settings.xml": f'<w:settings xmlns:w="{word}" xmlns:r="{rel}">'
        '<w:attachedTemplate r:id="r1"/></w:settings>',
        "word/_rels/settings.xml.rels": f'<Relationships xmlns="{pkg}/relationships"><Relationship '
        f'Id="r1" Type="{rel}/attachedTemplate" Target="{away}" TargetMode="External"/>'
        "</Relationships>",
    }


def test_a_pdf_that_asks_for_an_address_gets_none(
    site: Site, library: Library, tmp_path: Path
) -> None:
    objects = hostile.one_page(hostile.shown("Some words on a page that can be read."))
    action = f"<< /Type /Action /S /URI /URI ({site.at('/spy')}) >>".encode()
    objects[1] = objects[1].replace(b"/Pages", b"/OpenAction %s /Pages" % action, 1)
    path = hostile.write(tmp_path / "a.pdf", objects)
    (outcome,) = library.index([path])
    assert outcome.status == "indexed"
    assert site.asked == []


def test_the_command_line_tells_of_addresses_without_their_keys(
    site: Site, library: Library, text: bytes
) -> None:
    from memqa.cli.index import run
    from memqa.cli.words import outcome_line

    site.files["/r.md?token=hidden"] = text
    given = (site.at("/r.md?token=hidden"), "http://x:y/")
    told = [outcome_line(one) for address in given for one in run(library, [address])]
    assert told[0].startswith(f"indexed   {site.at('/r.md?token=…')}  ")
    assert "no copy is kept" in told[0]
    assert told[1].startswith("failed    http://…: that is no address")


def _led_away(film: bytes, away: str) -> bytes:
    """Let the samples of a film's first track lie at an address, as QuickTime allows."""
    entry = b"url " + bytes(4) + away.encode() + b"\0"
    entry = (len(entry) + 4).to_bytes(4) + entry
    place = film.index(b"dref") + 12  # behind its version and the count of its entries
    more = len(entry) - 12
    grown = bytearray(film[:place] + entry + film[place + 12 :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = film.index(name) - 4
        grown[at : at + 4] = (int.from_bytes(film[at : at + 4]) + more).to_bytes(4)
    return bytes(grown)


def test_a_film_whose_pictures_lie_elsewhere_is_not_followed(site: Site, tmp_path: Path) -> None:
    from vidmem.video import frame_at, probe

    film = video(tmp_path / "film.mp4", shots=(10,))
    Path(film).write_bytes(_led_away(Path(film).read_bytes(), site.at("/spy")))
    for look in (probe, lambda path: frame_at(path, 0.5)):
        with suppress(MemqaError):
            look(film)
    assert site.asked == []


def test_a_live_address_is_not_led_into_a_private_network(site: Site, library: Library) -> None:
    from memqa.ingest_video import _end_of_redirects

    for path, target in {"/away": "http://10.0.0.1/x", "/on": "/live.ts"}.items():
        site.codes[path], site.headers[path] = 302, {"Location": target}
    with pytest.raises(UnreadableMedia, match=r"leads on to 10\.0\.0\.1"):
        library.live(site.at("/away"))
    site.files["/live.ts"] = b"x"
    assert _end_of_redirects(site.at("/on")) == site.at("/live.ts")
    assert _end_of_redirects("rtsp://camera/x") == _end_of_redirects("webcam") == ""
