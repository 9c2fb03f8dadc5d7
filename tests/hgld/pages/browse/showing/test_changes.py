from hgld.engine.workspace import Workspace
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.views import ChangesView


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
