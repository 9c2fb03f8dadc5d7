"""What the methods know beside the build: a taxonomy, in the form in which they ask."""

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from hgld.labels.proposing.methods.ballot import DOUBT, IGNORE, Hint
from hgld.labels.taxonomy.distil import DISTILLED
from hgld.labels.taxonomy.rows import TaxonomyTables, load_taxonomy_tables
from hgld.labels.taxonomy.wording import LabelReader


def _match_nothing(label: str) -> Sequence[Hint]:  # noqa: ARG001 - any label
    """The default where a taxonomy has no words: it names nothing."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lore:
    """A taxonomy; targets are its super-categories and IGNORE."""

    sides: Mapping[str, str]
    """Super-category to its natural_or_human_made, in the order of the taxonomy."""
    classes: Mapping[str, Hint] = field(default_factory=dict)
    """Q-id of a class to what it is."""
    class_labels: Mapping[str, Hint] = field(default_factory=dict)
    """The label of those classes, casefolded, to what they are where all with it agree."""
    cuts: Mapping[str, str | None] = field(default_factory=dict)
    """Superclass to the target of all below it; None stops there."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """OpenStreetMap tag, such as `building/church`, to its target."""
    synsets: Mapping[str, str] = field(default_factory=dict)
    """WordNet 3.1 synset as Wikidata writes it, such as `03028079-n`, to its target. None ship:
    `wordnet.csv` has the names of synsets, and not where they stand in that version."""
    match: Callable[[str], Sequence[Hint]] = _match_nothing
    """The label of a class to what its words say, the best first."""


def taxonomy_knowledge(
    tables: TaxonomyTables,
    tags: Mapping[str, str] | None = None,
    synsets: Mapping[str, str] | None = None,
) -> Lore:
    """Puts a taxonomy in the form in which the methods ask.

    Args:
        tables: the taxonomy.
        tags: OpenStreetMap tag to super-category.
        synsets: WordNet synset to super-category.
    """
    sides = {each.hierarchical_label: each.natural_or_human_made for each in tables.supercategories}
    classes = {
        each.class_qid: _candidate(
            each.action, each.hierarchical_label, "qid", f"the taxonomy has {each.class_qid}"
        )
        for each in tables.classes
    }
    by_label: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for each in tables.classes:
        by_label[each.class_label.casefold()].add((each.action, each.hierarchical_label))
    return Lore(
        sides=sides,
        classes=classes,
        class_labels={
            label: _candidate(*one, "label", "the taxonomy has a class with this label")
            for label, found in by_label.items()
            if len(found) == 1
            for one in found
        },
        cuts={
            each.superclass_qid: _cut(each.action, each.hierarchical_label)
            for each in tables.cut_points
        },
        tags=tags or {},
        synsets=synsets or {},
        match=_reads(LabelReader(tables)),
    )


def _candidate(action: str, label: str, tier: str, words: str) -> Hint:
    if action == "ask":
        return Hint(IGNORE, f"{DOUBT} {tier}", f"{words}, to look at")
    return Hint(label if action == "accept" else IGNORE, tier, words)


def _cut(action: str, label: str) -> str | None:
    """Returns the target of what lies below a cut point; None where a person is to look."""
    return {"accept": label, "ignore": IGNORE}.get(action)


def _reads(reader: LabelReader) -> Callable[[str], Sequence[Hint]]:
    """Returns a function that reads labels, and tells them as candidates."""

    def read(label: str) -> list[Hint]:
        return [
            _candidate(each.action, each.hierarchical_label, each.evidence, each.reason)
            for each in reader.read(label).candidates
        ]

    return read


def shipped_knowledge(folder: Path | None = None) -> Lore:
    """Reads the shipped taxonomy, or one of the user's own, and the tags that ship.

    Args:
        folder: of a taxonomy with all its tables; None takes the shipped one.
    """
    tables = load_taxonomy_tables(folder)
    known = {each.hierarchical_label for each in tables.supercategories}
    return taxonomy_knowledge(tables, _tags(known))


def _tags(known: Set[str]) -> dict[str, str]:
    """Returns what each tag of OpenStreetMap means, where it means one super-category."""
    meanings: dict[str, set[str]] = defaultdict(set)
    with (DISTILLED / "openstreetmap.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            meanings[row["tag"]].add(row["hierarchical_label"])
    return {
        tag: label
        for tag, labels in meanings.items()
        if len(labels) == 1 and labels <= known
        for label in labels
    }
