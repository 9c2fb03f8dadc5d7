from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.showing.changes import CHANGE_ROWS, MOST_CHANGES
from hgld.tables import LABEL_CHANGES


def test_what_changed_is_counted_and_listed(exhibit: Exhibit) -> None:
    changes = exhibit.changes()
    assert changes is not None
    assert [one.version for one in changes.releases] == ["2.0.0", "1.0.0"]
    assert ("1", "0") in [tuple(count)[1:] for count in changes.counts]
    (move,) = changes.moves
    assert (move.before, move.after, move.landmarks) == ("ocean area ", "lake", 1)
    (row,) = changes.rows
    assert (row.change, row.before, row.after, row.key) == (
        *("changed", "ocean area ", "lake", "index 1"),
    )
    assert row.at is not None
    assert "label" in row.why
    assert changes.note.startswith("# H-GLDv2 labels 2.0.0")


def test_a_first_release_has_no_changes(finished: Workspace) -> None:
    before = Exhibit(finished.root.parent / "build-before")
    changes = before.changes()
    assert changes is not None
    assert (changes.counts, changes.rows, changes.pages) == ((), (), 1)
    assert before.changes(2) is None


def test_a_folder_without_a_list_of_releases_is_shown(build: Workspace) -> None:
    for name in ("releases.json", "label_changes.parquet", "RELEASE_NOTE.md", "SHA256SUMS"):
        build.path(f"annotations/{name}").unlink()
    exhibit = Exhibit(build.root)
    changes = exhibit.changes()
    assert changes is not None
    assert (changes.releases, changes.rows, changes.note) == ((), (), "")
    assert exhibit.frame.version == ""
    assert {one.sha256 for one in exhibit.downloads().files} == {""}


def test_very_many_changes_are_listed_up_to_a_bound_and_counted(build: Workspace) -> None:
    path = build.path("annotations/label_changes.parquet")
    rows = [
        {"kind": "landmark", "change": "removed", "split": "train", "landmark_id": 100 + number}
        | {"why": "category"}
        for number in range(MOST_CHANGES + 7)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=LABEL_CHANGES.schema), path)
    exhibit = Exhibit(build.root)
    assert exhibit.pages_of_changes == MOST_CHANGES // CHANGE_ROWS
    last = exhibit.changes(exhibit.pages_of_changes)
    assert last is not None
    assert (len(last.rows), last.shown, last.total) == (CHANGE_ROWS, MOST_CHANGES, len(rows))
    assert last.rows[0].at is None
    assert last.rows[0].name == "train landmark 4900"


def test_a_damaged_table_of_changes_costs_the_changes_alone(build: Workspace) -> None:
    Path(build.path("annotations/label_changes.parquet")).write_bytes(b"no")
    changes = Exhibit(build.root).changes()
    assert changes is not None
    assert changes.rows == ()
    assert changes.counts
