"""Every form in which a setting can name a model, and what has none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import SetupError
from models.specs import (
    Folder,
    GgufFile,
    Hub,
    Known,
    OpenClipFolder,
    OpenClipHub,
    OpenClipWeights,
    RapidOcr,
    Server,
    Source,
    parse,
    port_called,
    settled,
)


@pytest.mark.parametrize(
    ("port", "text", "source"),
    [
        ("language_model", "embedded", Known("embedded")),
        ("captioner", "qwen3-4b", Known("qwen3-4b")),
        ("language_model", "a.gguf", GgufFile(Path("a.gguf"))),
        ("language_model", "/m/a.gguf", GgufFile(Path("/m/a.gguf"))),
        ("language_model", "hf:O/R/F.gguf", Hub("O/R", "F.gguf")),
        ("language_model", "hf:O/R/sub/F.gguf", Hub("O/R", "sub/F.gguf")),
        ("language_model", "hf:O/R", Hub("O/R")),
        ("language_model", "./folder", Folder(Path("folder"))),
        ("language_model", "http://h:1/v1", Server("http://h:1/v1")),
        ("captioner", "https://h/v1/#a/b:7b", Server("https://h/v1", "a/b:7b")),
        ("text_encoder", "hf:BAAI/bge-small-en-v1.5", Hub("BAAI/bge-small-en-v1.5")),
        ("transcriber", "/w/small", Folder(Path("/w/small"))),
        ("text_reader", "rapidocr:chinese_cht", RapidOcr("chinese_cht")),
        ("image_encoder", "open_clip:hf-hub:timm/X", OpenClipHub("timm/X")),
        ("image_encoder", "open_clip:local-dir:/f", OpenClipFolder(Path("/f"))),
        ("image_encoder", "open_clip:ViT-B-32:openai", OpenClipWeights("ViT-B-32", "openai")),
        ("image_encoder", "open_clip:ViT-B-32:/w.pt", OpenClipWeights("ViT-B-32", "/w.pt")),
    ],
)
def test_each_form_is_read(port: str, text: str, source: Source) -> None:
    assert parse(port, text) == source


@pytest.mark.parametrize(
    ("port", "text"),
    [
        ("language_model", ""),
        ("language_model", "two words"),
        ("language_model", "hf:only-owner"),
        ("language_model", "hf:O/R/F.bin"),
        ("language_model", "hf:O/R/../F.gguf"),
        ("language_model", "hf:../../F.gguf"),
        ("language_model", "http:///v1"),
        ("language_model", "http://host"),
        ("language_model", "http://host:port/v1"),
        ("language_model", "http://host:0/v1"),
        ("language_model", "http://ho\x07st/v1"),
        ("language_model", "http://host/v1?key=secret"),
        ("text_encoder", "http://host/v1"),
        ("text_encoder", "/m/a.gguf"),
        ("text_encoder", "hf:O/R/F.gguf"),
        ("text_reader", "hf:O/R"),
        ("text_reader", "rapidocr:"),
        ("image_encoder", "open_clip:ViT-B-32"),
        ("image_encoder", "open_clip:hf-hub:nothing"),
        ("image_encoder", "/folder"),
    ],
)
def test_what_has_no_form_is_told_the_forms_there_are(port: str, text: str) -> None:
    with pytest.raises(SetupError, match="It can be: embedded; a known name") as error:
        parse(port, text)
    assert "\n" not in str(error.value)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SetupError, match="MEMQA_LANGUAGE__API_KEY") as error:
        parse("language_model", "https://ada:secret@host/v1")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("http://localhost:8080/v1", True),
        ("http://127.0.0.2/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://192.168.0.2/v1", False),
        ("https://models.example.org/v1", False),
        ("https://localhost.example.org/v1", False),
        ("http://a.localhost/v1", False),
        ("http://0.0.0.0/v1", False),
    ],
)
def test_a_server_is_on_this_machine_or_not(address: str, is_here: bool) -> None:
    server = parse("language_model", address)
    assert isinstance(server, Server)
    assert server.is_here is is_here


@pytest.mark.parametrize(
    ("port", "text", "written"),
    [
        ("language_model", "./m.gguf", "HERE/m.gguf"),
        ("language_model", "m.gguf", "HERE/m.gguf"),
        ("language_model", "~/m.gguf", "HOME/m.gguf"),
        ("text_encoder", "./sub/texts", "HERE/sub/texts"),
        ("image_encoder", "open_clip:local-dir:eyes", "open_clip:local-dir:HERE/eyes"),
        ("image_encoder", "open_clip:ViT-B-32:./w.pt", "open_clip:ViT-B-32:HERE/w.pt"),
        ("image_encoder", "open_clip:ViT-B-32:openai", "open_clip:ViT-B-32:openai"),
        ("image_encoder", "open_clip:hf-hub:O/R", "open_clip:hf-hub:O/R"),
        ("text_reader", "rapidocr:japan", "rapidocr:japan"),
        ("language_model", "hf:O/R/F.gguf", "hf:O/R/F.gguf"),
        ("language_model", "http://h/v1#m", "http://h/v1#m"),
        ("language_model", "qwen3-4b", "qwen3-4b"),
    ],
)
def test_a_path_is_written_so_that_it_holds_from_every_folder(
    port: str, text: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    written = written.replace("HERE", str(tmp_path)).replace("HOME", "/home/ada")
    assert settled(port, text) == written
    assert settled(port, written) == written


def test_a_port_is_called_with_hyphens_too() -> None:
    assert port_called("Language-Model") == "language_model"
    with pytest.raises(SetupError, match="image_encoder, text_encoder"):
        port_called("brain")
