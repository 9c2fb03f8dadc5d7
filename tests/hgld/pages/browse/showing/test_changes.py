import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.showing.changes import CHANGE_ROWS, MOST_CHANGES
from hgld.pages.browse.views import ChangesView
from hgld.tables import LABEL_CHANGES


def shown(exhibit: Exhibit, page: int = 1) -> ChangesView:
    changes = exhibit.changes(page)
    assert changes is not None
    return changes


def test_what_changed_is_counted_and_listed(exhibit: Exhibit, finished: Workspace) -> None:
    changes = shown(exhibit)
    assert [one.version for one in changes.releases] == ["2.0.0", "1.0.0"]
    assert ("1", "0") in [tuple(count)[1:] for count in changes.counts]
    (move,) = changes.moves
    assert (move.before, move.after, move.landmarks) == ("ocean area ", "lake", 1)
    (row,) = changes.rows
    assert (row.change, row.before, row.after, row.key) == (
        *("changed", "ocean area ", "lake", "index 1"),
    )
    assert row.at is not None
    assert changes.note.startswith("# H-GLDv2 labels 2.0.0")
    first = Exhibit(finished.root.parent / "build-before")
    assert (shown(first).counts, shown(first).rows, first.changes(2)) == ((), (), None)


def test_what_is_lost_or_damaged_of_the_changes_costs_the_changes_alone(build: Workspace) -> None:
    build.path("annotations/label_changes.parquet").write_bytes(b"no")
    changes = shown(Exhibit(build.root))
    assert changes.counts
    assert changes.rows == ()
    for name in ("releases.json", "label_changes.parquet", "RELEASE_NOTE.md", "SHA256SUMS"):
        build.path(f"annotations/{name}").unlink()
    exhibit = Exhibit(build.root)
    assert (shown(exhibit).releases, shown(exhibit).rows, shown(exhibit).note) == ((), (), "")
    assert {one.sha256 for one in exhibit.downloads().files} == {""}


def test_very_many_changes_are_listed_up_to_a_bound_and_counted(build: Workspace) -> None:
    rows = [
        {"kind": "landmark", "change": "removed", "split": "train", "landmark_id": 100 + number}
        for number in range(MOST_CHANGES + 7)
    ]
    table = pa.Table.from_pylist([row | {"why": "x"} for row in rows], schema=LABEL_CHANGES.schema)
    pq.write_table(table, build.path("annotations/label_changes.parquet"))
    exhibit = Exhibit(build.root)
    last = shown(exhibit, exhibit.pages_of_changes)
    assert (len(last.rows), last.shown, last.total) == (CHANGE_ROWS, MOST_CHANGES, len(rows))
    assert last.rows[0].name == "train landmark 4900"
