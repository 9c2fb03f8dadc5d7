"""Classes whose right answer is known, to be hidden among those that a second reviewer is asked."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from hgld.errors import InputError
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.review.log.events import label_key
from hgld.tables.csv_files import read_csv_list

KNOWN_KEYS = ("class_qid", "label", "supercategory")
"""Columns of which a file of known answers has one, beside `hierarchical_label`."""


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
        rows = load_taxonomy_tables(taxonomy).classes
        return {
            row.class_qid: row.hierarchical_label if row.action == "accept" else None
            for row in rows
            if row.class_qid in labels and row.action != "ask"
        }
    by_label: dict[str, list[str]] = defaultdict(list)
    for qid, label in labels.items():
        by_label[label_key(label)].append(qid)
    found: dict[str, str | None] = {}
    for where, qids, answer in _answers(file, labels, by_label):
        for qid in qids:
            if qid in found and label_key(found[qid] or "") != label_key(answer or ""):
                raise InputError(
                    f"{where} must say of {labels[qid]} what the file said of it before, "
                    f"{found[qid] or 'nothing'!r}, got {answer or 'nothing'!r}; remove one"
                )
            found[qid] = answer
    return found


def _answers(
    path: Path, labels: Mapping[str, str], by_label: Mapping[str, list[str]]
) -> Iterator[tuple[str, list[str], str | None]]:
    """Yields a place in the file, classes of the build, and their answer."""
    for number, cells in read_csv_list(path, ("hierarchical_label",), KNOWN_KEYS):
        key = next((name for name in KNOWN_KEYS if name in cells), None)
        if key is None:
            raise InputError(f"{path} row 1 must name one of the columns {', '.join(KNOWN_KEYS)}")
        name, answer = cells[key].strip(), cells["hierarchical_label"].strip()
        is_qid = key == "class_qid"
        qids = [name] * (name in labels) if is_qid else by_label.get(label_key(name), [])
        yield f"{path} row {number}", qids, answer or None
