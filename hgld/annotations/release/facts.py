"""The facts of a release: its settings, version, counts, and who decided its labels."""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.changes import change_counts, count_by
from hgld.annotations.release.released import (
    RELEASES_FILE,
    Release,
    ReleaseTables,
    read_released,
    read_releases,
)
from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.files import FileRecord
from hgld.tables import (
    ANNOTATIONS,
    CREDITS,
    FILLED_RULE,
    LANDMARK_LABELS,
    LEVELS,
    OVERLAP,
    PLACE_MISSING,
)

Files = Mapping[str, FileRecord]
"""Path in a release to the record of each table file."""

FIRST_VERSION = "1.0.0"
SCHEMA_VERSION = 2
"""Raised when a column is removed or changes its meaning, which breaks readers."""

_CREATIVE_COMMONS = re.compile(r"CC-(BY(?:-[A-Z]+)*)-(\d\.\d)")
_SPDX = re.compile(r"[A-Za-z0-9.+-]+")


GLDV2 = "Google Landmarks v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseConfig:
    """Settings of the stage, all optional."""

    title: str = setting("H-GLDv2 labels", "Title of the data set.")
    description: str = setting(
        "Hierarchical labels for Google Landmarks v2: for each image its landmark, the landmark's "
        "super-category, and whether that is natural or human-made, each with where it came from.",
        "What the data set is, in a sentence or two.",
    )
    source: str = setting(GLDV2, "Data set whose images are labelled.")
    creators: tuple[str, ...] = setting(
        ("The hgld maintainers",), "Who made the labels, for citations."
    )
    contact: str = setting("", "How users reach you: an e-mail address or the URL for issues.")
    url: str = setting("", "URL of the published release.")
    license: str = setting(
        "CC-BY-4.0",
        "Licence of the labels, as an SPDX identifier. Facts of Wikidata are CC0-1.0, and each "
        "picture has its own licence.",
    )
    date: str = setting(
        "",
        "Date of the release, YYYY-MM-DD. Default: the day of the last page that was fetched for "
        "the labels, so that the same tables give the same release.",
    )
    previous: Path | None = setting(
        None,
        "Folder of the previous release, as it was published. Without it, this is the first "
        "release, 1.0.0.",
        changes_rows=False,
    )

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
            ValueError: a text that is blank or has several lines, an invalid date, or a licence
                that is not an identifier.
        """
        check_settings(self)
        for name, is_fine, wanted in (
            ("title", _are_lines(self.title), "a line of text"),
            ("description", self.description.strip(), "some text"),
            ("source", _are_lines(self.source), "a line of text"),
            ("creators", _are_lines(*self.creators), "one or more names, each on one line"),
            ("contact", not self.contact or _are_lines(self.contact), "a line of text"),
            ("url", not self.url or _are_lines(self.url), "a line of text"),
            ("license", _SPDX.fullmatch(self.license), "an identifier such as CC-BY-4.0"),
            ("date", not self.date or _is_day(self.date), "a day as YYYY-MM-DD"),
        ):
            if not is_fine:
                raise ValueError(f"{name} must be {wanted}, got {getattr(self, name)!r}")

    @property
    def license_url(self) -> str:
        """URL of the licence text."""
        if match := _CREATIVE_COMMONS.fullmatch(self.license):
            return f"https://creativecommons.org/licenses/{match[1].lower()}/{match[2]}/"
        return f"https://spdx.org/licenses/{self.license}.html"


def _are_lines(*texts: str) -> bool:
    return bool(texts) and all(text.strip() and len(text.splitlines()) == 1 for text in texts)


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """Everything that the texts of a release are made from."""

    config: ReleaseConfig
    release: Release
    """The entry for releases.json; its `files` are the tables."""
    earlier: list[Release]
    """All earlier releases, newest first."""
    changes: pa.Table
    """Rows of LABEL_CHANGES."""
    files: Files
    deciders: Mapping[str, int]
    """Reviewer to the number of landmarks that they decided, in descending order; "" for labels
    that nobody reviewed."""
    decisions: Mapping[str, int]
    """`decision` to its number of landmarks with a label, in descending order."""
    placed: Mapping[str, Mapping[str, int]]
    """Part of PLACE_MISSING to the number of landmarks that have it ("ok"), and for each reason to
    that of those that lack it."""
    overlaps: int
    """How many pairs of a train landmark and an index landmark or building overlap."""
    own_labels: int
    """Rows of LEVELS."""
    days: Sequence[str]
    """The first and the last day on which pages were fetched; empty without pages."""

    @property
    def counts(self) -> dict[str, Any]:
        """The result of `release_counts`."""
        return dict(self.release["counts"])

    def has_file(self, pattern: str) -> bool:
        """Says whether a file of the release matches the shard pattern of a table."""
        return any(Path(name).match(pattern) for name in self.files)


def release_facts(
    folder: Path, config: ReleaseConfig, files: Files, tables: ReleaseTables, changes: pa.Table
) -> ReleaseFacts:
    """Collects the facts of a release.

    Args:
        folder: the folder of its tables.
        config: the settings.
        files: the tables, by their paths in the release.
        tables: the rows of the release.
        changes: rows of LABEL_CHANGES since the previous release.
    """
    credited = count_by(read_released(folder, CREDITS, ["status"])["status"]).get("ok", 0)
    times = pc.min_max(read_released(folder, LANDMARK_LABELS, ["fetched_at"])["fetched_at"])
    days = [time.date().isoformat() for time in times.as_py().values() if time]
    before = [] if config.previous is None else read_releases(config.previous / RELEASES_FILE)
    changed = change_counts(tables, changes) if before else None
    labelled = tables.landmarks.filter(pc.is_valid(tables.landmarks["hierarchical_label"]))
    release: Release = {
        "version": next_version(before[0], changed) if changed else FIRST_VERSION,
        "date": config.date or (days[1] if days else None),
        "follows": before[0]["version"] if before else None,
        "schema": SCHEMA_VERSION,
        "settings": row_settings(config),
        "counts": release_counts(tables, credited),
        "changes": changed,
        "files": {name: record.sha256 for name, record in sorted(files.items())},
    }
    return ReleaseFacts(
        config=config,
        release=release,
        earlier=before,
        changes=changes,
        files=files,
        deciders=_most_first(labelled["reviewer"]),
        decisions=_most_first(labelled["decision"]),
        placed=_placed(folder),
        overlaps=len(read_released(folder, OVERLAP)),
        own_labels=len(read_released(folder, LEVELS)),
        days=days,
    )


def release_list(facts: ReleaseFacts) -> str:
    """Returns releases.json."""
    return json.dumps([facts.release, *facts.earlier], indent=2) + "\n"


def release_counts(tables: ReleaseTables, credited: int) -> dict[str, Any]:
    """Counts the contents of a release, with fills separate from labels of classes.

    Args:
        tables: its rows.
        credited: number of train images with a credit.
    """
    images, landmarks = tables.images, tables.landmarks

    def counted(table: str, column: str) -> dict[str, int]:
        return count_by(images.filter(pc.equal(images["table"], table))[column])

    data, more = (
        dict.fromkeys(ANNOTATIONS, 0) | counted(one, "split") for one in ("data", "filled")
    )
    labelled = landmarks.filter(pc.is_valid(landmarks["hierarchical_label"]))
    is_filled = pc.equal(labelled["decision"], FILLED_RULE)
    by_class, filled = labelled.filter(pc.invert(is_filled)), labelled.filter(is_filled)
    return {
        "images": data,
        "filled": more,
        "filled_by": count_by(pc.coalesce(filled["method"], "unknown")),
        **{table: counted(table, "reason") for table in ("excluded", "bad")},
        "landmarks": {"train": 0, "index": 0} | count_by(landmarks["split"]),
        "landmarks_with_label": len(by_class),
        "landmarks_filled": len(filled),
        "labels": pc.count_distinct(by_class["hierarchical_label"]).as_py(),
        "credits_missing": data["train"] + more["train"] - credited,
    }


def next_version(before: Release, counts: Mapping[str, Mapping[str, int]]) -> str:
    """Returns the version of a release.

    Args:
        before: the previous release.
        counts: the changes since (`change_counts`).

    Returns:
        The next major version if a label was changed or removed, or the schema breaks readers; the
        next minor version if there are any other changes; else the next patch.
    """
    major, minor, patch = map(int, before["version"].split("."))
    changed = {name for kind in counts.values() for name, count in kind.items() if count}
    breaks = before.get("schema") != SCHEMA_VERSION
    if breaks or changed & {"label_removed", "label_changed", "labels_gone"}:
        return f"{major + 1}.0.0"
    if changed & {"added", "removed", "moved", "changed"}:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def _placed(folder: Path) -> dict[str, dict[str, int]]:
    rows = read_released(folder, LANDMARK_LABELS, ["place_missing"])["place_missing"]
    why = {field.name: pc.struct_field(rows, field.name) for field in PLACE_MISSING}
    return {name: _most_first(pc.coalesce(column, "ok")) for name, column in why.items()}


def _most_first(column: pa.ChunkedArray) -> dict[str, int]:
    """Counts values, most frequent first; null counts as ""."""
    counts = count_by(pc.coalesce(column, ""))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
