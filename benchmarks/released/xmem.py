"""XMem's sensory networks as released, and the check of its files."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from benchmarks.released.verdict import Arrays, Verdict, compare
from models.values import Features
from vidmem.memory.xmem import (
    Stores,
    XMemParams,
    affinity,
    consolidate,
    obsolete,
    similarity,
)

_BESIDE = ("key", "value", "shrinkage", "use_count", "life_count")


def check(case: str, arrays: Arrays) -> Verdict:
    """Hold one file against ours; files with two object groups ask nothing, for we have one."""
    if "two_groups" in case:
        return Verdict(None, 0.0, True, "object groups are not part of memqa")
    if "eviction_ties" in case:
        return _eviction_with_ties(arrays)
    if "underflow" in case:
        return _underflow(arrays)
    for kind, checked in _KINDS.items():
        if case.startswith(kind):
            return checked(arrays)
    raise ValueError(f"no function of XMem's gives {case}")


def sensory(hidden: Tensor, given: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Give h' = sig(f) h (1 - sig(u)) + sig(u) tanh(c) for h, g [B, C, H, W] (§3.2)."""
    values = functional.conv2d(torch.cat([given, hidden], dim=1), weight, bias, padding=1)
    forget, update, new = values.chunk(3, dim=1)
    update = torch.sigmoid(update)
    return torch.sigmoid(forget) * hidden * (1 - update) + update * torch.tanh(new)


def _affinity(arrays: Arrays) -> Verdict:
    scores, values = _similarity(arrays), arrays["mv"]
    top, full = affinity(scores, int(arrays["top_k"])), affinity(scores)
    return compare(
        {
            "similarity": (scores, arrays["similarity"][0]),
            "affinity_topk": (top, arrays["affinity_topk"][0]),
            "usage": (top.sum(axis=1), arrays["usage"][0]),
            "readout_topk": (values @ top, arrays["readout_topk"]),
            "affinity_full": (full, arrays["affinity_full"][0]),
            "readout_full": (values @ full, arrays["readout_full"]),
        }
    )


def _underflow(arrays: Arrays) -> Verdict:
    """Ask for what a softmax over the top-k entries is in exact arithmetic."""
    scores, top_k = arrays["similarity"][0].astype(np.float64), int(arrays["top_k"])
    expected = np.zeros_like(scores)
    for column, best in enumerate(np.argsort(-scores, axis=0, kind="stable")[:top_k].T):
        raised = np.exp(scores[best, column] - scores[best[0], column])
        expected[best, column] = raised / raised.sum()
    ours = _similarity(arrays)
    weights, values = affinity(ours, top_k), arrays["mv"]
    return compare(
        {
            "similarity": (ours, scores),
            "affinity_topk": (weights, expected),
            "readout_topk": (values @ weights, values @ expected),
            "affinity_full": (affinity(ours), arrays["affinity_full"][0]),
        },
        quirk=True,
    )


def _similarity(arrays: Arrays) -> Features:
    shrinkage = arrays["ms"][0, 0] if "ms" in arrays else None
    selection = arrays["qe"][0].T if "qe" in arrays else None
    queries = arrays["qk"][0].T
    return similarity(arrays["mk"][0].T, shrinkage, queries, selection, mode="released")


def _consolidation(arrays: Arrays) -> Verdict:
    objects, width, _ = arrays["value"].shape
    keys, count = arrays["key"][0].T, int(arrays["num_prototypes"])
    made = consolidate(
        *(keys, arrays["shrinkage"][0, 0], arrays["selection"][0].T),
        *(_flat(arrays["value"]), arrays["usage"][0, 0], count),
    )
    values = made.values.T.reshape(objects, width, count)
    return compare(
        {
            "prototype_indices": (made.indices, arrays["prototype_indices"]),
            "prototype_key": (keys[made.indices].T[None], arrays["prototype_key"]),
            "prototype_value": (values, arrays["prototype_value"]),
            "prototype_shrinkage": (made.shrinkage[None, None], arrays["prototype_shrinkage"]),
        }
    )


def _eviction(arrays: Arrays) -> Verdict:
    usage = arrays["use_count_before"][0, 0] / arrays["life_count_before"][0, 0]
    gone = obsolete(usage, usage, int(arrays["max_size"]), mode="released")
    after: dict[str, tuple[ArrayLike, ArrayLike]] = {
        name: (np.delete(arrays[f"{name}_before"], gone, axis=2), arrays[f"{name}_after"])
        for name in _BESIDE
    }
    return compare(after | {"usage": (usage, arrays["usage"])})


