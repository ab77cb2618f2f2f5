"""Knows how a question is put to class probabilities: through the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.ports import Metric, TextEncoder
from models.values import Features, Label, Picture
from models.vision.efficientnet import CLASSES, EfficientNetLite0
from models.vision.names import vectors_of

_NAME_WORDS = 5  # a longer text describes
_SHARPNESS = 30.0  # of the softmax over classes; anything from 15 to 40 ranks alike


class ConSE:
    """An ImageEncoder: EfficientNet-Lite0 class probabilities, asked through the class names.

    ConSE (Norouzi et al. 2013, arXiv 1312.5650, eq. 2) blends the text vectors of the most
    probable classes into a picture's vector. Here the probabilities themselves are the vector
    [D = 1000] and the text side moves instead: a text t weighs class c by
    softmax_c(30 cos(t, name_c)), so the dot product is the expected weight of what is seen; of a
    class with two names the nearer one counts.
    Probabilities average linearly when a memory merges frames.
    """

    signature = "efficientnet-lite0/class-weights/1"
    dim = CLASSES
    metric: Metric = "dot"

    def __init__(
        self,
        network: EfficientNetLite0,
        names: Sequence[Sequence[str]],
        text: TextEncoder,
        *,
        cache: Path,
    ) -> None:
        """``names`` are those of each class, the best known first.

        ``cache`` is a folder for the names' vectors, which take seconds to compute.
        """
        if len(names) != CLASSES:
            raise ValueError(f"{len(names)} class names for {CLASSES} classes")
        self._network = network
        self._names = tuple(name for known in names for name in known)
        self._firsts = np.cumsum([0, *(len(known) for known in names)])[:-1]
        self._labels = tuple(
            " ".join([first, *(f"({name})" for name in others)]) for first, *others in names
        )
        self._text = text
        self._cache = cache
        # A question asks for the same focus several times over.
        self._vector = lru_cache(maxsize=64)(lambda asked: text.encode([asked])[0])
        self._name_vectors: Features | None = None

    def encode(self, pictures: Sequence[Picture]) -> Features:
        """Give the class probabilities [T, D] of T pictures of any sizes.

        Raises:
            BackendError: the network failed.
        """
        return self._network.probabilities(pictures)[:, 0]

    def encode_regions(self, pictures: Sequence[Picture], side: int) -> Features:
        """Give the class probabilities [T, 1 + side^2, D] of T pictures and of their cells.

        Raises:
            BackendError: the network failed.
            ValueError: a picture has no ``side`` by ``side`` cells.
        """
        return self._network.probabilities(pictures, side)

    def encode_query(self, text: str) -> Features:
        """Give the class weights [D] of a word or sentence; they sum to one."""
        named = self._names_as_vectors() @ self._vector(text)
        cosines = np.maximum.reduceat(named, self._firsts)
        weights = np.exp(_SHARPNESS * (cosines - cosines.max()))
        return np.asarray(weights / weights.sum(), np.float32)

    def similarity(self, text: str, features: Features) -> Features:
        """Give how well each of M vectors [M, D] fits a name or a description, in [0, 1].

        A name is asked through its class weights. A description of a scene names many things, none
        of them a class: it is compared by the square of its cosine with the ConSE vector of the
        roots of the probabilities, which let the less probable classes speak too.
        """
        if len(text.split()) <= _NAME_WORDS:
            return np.asarray(features @ self.encode_query(text), np.float32)
        blends = np.sqrt(np.maximum(features, 0)) @ self._names_as_vectors()[self._firsts]
        lengths = np.maximum(np.linalg.norm(blends, axis=1), 1e-12)
        cosines = (blends @ self._vector(text)) / lengths
        return np.asarray(np.maximum(cosines, 0) ** 2, np.float32)

    def _names_as_vectors(self) -> Features:
        if self._name_vectors is None:
            text = self._text
            self._name_vectors = vectors_of(
                self._names, text.signature, text.encode, dim=text.dim, cache=self._cache
            )
        return self._name_vectors

    def labels(self, feature: Features, top: int = 5) -> list[Label]:
        """Name the classes of the vector [D], most probable first."""
        order = np.argsort(-feature, kind="stable")[:top]
        return [Label(self._labels[i], float(feature[i])) for i in order]
