"""A packaged data set of words: nouns of super-categories, and words that are no places."""

import csv
from pathlib import Path

import numpy as np

from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows
from hgld.benchmarks.robustness.out_of_distribution.problems.holding_out import ClassRows
from hgld.labels.embedding.encoders import MiniLmEncoder
from hgld.labels.taxonomy.rows import SHIPPED

NOUN_FILES = (SHIPPED / "wordnet.csv", SHIPPED / "unspecific.csv")
"""Where the words are from."""
_TRAIN_SHARE = 0.7


def encoded_nouns() -> tuple[FrozenRows, FrozenRows]:
    """Encodes the words of the shipped taxonomy by MiniLM, 384 dimensions, without a prompt.

    Returns:
        WordNet's nouns with their super-categories, and the phrases that the taxonomy ignores as
        no kind of place, such as `academic discipline`.

    Raises:
        MissingInputError: the extra `offline` is not installed.
    """
    nouns, unspecific = (_rows(path) for path in NOUN_FILES)
    phrases = [row["phrase"] for row in unspecific if row["action"] == "ignore"]
    encoder = MiniLmEncoder()
    names = [row["hierarchical_label"] for row in nouns]
    labels = np.unique(np.array(names), return_inverse=True)[1]
    features = encoder.encode([row["noun"].replace("_", " ") for row in nouns])
    return (
        FrozenRows(features.astype(np.float64), labels),
        FrozenRows(encoder.encode(phrases).astype(np.float64)),
    )


def noun_rows(nouns: FrozenRows, phrases: FrozenRows, seed: int) -> ClassRows:
    """Splits the nouns: seven in ten train, the others are queries.

    Args:
        nouns: with labels.
        phrases: of no class; they are far.
        seed: of the split.
    """
    is_train = np.random.default_rng(seed).random(len(nouns)) < _TRAIN_SHARE
    return ClassRows(
        title="Nouns",
        train=nouns.take(is_train),
        queries=nouns.take(~is_train),
        far={"words for no place": phrases},
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
