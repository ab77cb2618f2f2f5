"""Knows which index a large library needs: recall against exact search, time, room and memory.

``python -m benchmarks.large --data DIR [--memories N] [--cache FOLDER] [--kinds NAME…]``. A library
of N text memories is made once in FOLDER. With ``--kinds`` each kind of index is built beside it
and judged; then the library's own searches and writes are timed as the product does them.
Progress goes to stderr; the last thing on stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import psutil  # type: ignore[import-untyped]
from lancedb.index import HnswFlat, HnswSq, IvfFlat, IvfPq, IvfRq, IvfSq
from lancedb.table import Table
from numpy.typing import NDArray

from benchmarks import crowd, crowd_library
from memqa.store import schema

_QUESTIONS, _FEW = 60, 10  # the few are for what takes long: to look at every vector
_KEPT = 100  # nearest memories that are compared
_CHUNK = 100_000
_LEVEL = "passage"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of index, and the efforts of a search in it: partitions, list, candidates."""

    config: Callable[[Any], Any]
    efforts: Sequence[dict[str, int]]


_PROBES = tuple({"nprobes": many} for many in (20, 40, 80, 160))
_REFINED = tuple({"nprobes": many, "refine": 4} for many in (40, 80, 160, 320))
_GRAPHS = tuple({"nprobes": 20, "ef": ef} for ef in (50, 150, 400))
# Small partitions: of large ones a search must look through a tenth of all vectors.
_CELLS: dict[str, Any] = {"target_partition_size": 256, "sample_rate": 64, "max_iterations": 20}
KINDS = {
    "ivf_flat": Kind(lambda metric: IvfFlat(metric, **_CELLS), _PROBES),
    "ivf_flat_8192": Kind(lambda metric: IvfFlat(metric), _PROBES[:2]),
    "ivf_sq": Kind(lambda metric: IvfSq(metric, **_CELLS), (*_PROBES[3:], *_REFINED)),
    "ivf_pq": Kind(lambda metric: IvfPq(metric, **_CELLS), (*_PROBES[3:], *_REFINED)),
    "ivf_rq": Kind(lambda metric: IvfRq(metric, **_CELLS), (*_PROBES[3:], *_REFINED)),
    "hnsw_flat": Kind(lambda metric: HnswFlat(metric), _GRAPHS),
    "hnsw_sq": Kind(lambda metric: HnswSq(metric), (*_GRAPHS, {**_GRAPHS[2], "refine": 4})),
}


@dataclass(frozen=True, slots=True)
class Exam:
    """Questions [Q, D], and for each the ids of what is truly nearest, among all and of a level."""

    metric: Any
    asked: NDArray[np.float32]
    nearest: Sequence[Sequence[str]]
    of_level: Sequence[Sequence[str]]


def exam_of(table: Table, asked: NDArray[np.float32], metric: Any, level: str) -> Exam:
    """Search exactly: every vector is multiplied with every question."""
    ids, levels, fits = [], [], []
    query = table.search().select(["id", "level", "vector"]).limit(table.count_rows())
    for batch in query.to_batches(batch_size=_CHUNK):
        flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
        vectors = flat.astype(np.float32).reshape(len(batch), -1)
        if metric == "cosine":
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        fits.append(vectors @ asked.T)
        ids.append(np.asarray(batch.column("id").to_pylist()))
        levels.append(np.asarray(batch.column("level").to_pylist()) == level)
    all_ids, inside, every = np.concatenate(ids), np.concatenate(levels), np.concatenate(fits)
    return Exam(
        metric,
        asked,
        [all_ids[_top(every[:, i])].tolist() for i in range(len(asked))],
        [all_ids[_top(np.where(inside, every[:, i], -9))].tolist() for i in range(len(asked))],
    )


def _top(fits: NDArray[np.float32]) -> NDArray[np.int64]:
    best = np.argpartition(-fits, min(_KEPT, len(fits) - 1))[:_KEPT]
    return best[np.argsort(-fits[best], kind="stable")]


