"""The inputs of proposals: classes, their vectors, a taxonomy, and decisions."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.labels.embedding.cache import from_lists
from hgld.labels.proposing.calibration import Calibration, shipped_calibration
from hgld.labels.proposing.methods import Phrases, unit_grid
from hgld.labels.proposing.opinions import DOUBT, IGNORE, Hint, has_qid
from hgld.labels.taxonomy.phrase import fold
from hgld.labels.taxonomy.rows import SHIPPED, TaxonomyTables, of_one_meaning, read_csv_rows
from hgld.labels.taxonomy.wording import LabelReader
from hgld.tables import SUPERCLASSES


class Ruling(NamedTuple):
    """A person's decision on a class."""

    hierarchical_label: str
    """A super-category of the taxonomy or a new one; IGNORE to ignore the class."""
    natural_or_human_made: str | None = None
    """The side; None takes the taxonomy's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """A taxonomy; targets are its super-categories and IGNORE."""

    sides: Mapping[str, str]
    """Super-category to its natural_or_human_made, in the order of the taxonomy."""
    classes: Mapping[str, Hint] = field(default_factory=dict)
    """Q-id of a class to its target."""
    class_labels: Mapping[str, Hint] = field(default_factory=dict)
    """Casefolded label of those classes to their target, if all with that label agree."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """OpenStreetMap tag, such as `building/church`, to its target."""
    cuts: Mapping[str, str | None] = field(default_factory=dict)
    """Superclass to the target of everything below it; None: the walk up stops there."""
    read_label: Callable[[str], Sequence[Hint]] = lambda _: ()
    """From a class's label to the hints of its words, the best first."""

    def of_class(self, qid: str, label: str) -> Sequence[Hint]:
        """Returns what the taxonomy says about a class: by its Q-id, or else by its label.

        The classes of a list without Q-ids are found by their label.
        """
        found = self.classes.get(qid) if has_qid(qid) else None
        found = found or self.class_labels.get(label.casefold())
        return [found] if found else []

    def of_tags(self, tags: Sequence[str]) -> list[Hint]:
        """Returns the hints of a class's tags, written as in Wikidata: `Tag:building=church`."""
        known = [(tag, self.tags.get(tag.removeprefix("Tag:").replace("=", "/"))) for tag in tags]
        return [Hint(to, "P1282", f"OpenStreetMap's {tag} (P1282)") for tag, to in known if to]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalInputs:
    """The inputs of proposals, from a build or a list."""

    classes: pa.Table
    """Rows of CLUSTERS: class_qid, class_label, landmarks, cluster_id, similarity. A class without
    a Q-id has another unique name as `class_qid`."""
    vectors: NDArray[np.float32]
    """(n, D), of the labels of the classes."""
    words: pa.Table
    """Columns of WORDS: phrase, hierarchical_label (null: ignore), kind, embedding."""
    knowledge: Knowledge
    superclasses: pa.Table = field(default_factory=SUPERCLASSES.schema.empty_table)
    """Rows of SUPERCLASSES."""
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Class to its OpenStreetMap tags, from CLASS_EVIDENCE."""
    calibration: Calibration = field(default_factory=shipped_calibration)

    def on_grid(self) -> tuple[NDArray[np.float32], Phrases]:
        """Returns the vectors of the classes and of the words, rounded for comparison."""
        labels: list[str | None] = self.words["hierarchical_label"].to_pylist()
        kinds = self.words["kind"].to_numpy()
        phrases = Phrases(
            texts=self.words["phrase"].to_pylist(),
            targets=[IGNORE if label is None else label for label in labels],
            is_name=kinds == "name",
            is_alias=kinds == "alias",
            vectors=unit_grid(from_lists(self.words["embedding"])),
        )
        return unit_grid(self.vectors), phrases


def taxonomy_knowledge(
    tables: TaxonomyTables,
    names: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Knowledge:
    """Puts a taxonomy into the form that the methods need.

    Args:
        tables: the taxonomy.
        names: whole folded label to its meaning in OpenStreetMap; used if the taxonomy knows no
            word of a label.
        tags: OpenStreetMap tag to its meaning.
    """
    by_label: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for each in tables.classes:
        by_label[each.class_label.casefold()].add((each.action, each.hierarchical_label))
    return Knowledge(
        sides={
            each.hierarchical_label: each.natural_or_human_made for each in tables.supercategories
        },
        classes={
            each.class_qid: _hint(
                each.action, each.hierarchical_label, "qid", f"the taxonomy has {each.class_qid}"
            )
            for each in tables.classes
        },
        class_labels={
            label: _hint(*one, "label", "the taxonomy has a class with this label")
            for label, found in by_label.items()
            if len(found) == 1
            for one in found
        },
        cuts={
            # None if a person has to look.
            each.superclass_qid: {"accept": each.hierarchical_label, "ignore": IGNORE}.get(
                each.action
            )
            for each in tables.cut_points
        },
        tags=tags or {},
        read_label=_reading(LabelReader(tables), names or {}),
    )


def _hint(action: str, label: str, tier: str, words: str) -> Hint:
    if action == "ask":
        return Hint(IGNORE, f"{DOUBT} {tier}", f"{words}, to look at")
    return Hint(label if action == "accept" else IGNORE, tier, words)


def _reading(reader: LabelReader, names: Mapping[str, str]) -> Callable[[str], Sequence[Hint]]:
    """Returns a function from a label to hints."""

    def read(label: str) -> list[Hint]:
        if found := reader.read(label):
            return [
                _hint(each.action, each.hierarchical_label, each.evidence, each.reason)
                for each in found
            ]
        target = names.get(_folded(label))
        words = f"OpenStreetMap's name {label!r} is {target}"
        return [] if target is None else [Hint(target, "name", words)]

    return read


def _folded(text: str) -> str:
    return " ".join(fold(text))


def shipped_knowledge(tables: TaxonomyTables) -> Knowledge:
    """Adds OpenStreetMap's names and tags to a taxonomy, of a user or the shipped one."""
    known = {each.hierarchical_label for each in tables.supercategories}
    rows = read_csv_rows(SHIPPED / "openstreetmap.csv")
    names, tags = (
        {text: label for text, label in of_one_meaning(pairs).items() if label in known}
        for pairs in (
            [(_folded(row["name"]), row["hierarchical_label"]) for row in rows],
            [(row["tag"], row["hierarchical_label"]) for row in rows],
        )
    )
    return taxonomy_knowledge(tables, names, tags)
