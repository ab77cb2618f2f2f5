"""EM-LLM's refining as the release does it: the whole graph, and every split from its entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def modularity(graph: Numbers, labels: NDArray[np.generic]) -> float:
    """Give Q of a labelling of a graph [n, n] (eq. 3), halved as in the release."""
    total, degrees, found = graph.sum(), graph.sum(axis=1), 0.0
    for label in np.unique(labels):
        mine = labels == label
        found += graph[np.ix_(mine, mine)].sum() - degrees[mine].sum() ** 2 / total
    return float(found / (2 * total))


def conductance(graph: Numbers, labels: NDArray[np.generic]) -> float:
    """Give the least of the communities' conductances (eq. 4)."""
    found = []
    for label in np.unique(labels):
        mine = labels == label
        inside = graph[np.ix_(mine, mine)].sum()
        smaller = min(inside, graph.sum() - inside)
        found.append(graph[np.ix_(mine, ~mine)].sum() / (smaller or 1e-15))
    return float(min(found))


def splits(keys: Numbers, metric: str) -> Numbers:
    """Score every split [0, t) | [t, n) of keys [n, d] for t = 1 .. n-1."""
    graph = keys @ keys.T
    score = modularity if metric == "modularity" else conductance
    places = np.arange(len(keys))
    return np.asarray([score(graph, places >= t) for t in range(1, len(keys))])