def judged(table: Table, exam: Exam, effort: dict[str, int], *, level: str | None) -> Any:
    """Tell recall@10 and @100, and how long a search for either takes once all is warm."""
    truth = exam.of_level if level else exam.nearest
    found: dict[str, Any] = dict(effort)
    for many in (10, _KEPT):
        share, spent = [], []
        for vector, right in zip(exam.asked, truth, strict=True):
            started = time.perf_counter()
            rows = _searched(table, exam.metric, vector, effort, many, level)
            spent.append(1000 * (time.perf_counter() - started))
            share.append(len({row["id"] for row in rows} & set(right[:many])) / many)
        found[f"recall@{many}"] = round(float(np.mean(share)), 4)
        warm = spent[len(spent) // 2 :]
        found[f"ms@{many}"] = [round(float(np.percentile(warm, at)), 1) for at in (50, 95)]
    return found


def _searched(
    table: Table,
    metric: Any,
    vector: NDArray[np.float32],
    effort: dict[str, int],
    many: int,
    level: str | None,
) -> list[dict[str, Any]]:
    query: Any = table.search(vector, vector_column_name="vector")
    query = query.distance_type(metric)
    if not effort:
        query = query.bypass_vector_index()
    if "nprobes" in effort:
        query = query.nprobes(effort["nprobes"])
    if "ef" in effort:
        query = query.ef(max(effort["ef"], 2 * many))
    if "refine" in effort:
        query = query.refine_factor(effort["refine"])
    if level:
        query = query.where(f"level IN ('{level}')")
    return list(query.select(["id", "_distance"]).limit(many).to_list())


def kind_of_index(table: Table, name: str, exam: Exam) -> dict[str, Any]:
    """Build one kind of index over a table and judge it at every effort."""
    print(f"building {name} over {table.count_rows()} rows …", file=sys.stderr, flush=True)
    started = time.perf_counter()
    table.create_index("vector", config=KINDS[name].config(exam.metric), replace=True)
    built_s = time.perf_counter() - started
    size = next(one.size_bytes for one in table.list_indices() if "vector" in one.columns)
    efforts = [
        {"filter": level or "none", **judged(table, exam, effort, level=level)}
        for effort in KINDS[name].efforts
        for level in (None, _LEVEL)
    ]
    rss = psutil.Process().memory_info().rss
    told = {"build_s": round(built_s, 1), "bytes": size, "rss_bytes": rss, "efforts": efforts}
    print(json.dumps({name: told}), file=sys.stderr, flush=True)
    return told


def kinds(cache: Path, home: Path, names: Sequence[str], exams: dict[str, Exam]) -> dict[str, Any]:
    """Judge kinds of index over a copy of each encoder's vectors."""
    found: dict[str, Any] = {}
    for signature, exam in exams.items():
        name = schema.vectors_table(signature)
        beside = cache / "kinds" / f"{name}.lance"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(home / "tables" / f"{name}.lance", beside)
        table = lancedb.connect(beside.parent).open_table(name)
        few = replace(exam, asked=exam.asked[:_FEW], nearest=exam.nearest[:_FEW])
        exact = judged(table, few, {}, level=None)
        found[signature] = {"rows": table.count_rows(), "exact": exact}
        found[signature] |= {one: kind_of_index(table, one, exam) for one in names}
        shutil.rmtree(beside)
    return found


def main() -> None:
    """Make the crowd where it is not there yet, measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.large", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with docs/ and video/")
    parser.add_argument("--memories", type=int, default=1_000_000)
    parser.add_argument("--cache", type=Path, default=Path(".bench/large"))
    parser.add_argument("--kinds", nargs="*", choices=sorted(KINDS), default=[])
    parser.add_argument("--kinds-only", action="store_true", help="leave the library's own out")
    given = parser.parse_args()
    real = crowd.real_parts(given.data, given.cache)
    home = given.cache / f"home-{given.memories}"
    if not (home / "filled").exists():
        shutil.rmtree(home, ignore_errors=True)  # half of one, from a run that was stopped
        started = time.perf_counter()
        crowd.fill(home, real, given.memories)
        (home / "filled").write_text(f"{time.perf_counter() - started:.1f}", encoding="utf-8")
    asked = crowd.questions(given.data, _QUESTIONS)
    found: dict[str, Any] = {"memories": given.memories, "cores": psutil.cpu_count()}
    found["filled_s"] = float((home / "filled").read_text(encoding="utf-8"))
    if given.kinds:
        exams = {
            signature: exam_of(
                lancedb.connect(home / "tables").open_table(schema.vectors_table(signature)),
                vectors,
                metric,
                level,
            )
            for signature, vectors, metric, level in (
                (real.text_signature, asked, "cosine", _LEVEL),
                (real.image_signature, crowd.things(given.data, _QUESTIONS), "dot", "long"),
            )
        }
        found["kinds"] = kinds(given.cache, home, given.kinds, exams)
    if not given.kinds_only:
        found["library"] = crowd_library.measured(home, real, given.data)
        found["growing"] = crowd_library.growing(real)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
