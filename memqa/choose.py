"""Which of several possible answers the evidence speaks for: a number for each, and the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memqa.cite import stems
from memqa.prompts import answer_messages
from models.ports import Chooser, OptionScorer, TextEncoder


def by_likeness(text: TextEncoder, options: Sequence[str], answer: str) -> NDArray[np.float64]:
    """Score options [K] by how nearly each says what the answer says: meaning and shared words.

    For models too small to judge: on the 64 questions of the development split the embedded one
    chose no better by its probabilities (0.30) than this does (0.27), both near chance (0.25).
    """
    vectors = text.encode([answer, *options])
    said = set(stems(answer))
    shared = [len(known & said) / max(1, len(known)) for known in map(set, map(stems, options))]
    return np.asarray(vectors[1:] @ vectors[0], np.float64) + shared


def by_model(
    model: OptionScorer | Chooser, question: str, options: Sequence[str], notes: Sequence[str]
) -> NDArray[np.float64]:
    """Score options [K] as the model judges: by probabilities, else 1 for the one it picks.

    Raises:
        ChatModelUnavailable: the model failed, or the evidence does not fit.
    """
    if isinstance(model, OptionScorer):
        return by_probability(model, question, options, notes)
    picked = model.choose(answer_messages(question, notes), options)
    return np.asarray(np.arange(len(options)) == picked, np.float64)


def by_probability(
    model: OptionScorer, question: str, options: Sequence[str], notes: Sequence[str]
) -> NDArray[np.float64]:
    """Score options [K] by what the evidence adds to their log-probability a token, in nats.

    What the model would say without evidence is taken off (domain-conditional mutual information,
    Holtzman et al. 2021, arXiv 2104.08315; document-memory design §6.2).

    Raises:
        ChatModelUnavailable: the model failed, or the evidence does not fit.
    """
    with_notes = model.score(answer_messages(question, notes), options, per_token=True)
    without = model.score(answer_messages(question, ()), options, per_token=True)
    return np.asarray(with_notes, np.float64) - without
