import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from models.errors import DecodeFailed
from tests.media import video
from vidmem.child import Limits, ask, converse


@pytest.fixture(scope="module")
def request_for_frames(tmp_path_factory):
    path = video(tmp_path_factory.mktemp("child") / "long.mp4", shots=(40, 40, 40), pan=1)
    return {
        "do": "frames", "path": str(path), "backend": "pyav", "start_s": 0.0, "segment": 0,
        "segment_s": 5.0, "state": None, "threads": 1, "sample": {},
    }  # fmt: skip


def test_frames_come_between_marks_and_an_end(request_for_frames):
    with closing(converse(request_for_frames)) as answers:
        kinds = [header["kind"] for header, _ in answers]
    assert kinds.count("segment") == 2
    assert kinds[-1] == "end"
    assert kinds.count("frame") == 12


def test_whoever_stops_listening_ends_the_child(request_for_frames):
    answers = converse(request_for_frames, Limits(ahead=1))
    next(answers)
    answers.close()
    with pytest.raises(StopIteration):
        next(answers)


def test_the_child_imports_no_model_library():
    code = (
        "import sys, vidmem.reader, vidmem.audio\n"
        "heavy = {'torch', 'lancedb', 'gradio', 'transformers', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_crash_is_an_error_and_not_ours(request_for_frames, monkeypatch):
    answers = converse(request_for_frames, Limits(ahead=1))
    next(answers)
    os.kill(_child_pid(), signal.SIGSEGV)
    with pytest.raises(DecodeFailed, match=r"crashed \(signal 11\) on long.mp4"):
        list(answers)


def test_a_hang_is_ended(request_for_frames):
    answers = converse(request_for_frames, Limits(silence_s=4.0, ahead=1))
    next(answers)
    os.kill(_child_pid(), signal.SIGSTOP)
    with pytest.raises(DecodeFailed, match="no sign of life"):
        list(answers)


def test_too_much_memory_is_ended(request_for_frames):
    def waiting(_):
        time.sleep(0.5)  # what it holds counts while it waits for us, too

    answers = converse(request_for_frames, Limits(resident_bytes=8 * 2**20, ahead=1))
    with pytest.raises(DecodeFailed, match="more than 8 MB"):
        list(map(waiting, answers))


def test_too_little_address_space_is_an_error(request_for_frames):
    with pytest.raises(DecodeFailed):
        list(converse(request_for_frames, Limits(address_space_bytes=2**28)))


def test_an_unknown_request_is_an_error(request_for_frames):
    with pytest.raises(DecodeFailed, match="exit code 1"):
        ask(request_for_frames | {"do": "dance"})


def _child_pid():
    import psutil

    (child,) = (c for c in psutil.Process().children() if "vidmem.reader" in c.cmdline())
    return child.pid
