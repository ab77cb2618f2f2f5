"""Words become sentences; failed decodings are left out."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models import catalog, embedded, speech
from models.errors import ModelNotFound
from models.speech import Whisper, Word, _failed, sentences
from models.values import SOUND_RATE_HZ, Sound


def _words(text: str, *, step_s: float = 0.5) -> list[Word]:
    return [Word(i * step_s, (i + 1) * step_s, f" {word}") for i, word in enumerate(text.split())]


def test_sentences_end_at_full_stops_but_not_at_abbreviations() -> None:
    heard = _words("Mr. Smith paid 3.5 dollars to J. Doe. Did he? Yes!")
    texts = [sentence.text for sentence in sentences(heard)]
    assert texts == ["Mr. Smith paid 3.5 dollars to J. Doe.", "Did he?", "Yes!"]


def test_a_pause_ends_an_unfinished_sentence() -> None:
    heard = [Word(0, 0.4, " five"), Word(0.5, 0.9, " six"), Word(2.0, 2.4, " seven")]
    assert [(s.start_s, s.end_s, s.text) for s in sentences(heard)] == [
        (0, 0.9, "five six"),
        (2.0, 2.4, "seven"),
    ]


def test_endless_speech_is_cut_at_a_comma_or_else_at_any_word() -> None:
    with_comma = list(sentences(_words("a " * 29 + "b, " + "a " * 10)))
    assert [s.end_s for s in with_comma] == [15.0, 20.0]
    without = list(sentences(_words("a " * 100)))
    assert max(s.end_s - s.start_s for s in without) <= 20.5
    assert sum(len(s.text.split()) for s in without) == 100


def test_nothing_heard_gives_nothing() -> None:
    assert list(sentences([])) == []
    assert list(sentences([Word(0, 1, "  ")])) == []


@pytest.mark.parametrize(
    ("logprob", "compression", "failed"),
    [(-0.3, 1.4, False), (-1.3, 1.4, True), (-0.2, 5.0, True)],
)
def test_noise_and_endless_repeats_are_failed(
    logprob: float, compression: float, failed: bool
) -> None:
    piece = SimpleNamespace(avg_logprob=logprob, compression_ratio=compression)
    assert _failed(piece) is failed


@pytest.mark.real_model
def test_made_speech_is_written_down_with_true_times(tmp_path: Path) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: no speech can be made here")
    spoken = _speak("The train to London leaves at nine. Please stand back.", tmp_path / "s.wav")
    silence = np.zeros(3 * SOUND_RATE_HZ, np.float32)
    sound = np.concatenate([silence, spoken, silence])
    said = list(catalog.transcriber().transcribe(sound, offset_s=60.0))
    text = " ".join(one.text for one in said).lower()
    assert "train" in text
    assert "london" in text
    assert 62.5 <= said[0].start_s <= 64
    assert said[-1].end_s <= 63.5 + len(spoken) / SOUND_RATE_HZ
    assert list(catalog.transcriber().transcribe(sound, offset_s=60.0)) == said


def _speak(text: str, path: Path) -> Sound:
    subprocess.run(["espeak-ng", "-s", "140", "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        rate, raw = file.getframerate(), file.readframes(file.getnframes())
    samples = np.frombuffer(raw, np.int16).astype(np.float32) / 32768
    at = np.arange(0, len(samples), rate / SOUND_RATE_HZ)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def test_only_a_multilingual_model_listens_for_the_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def transcribe(sound: Sound, **how: object) -> tuple[list[object], None]:
        asked.append(how)
        return [], None

    for is_multilingual in (True, False):
        inner = SimpleNamespace(is_multilingual=is_multilingual)
        model = SimpleNamespace(model=inner, transcribe=transcribe)
        monkeypatch.setattr(speech, "_load", lambda _, model=model: model)
        assert list(Whisper(tmp_path).transcribe(np.zeros(SOUND_RATE_HZ, np.float32))) == []
    assert [how["language"] for how in asked] == [None, "en"]
    assert [how["temperature"] for how in asked] == [0.0, 0.0]


def test_a_folder_without_a_whole_model_is_refused_before_anything_is_fetched(
    tmp_path: Path,
) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    with pytest.raises(ModelNotFound, match=r"no whole speech model: tokenizer\.json missing"):
        Whisper(tmp_path)


@pytest.mark.real_model
def test_a_damaged_model_or_one_of_another_shape_is_refused(tmp_path: Path) -> None:
    whole = embedded.WHISPER.path().parent
    for file in whole.iterdir():
        (tmp_path / file.name).symlink_to(file)
    assert Whisper(tmp_path).signature.startswith(f"{tmp_path.name}/")
    (tmp_path / "preprocessor_config.json").write_text('{"feature_size": 128}')
    with pytest.raises(ModelNotFound, match="hears 80 bands, its settings say 128"):
        Whisper(tmp_path)
    (tmp_path / "model.bin").unlink()
    (tmp_path / "model.bin").write_bytes(b"weights")
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        Whisper(tmp_path)


@pytest.mark.real_model
def test_a_gpu_that_refuses_the_model_is_told_of_and_the_cpu_takes_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine's GPU may take it")
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    ears = Whisper(embedded.WHISPER.path().parent)
    assert "runs on the CPU, for the GPU refuses it" in caplog.text
    assert ears._model.model.device == "cpu"
