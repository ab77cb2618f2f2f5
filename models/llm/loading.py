"""Knows how llama.cpp loads a GGUF file on this machine; its model comes untyped."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from models.errors import ModelNotFound
from models.llm.gguf import check_model, count_in
from models.threads import cpu_threads, let_waiting_threads_sleep

_WIDEST_TOKENS = 8192


def load(weights: Path, context_tokens: int, gpu_layers: int) -> Any:
    """Load a model; 0 context tokens means what it was trained for, at most 8192.

    It stays until `unload`, or the end of the program.

    Writing takes half the CPUs: its threads wait for each other at every layer, and beside a
    busy indexing worker on two cores two threads wrote 20 times slower than one.

    Raises:
        ModelNotFound: the file is missing, damaged, or no model that writes text.
    """
    keys = check_model(weights)
    trained = count_in(keys, f"{keys.get('general.architecture')}.context_length", weights)
    window = context_tokens or min(trained or _WIDEST_TOKENS, _WIDEST_TOKENS)
    let_waiting_threads_sleep()
    import jinja2
    import llama_cpp

    try:
        with _weights_as_they_are() if _has_amx() else nullcontext():
            model = llama_cpp.Llama(
                str(weights),
                n_ctx=window,
                n_gpu_layers=gpu_layers,
                n_threads=max(1, cpu_threads() // 2),
                n_threads_batch=cpu_threads(),
                flash_attn=True,
                verbose=False,
            )
    except jinja2.TemplateError as exc:
        raise ModelNotFound(
            f"The chat template in {weights} cannot be read: {exc}. Take another version of the "
            "model."
        ) from exc
    except (OSError, ValueError, RuntimeError) as exc:
        raise ModelNotFound(
            f"The language model in {weights} could not be loaded: {exc}. The file may be cut "
            "off, of a kind that this llama.cpp does not know, or too large for the memory."
        ) from exc
    # Left to the interpreter's own end, its destructor runs when llama_cpp is half gone and fails.
    atexit.register(model.close)
    return model


def unload(model: Any) -> None:
    """Give back the memory of a model that turned out to be of no use."""
    atexit.unregister(model.close)
    model.close()


def _has_amx() -> bool:
    try:
        return "amx_int8" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


@contextmanager
def _weights_as_they_are() -> Iterator[None]:
    """Load without repacked weights, which `llama_cpp.Llama` has no argument for.

    Multiplying weights repacked for AMX kills the process (ggml-org/llama.cpp issue 20824).
    """
    import llama_cpp

    defaults = llama_cpp.llama_model_default_params

    def plain() -> Any:
        params = defaults()
        params.use_extra_bufts = False
        return params

    setattr(llama_cpp.llama_cpp, defaults.__name__, plain)
    try:
        yield
    finally:
        setattr(llama_cpp.llama_cpp, defaults.__name__, defaults)
