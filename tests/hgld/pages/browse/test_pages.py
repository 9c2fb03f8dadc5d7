import itertools
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.browse import pages as module
from hgld.pages.browse.changes import LabelChanges
from hgld.pages.browse.folder import BrowsedFolder
from hgld.pages.browse.pages import BrowsePages
from hgld.tables import LABEL_CHANGES
from tests.worlds.builders import table_of


def html(pages: BrowsePages, path: str) -> str:
    text = pages.text(path)
    assert text is not None
    return text


@pytest.mark.parametrize("own_pages", [None, 0])
def test_headings_of_every_page_are_in_order(finished: Workspace, own_pages: int | None) -> None:
    pages = BrowsePages(finished.root, own_pages=own_pages)
    for path in pages:
        if path.endswith(".html"):
            levels = [int(level) for level in re.findall("<h([1-6])", html(pages, path))]
            assert (levels[0], levels.count(1)) == (1, 1), path
            steps = itertools.pairwise(levels)
            assert all(after <= before + 1 for before, after in steps), path


def test_a_landmark_begins_with_its_label_and_why(pages: BrowsePages) -> None:
    text = html(pages, "landmarks/train/1.html")
    label = ("</h1>", "human-made</p>", "<b>parish church</b> was assigned", "Most of its classes")
    below = ("museum</a>", "Images</h2>", "Revision 11", "landmarks/train/2.html")
    places = [text.index(part) for part in (*label, *below)]
    assert places == sorted(places)


def test_a_landmark_without_a_label_says_why(pages: BrowsePages) -> None:
    for number, word in ((3, "ignored"), (4, "Wikidata item"), (5, "not asked")):
        text = html(pages, f"landmarks/train/{number}.html")
        assert re.search(f"None: .*{word}", text)
        assert "Similar landmarks" not in text


def test_a_landmark_says_where_it_is(pages: BrowsePages) -> None:
    text = html(pages, "landmarks/index/1.html")
    assert "Paris, Italy, Europe" in text
    assert "-3.0000, 9.0000" in text
    assert "Since 431 BCE" in text
    assert "Gothic" in text


def test_changes_are_counted_and_listed(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = html(BrowsePages(finished.root), "changes/index.html")
    for part in ("decision, reviewer, label", "landmarks/index/1.html", "1.0.0"):
        assert part in text
    before = BrowsePages(finished.root.parent / "build-proposed")
    assert "first release" in html(before, "changes/index.html")
    monkeypatch.setattr(module, "MOST_CHANGES", 0)
    text = html(BrowsePages(finished.root), "changes/index.html")
    assert text.count("ocean area ") == 1  # in the table of moves


def test_changes_of_labels_come_first(tmp_path: Path) -> None:
    whys = enumerate(("category", "class label", "evidence"))
    row = {"kind": "landmark", "change": "changed", "split": "train"}
    rows = [row | {"landmark_id": number, "why": why} for number, why in whys]
    pq.write_table(table_of(LABEL_CHANGES, rows), tmp_path / "label_changes.parquet")
    changes = LabelChanges(BrowsedFolder(folder=tmp_path, workspace=None))
    assert [one["landmark_id"] for one in changes.rows(range(3))] == [1, 0, 2]
    assert changes.of(("train", 2)) == changes.rows(range(2, 3))[0]


def test_lost_or_damaged_changes_cost_only_the_changes(build: Workspace) -> None:
    build.path("annotations/label_changes.parquet").write_bytes(b"no")
    text = html(BrowsePages(build.root), "changes/index.html")
    assert "In numbers" in text
    assert "Landmark by landmark" not in text
    for name in ("releases.json", "label_changes.parquet", "RELEASE_NOTE.md", "SHA256SUMS"):
        build.path(f"annotations/{name}").unlink()
    pages = BrowsePages(build.root)
    assert "no releases" in html(pages, "changes/index.html")
    assert html(pages, "downloads.html").count("not listed") == len(pages.files)
