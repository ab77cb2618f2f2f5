"""Knows how many threads a model may use, and on which device torch runs it."""

from __future__ import annotations

import os


def cpu_threads() -> int:
    """Give the number of CPUs this process may run on, at most 8: small models gain no more."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        usable = os.cpu_count() or 1
    return max(1, min(8, usable))


def let_waiting_threads_sleep() -> None:
    """Tell GNU OpenMP to let threads that wait for each other sleep soon; call before it loads.

    By default they spin for milliseconds. On two busy cores llama.cpp then reads a prompt three
    times slower with two threads than with one. Whoever set either variable is left alone.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "100")


def limit_torch_threads() -> None:
    """Tell torch to use :func:`cpu_threads` threads within one operation."""
    import torch

    if torch.get_num_threads() != cpu_threads():
        torch.set_num_threads(cpu_threads())


def torch_device() -> str:
    """Give the name of the device that torch runs models on: a CUDA GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