def _eviction_with_ties(arrays: Arrays) -> Verdict:
    """Ask that exactly as many go as must, none of them used more than one that stays."""
    usage, life = arrays["usage"], arrays["life_count_before"][0, 0]
    kept = int(arrays["max_size"])
    gone = obsolete(usage, life, kept, grace=0.0)
    left = np.delete(usage, gone)
    right = len(left) == kept and usage[gone].max() <= left.min()
    return Verdict(bool(right), 0.0, True, "" if right else "not the least used were dropped")


def _stream(arrays: Arrays) -> Verdict:
    frames, objects, width = arrays["values"].shape[:3]
    keys, selections, values = (
        arrays[name].reshape(*arrays[name].shape[:-2], -1)
        for name in ("keys", "selection", "values")
    )
    shrinkage = arrays["shrinkage"].reshape(frames, -1)
    stores = _stores(arrays, (keys.shape[1], objects * width))
    readout, sizes = [], []
    for at in range(frames):
        if at:
            read = stores.read(keys[at].T, selections[at].T, count=True)
            readout.append(read.T.reshape(arrays["readout"].shape[1:]))
        if at % stores.params.every == 0:
            stores.write(
                *(keys[at].T, _flat(values[at])),
                shrinkage=shrinkage[at],
                selection=selections[at].T,
            )
        sizes.append((stores.work.size, stores.long.size))
    pairs: dict[str, tuple[ArrayLike, ArrayLike]] = {
        "readout": (np.stack(readout), arrays["readout"]),
        "sizes": (np.asarray(sizes), arrays["sizes"]),
    }
    for place, rows in (("work", stores.work), ("long", stores.long)):
        for ours, theirs in (("use", "use"), ("life", "life"), ("shrinkage", "shrinkage")):
            name = f"final_{place}_{theirs}"
            pairs[name] = (rows[ours], arrays[name].ravel())
        pairs[f"final_{place}_key"] = (rows["key"].T[None], arrays[f"final_{place}_key"])
        final = rows["value"].T.reshape(objects, width, -1)
        pairs[f"final_{place}_value"] = (final, arrays[f"final_{place}_value_g0"])
    pairs["final_work_selection"] = (
        stores.work["selection"].T[None],
        arrays["final_work_selection"],
    )
    return compare(pairs)


def _stores(arrays: Arrays, widths: tuple[int, int]) -> Stores:
    params = XMemParams(
        every=int(arrays["mem_every"]),
        t_min=int(arrays["param_min_mid_term_frames"]),
        t_max=int(arrays["param_max_mid_term_frames"]),
        prototypes=int(arrays["param_num_prototypes"]),
        lt_max=int(arrays["param_max_long_term_elements"]),
        top_k=int(arrays["param_top_k"]),
    )
    elements = int(np.prod(arrays["keys"].shape[-2:]))
    return Stores(params, elements, widths, selects=True, mode="released")


def _sensory(arrays: Arrays) -> Verdict:
    tensors = {
        name: torch.from_numpy(array).float() for name, array in arrays.items() if array.ndim
    }
    if "hidden_states" in tensors:
        hidden, states = torch.zeros_like(tensors["hidden_states"][0]), []
        for given in tensors["g"]:
            hidden = _by_object(given, hidden, tensors["weight"], tensors["bias"])
            states.append(hidden)
        return compare({"hidden_states": (torch.stack(states), arrays["hidden_states"])})
    halved = (("g16", 1), ("g8", 2), ("g4", 4))
    given = sum(
        (
            functional.conv2d(
                functional.avg_pool2d(tensors[name][0], step),
                tensors[f"{name}_weight"],
                tensors[f"{name}_bias"],
            )
            for name, step in halved
        ),
        torch.zeros(()),
    )
    weights = tensors["transform_weight"], tensors["transform_bias"]
    new = _by_object(given[None], tensors["h"], *weights)
    return compare({"h_new": (new, arrays["h_new"])})


def _by_object(given: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return sensory(hidden.flatten(0, 1), given.flatten(0, 1), weight, bias).view_as(hidden)


def _flat(values: Features) -> Features:
    """Turn values [objects, Cv, N] into one row an element [N, objects * Cv]."""
    return values.reshape(-1, values.shape[-1]).T


_KINDS = {
    "affinity": _affinity,
    "consolidation": _consolidation,
    "eviction": _eviction,
    "stream": _stream,
    "sensory": _sensory,
}
