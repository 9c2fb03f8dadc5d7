"""What the cards, notes and lists of a release are made of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.changes import label_changes
from hgld.annotations.release.config import ReleaseConfig
from hgld.annotations.release.released import (
    RELEASES_FILE,
    ReleaseTables,
    read_release,
    read_released,
)
from hgld.annotations.release.versions import (
    FIRST_VERSION,
    Release,
    change_counts,
    next_version,
    read_releases,
    release_counts,
    release_schema,
)
from hgld.engine.files import FileRecord
from hgld.tables import CREDITS, HIERARCHY, LABEL_CHANGES, LANDMARK_LABELS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """All that is said of a release."""

    config: ReleaseConfig
    releases: tuple[Release, ...]
    """As in releases.json: this one first; its `files` are those of the tables."""
    changes: pa.Table
    """Rows of LABEL_CHANGES."""
    files: Mapping[str, FileRecord]
    """The tables of the release by their paths in it."""
    deciders: Mapping[str, int]
    """Who decided on labels, or accepted filled ones, to how many landmarks have their label from
    them; "" for those that nobody saw."""
    decisions: Mapping[str, int]
    """How labels came about to the number of landmarks."""
    hierarchy: pa.Table
    """Rows of HIERARCHY."""
    days: tuple[str, str] | None
    """The first and the last on which a page was asked for."""

    @property
    def release(self) -> Release:
        """What releases.json says of this one."""
        return self.releases[0]

    @property
    def version(self) -> str:
        """Of this release."""
        return str(self.release["version"])

    @property
    def date(self) -> str:
        """Of this release, as YYYY-MM-DD; empty where nothing says it."""
        return self.release["date"] or ""

    def shards(self, split: str, folder: str = "data") -> list[str]:
        """Returns the files of a split, those with the labels of classes or those in `filled`."""
        return sorted(name for name in self.files if name.startswith(f"{folder}/{split}-"))


def compare_with_previous(
    folder: Path, config: ReleaseConfig
) -> tuple[ReleaseTables, pa.Table, dict[str, Any] | None]:
    """Reads a release and compares it with the one before, where there is one.

    Args:
        folder: of the release's tables.
        config: names the release before.

    Returns:
        Its rows, the changes since the one before as rows of LABEL_CHANGES, and their counts.
    """
    new = read_release(folder)
    if config.previous is None:
        return new, LABEL_CHANGES.schema.empty_table(), None
    old = read_release(config.previous)
    changes = label_changes(old, new)
    return new, changes, change_counts(new, changes)


def release_facts(
    folder: Path,
    config: ReleaseConfig,
    files: Mapping[str, FileRecord],
    compared: tuple[ReleaseTables, pa.Table, dict[str, Any] | None],
) -> ReleaseFacts:
    """Gathers all that is said of a release.

    Args:
        folder: of the release's tables.
        config: the settings.
        files: the tables, by their paths in the release.
        compared: what `compare_with_previous` returns.
    """
    tables, changes, counts = compared
    has_credit = read_released(folder, CREDITS, ["status"])["status"]
    credited = int(pc.sum(pc.equal(has_credit, "ok"), min_count=0).as_py())
    days = _days(read_released(folder, LANDMARK_LABELS, ["fetched_at"])["fetched_at"])
    schema = release_schema()
    before = [] if config.previous is None else read_releases(config.previous / RELEASES_FILE)
    labelled = tables.landmarks.filter(pc.is_valid(tables.landmarks["hierarchical_label"]))
    release: Release = {
        "version": next_version(before[0], counts, schema) if counts else FIRST_VERSION,
        "date": config.date or (days[1] if days else None),
        "follows": before[0]["version"] if before else None,
        "schema": schema._asdict(),
        "counts": release_counts(tables, credited),
        "changes": counts,
        "files": {name: record.sha256 for name, record in sorted(files.items())},
    }
    return ReleaseFacts(
        config=config,
        releases=(release, *before),
        changes=changes,
        files=files,
        deciders=_tally(labelled["reviewer"]),
        decisions=_tally(labelled["decision"]),
        hierarchy=read_released(folder, HIERARCHY),
        days=days,
    )


def release_list(facts: ReleaseFacts) -> str:
    """Returns releases.json."""
    return json.dumps(facts.releases, indent=2) + "\n"


def _tally(column: pa.ChunkedArray) -> dict[str, int]:
    """Returns how often each value stands there, the most frequent first; "" for null."""
    found = {row["values"] or "": row["counts"] for row in pc.value_counts(column).to_pylist()}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _days(times: pa.ChunkedArray) -> tuple[str, str] | None:
    ends = pc.min_max(times).as_py()
    if ends["min"] is None:
        return None
    return ends["min"].date().isoformat(), ends["max"].date().isoformat()
