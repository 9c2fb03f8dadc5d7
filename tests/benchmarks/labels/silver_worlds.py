"""A taxonomy whose words are encoded by no model."""

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.labels.silver import SilverSource
from hgld.labels.taxonomy.rows import TaxonomyTables


@functools.cache
def direction(word: str) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).normal(size=24).astype(np.float32)


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Returns for each text the sum of directions of its words: those with a word are near."""
    vectors = np.zeros((len(texts), 24), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.casefold().split():
            vectors[row] += direction(word)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def source_of(tables: TaxonomyTables) -> SilverSource:
    rows = [(one.strip(), one, "name")
            for one in (each.hierarchical_label for each in tables.supercategories)]  # fmt: skip
    rows += [
        (each.alias, each.hierarchical_label, "alias")
        for each in tables.aliases
        if each.language == "en"
    ]
    phrases, labels, kinds = (list(column) for column in zip(*rows, strict=True))
    vectors = pa.array(list(encode(phrases)), pa.list_(pa.float32()))
    columns = {"phrase": phrases, "hierarchical_label": labels, "kind": kinds}
    words = pa.table({**columns, "embedding": vectors})
    return SilverSource(tables=tables, words=words, encode=encode)
