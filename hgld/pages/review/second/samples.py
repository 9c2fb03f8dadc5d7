"""What a second reviewer is asked: samples that are kept in the log, and known answers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from hgld.errors import InputError
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.review.log.events import label_key
from hgld.review.log.history import Standing
from hgld.tables.csv_files import read_csv_list

KNOWN_KEYS = ("class_qid", "label", "supercategory")
"""Columns of which a file of known answers has one, beside `hierarchical_label`."""


class BlindSample(NamedTuple):
    """Classes that a reviewer is asked blind."""

    number: int
    """Of the event that drew it."""
    reviewer: str
    of_reviewer: str
    """Whose decisions it is drawn from."""
    queue: Mapping[str, str]
    """class_qid to label, in the order in which they are asked."""
    hidden: frozenset[str]
    """Those of them that are asked because their answer is known; no page says which."""


def samples_of(standing: Standing) -> list[BlindSample]:
    """Returns all samples, the last one first."""
    return [
        BlindSample(
            event.number,
            event.reviewer,
            change.of_reviewer,
            change.classes,
            frozenset(qid for one in event.changes if one.effect == "known" for qid in one.classes),
        )
        for event, change in reversed(standing.samples)
    ]


def told_sample(standing: Standing) -> BlindSample | None:
    """Returns the last sample of which something is answered; if there is none, the last one."""
    samples = samples_of(standing)
    for one in samples:
        if one.queue.keys() & standing.opinions.get(one.reviewer, {}).keys():
            return one
    return samples[0] if samples else None


def fresh_classes(
    standing: Standing, reviewer: str, there: Collection[str]
) -> dict[str, dict[str, str | None]]:
    """Returns the decisions of all others on classes of which a reviewer was not asked yet.

    Args:
        standing: what is decided.
        reviewer: who would be asked.
        there: the classes of the build.

    Returns:
        Reviewer to class_qid to super-category; None: ignored.
    """
    asked = standing.opinions.get(reviewer, {})
    found: dict[str, dict[str, str | None]] = defaultdict(dict)
    for qid, one in standing.decisions().items():
        if one.reviewer != reviewer and qid in there and qid not in asked:
            found[one.reviewer][qid] = one.hierarchical_label
    return found


def known_answers(
    labels: Mapping[str, str], *, file: Path | None = None, taxonomy: Path | None = None
) -> dict[str, str | None]:
    """Returns the super-category that is known to be right of each class; None: to be ignored.

    Args:
        labels: class_qid to label, of the classes of a build.
        file: CSV with `hierarchical_label`, blank where the class is to be ignored, and one of
            `class_qid`, `label` and `supercategory` (GLDv2's name for the label); None: what the
            taxonomy says by Q-id of a class, where it does not ask for a look.
        taxonomy: the folder of the taxonomy; None: the one that ships.

    Raises:
        InputError: the file, or the taxonomy, cannot be used; the text says what to do.
    """
    if file is None:
        return {
            row.class_qid: row.hierarchical_label if row.action == "accept" else None
            for row in load_taxonomy_tables(taxonomy).classes
            if row.class_qid in labels and row.action != "ask"
        }
    by_label: dict[str, list[str]] = defaultdict(list)
    for qid, label in labels.items():
        by_label[label_key(label)].append(qid)
    found: dict[str, str | None] = {}
    for number, cells in read_csv_list(file, ("hierarchical_label",), KNOWN_KEYS):
        key = next((name for name in KNOWN_KEYS if name in cells), None)
        if key is None:
            raise InputError(f"{file} row 1 must name one of the columns {', '.join(KNOWN_KEYS)}")
        name, answer = cells[key].strip(), cells["hierarchical_label"].strip() or None
        is_qid = key == "class_qid"
        for qid in [name] * (name in labels) if is_qid else by_label.get(label_key(name), []):
            before = found.setdefault(qid, answer)
            if label_key(before or "") != label_key(answer or ""):
                raise InputError(
                    f"{file} row {number} must say of {labels[qid]} what the file said of it "
                    f"before, {before or 'nothing'!r}, got {answer or 'nothing'!r}; remove one"
                )
    return found
