"""The note of a release: what changed since the one before, to be read by people."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.facts import ReleaseFacts

_MOST = 20
"""Rows of a table of the note; label_changes.parquet has them all."""

_LABELS = ("hierarchical_label_before", "hierarchical_label_after", "why")
_HEADS = {
    "added": "added",
    "removed": "removed",
    "moved": "moved between data, filled, excluded and bad",
    "changed": "changed",
    "unchanged": "unchanged",
    "label_added": "got a label",
    "label_removed": "lost their label",
    "label_changed": "have another label",
    "labels_gone": "removed with a label",
}


def release_note(facts: ReleaseFacts) -> str:
    """Returns the release note, in Markdown."""
    release, counts = facts.release, facts.release["counts"]
    day = f" ({facts.date})" if facts.date else ""
    images = ", ".join(f"{number:,} {split}" for split, number in counts["images"].items())
    landmarks = f"{counts['landmarks_with_label']:,} of {sum(counts['landmarks'].values()):,}"
    holds = f"{images} images with one of {counts['labels']:,} labels; {landmarks} landmarks have"
    lines = [f"# {facts.config.title} {facts.version}{day}", "", f"{holds} one.", ""]
    lines += _by_origin(facts)
    if release["changes"] is None:
        return "\n".join([*lines, "The first release.", ""])
    lines.append(
        f"What changed since {release['follows']}; each change is a row of "
        "`label_changes.parquet`, with its cause:"
    )
    lines += ["", *_table(("", "landmarks", "images"), _count_rows(release["changes"])), ""]
    lines += _sections(facts.changes)
    return "\n".join(lines)


def _by_origin(facts: ReleaseFacts) -> list[str]:
    """Returns a table of how labels came to be: by classes, and filled by which method."""
    counts = facts.release["counts"]
    if not counts["landmarks_filled"]:
        return []
    by_class = {
        "landmarks": counts["landmarks_with_label"],
        "images": sum(counts["images"].values()),
    }
    rows = {"classes, as published": by_class}
    rows |= {f"filled: {method}": count for method, count in counts["filled_by"].items()}
    cells = [(name, *(f"{row[kind]:,}" for kind in by_class)) for name, row in rows.items()]
    return [
        "More labels are filled where no class gives one; their images lie apart, in `filled/`:",
        "",
        *_table(("labels", *by_class), cells),
        "",
    ]


def _sections(changes: pa.Table) -> list[str]:
    """Returns a table of the causes for each kind of change that there is."""
    landmarks = changes.filter(pc.equal(changes["kind"], "landmark"))
    images = changes.filter(pc.equal(changes["kind"], "image"))
    of_label = pc.match_substring_regex(landmarks["why"], r"\blabel\b")
    lines = []
    for title, heads, rows, columns in (
        ("Labels", ("before", "now", "why", "landmarks"), landmarks.filter(of_label), _LABELS),
        (
            "Other changes of landmarks",
            ("change", "why", "landmarks"),
            landmarks.filter(pc.invert(of_label)),
            ("change", "why"),
        ),
        ("Images", ("change", "why", "images"), images, ("change", "why")),
    ):
        if len(rows):
            lines += [f"## {title}", "", *_table(heads, _frequent(rows, columns)), ""]
    return lines


def _count_rows(changes: Mapping[str, Mapping[str, int]]) -> list[tuple[str, ...]]:
    landmarks, images = changes["landmarks"], changes["images"]
    rows = [
        (title, *(f"{kind[name]:,}" if name in kind else "" for kind in (landmarks, images)))
        for name, title in _HEADS.items()
    ]
    return [row for row in rows if any(cell not in {"", "0"} for cell in row[1:])]


def _frequent(rows: pa.Table, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Returns the most frequent values of some columns, each with how often it occurs."""
    groups = rows.group_by(list(columns)).aggregate([([], "count_all")])
    order = [("count_all", "descending"), *((name, "ascending") for name in columns)]
    groups = groups.sort_by(order)
    found = [
        (*(_cell(row[name]) for name in columns), f"{row['count_all']:,}")
        for row in groups.slice(0, _MOST).to_pylist()
    ]
    if len(groups) > _MOST:
        rest = sum(groups["count_all"].slice(_MOST).to_pylist())
        found.append((f"and {len(groups) - _MOST} more", *[""] * (len(columns) - 1), f"{rest:,}"))
    return found


def _cell(value: Any) -> str:  # noqa: ANN401 - of any column
    """Returns a value as one line of a table, whatever its text is."""
    return "(none)" if value is None else " ".join(str(value).splitlines()).replace("|", "\\|")


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> list[str]:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
