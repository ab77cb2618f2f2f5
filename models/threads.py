"""Knows how many threads a model may use, and on which device torch runs it."""

from __future__ import annotations

import os

_MOST = 8  # small models gain nothing from more
# What the libraries below ask, each when it is loaded.
_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("OPENCV_FOR_THREADS_NUM", "RAYON_NUM_THREADS"),
)


def usable_cpus() -> int:
    """Give the number of CPUs this process may use, no more than ``OMP_NUM_THREADS`` where set."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        usable = os.cpu_count() or 1
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(usable, int(wished))) if wished.isdecimal() else usable


def cpu_threads() -> int:
    """Give the number of threads that a model may use: one a usable CPU, at most 8."""
    return min(_MOST, usable_cpus())


def thread_shares(processes: int) -> dict[str, str]:
    """Give what to put into the environment of each of so many processes that share the CPUs."""
    if processes == 1:
        return {}
    return dict.fromkeys(_VARIABLES, str(max(1, usable_cpus() // processes)))


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
