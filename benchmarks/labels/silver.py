"""The silver set: the classes of the shipped taxonomy, each without its own lines.

The taxonomy's author wrote what each class is, and also the words by which labels are read. A class
is therefore proposed by a taxonomy from which its own line is taken, and every phrase that is its
label word for word: as a class is met that the author did not think of. What is left is what the
methods must know by other words, by vectors, by decisions. Superclasses come with a scrape and not
with this package: what they are worth is assumed.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.labels.embedding.encoders import MiniLmEncoder
from hgld.labels.embedding.words import taxonomy_words
from hgld.labels.proposing.calibration import Calibration
from hgld.labels.proposing.knowledge import ProposalInputs, taxonomy_knowledge
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.taxonomy.phrase import fold
from hgld.labels.taxonomy.rows import TaxonomyTables, load_taxonomy_tables

PROMPT = "A picture of a {label}"

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to unit vectors, float32 (n, D)."""


class SilverClass(NamedTuple):
    """A class with the answer of the taxonomy's author."""

    qid: str
    label: str
    target: str
    """A super-category, or IGNORE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilverSource:
    """All that proposals are made of, before anything is withheld."""

    tables: TaxonomyTables
    words: pa.Table
    """Of `taxonomy_words`, with the column embedding."""
    encode: Encode


def shipped_source() -> SilverSource:
    """Returns the shipped taxonomy, its words encoded by the offline encoder."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    encoder, known = MiniLmEncoder(), dict[str, NDArray[np.float32]]()

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        prompts = [PROMPT.replace("{label}", text) for text in missing]
        known.update(zip(missing, encoder.encode(prompts), strict=True))
        return np.stack([known[text] for text in texts])

    words = taxonomy_words(None)
    vectors = pa.array(list(encode(words["phrase"].to_pylist())), pa.list_(pa.float32()))
    return SilverSource(
        tables=load_taxonomy_tables(),
        words=words.append_column("embedding", vectors),
        encode=encode,
    )


def silver_classes(tables: TaxonomyTables) -> list[SilverClass]:
    """Returns the classes that the author is sure of; what a person is to look at is left out."""
    return [
        SilverClass(
            each.class_qid,
            each.class_label,
            each.hierarchical_label if each.action == "accept" else IGNORE,
        )
        for each in tables.classes
        if each.action != "ask"
    ]


def folds(classes: Iterable[SilverClass], count: int) -> list[list[SilverClass]]:
    """Deals classes into folds; those with one label, by the words that count, stay together."""
    parts: list[list[SilverClass]] = [[] for _ in range(count)]
    place: dict[tuple[str, ...], int] = {}
    for each in classes:
        fold_number = place.setdefault(fold(each.label), len(place) % count)
        parts[fold_number].append(each)
    return [part for part in parts if part]


def withheld(source: SilverSource, classes: Sequence[SilverClass], *, words: bool) -> SilverSource:
    """Takes out of a taxonomy what it says of some classes.

    Args:
        source: the whole.
        classes: whose lines are taken out; lines of other classes with their labels as well.
        words: whether phrases that are one of their labels are taken out, too.
    """
    tables, labels = source.tables, {fold(each.label) for each in classes}
    qids = {each.qid for each in classes}

    def is_own(text: str) -> bool:
        return fold(text) in labels

    others = [each for each in tables.classes if each.class_qid not in qids]
    tables = replace(
        tables,
        classes=tuple(each for each in others if not is_own(each.class_label)),
        cut_points=tuple(each for each in tables.cut_points if each.superclass_qid not in qids),
    )
    if not words:
        return replace(source, tables=tables)
    aliases = tuple(
        each
        for each in tables.aliases
        if not is_own(each.alias) or fold(each.alias) == fold(each.hierarchical_label)
    )
    unspecific = tuple(
        one for one in tables.unspecific if one.action == "transparent" or not is_own(one.phrase)
    )
    told = source.words.select(["phrase", "kind"]).to_pylist()
    is_kept = [each["kind"] == "name" or not is_own(each["phrase"]) for each in told]
    return replace(
        source,
        tables=replace(tables, aliases=aliases, unspecific=unspecific),
        words=source.words.filter(pa.array(is_kept)),
    )


def inputs_of(
    source: SilverSource,
    classes: Sequence[SilverClass],
    calibration: Calibration,
    clusters: Sequence[int] | None = None,
) -> ProposalInputs:
    """Returns classes as they come out of a scrape, each in a cluster of its own by default.

    Args:
        source: what is known.
        classes: the classes.
        calibration: what evidence is worth.
        clusters: of each class.
    """
    columns = {
        "class_qid": [each.qid for each in classes],
        "class_label": [each.label for each in classes],
        "landmarks": [1] * len(classes),
        "cluster_id": clusters or list(range(len(classes))),
        "similarity": [1.0] * len(classes),
    }
    return ProposalInputs(
        classes=pa.table(columns),
        vectors=source.encode([each.label for each in classes]),
        words=source.words,
        knowledge=taxonomy_knowledge(source.tables),
        calibration=calibration,
    )
