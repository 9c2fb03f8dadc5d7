"""A later scrape, and what it says has changed."""

import shutil
from pathlib import Path

import pytest
import requests

from hgld.errors import FetchError, MissingInputError
from hgld.scrape.archive import newest_generation
from hgld.scrape.refresh import REFRESH_REPORT, report_changes
from hgld.tables import CLASS_CHANGES, LANDMARK_CHANGES, PLACE_CHANGES
from tests.worlds.builders import table_of
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.scraping import STATUSES, Small
from tests.worlds.wikimedia.small import Server, edited


def test_a_refresh_says_what_changed(small: Small) -> None:
    small.scrape()
    assert small.workspace.manifest("refresh") is None
    assert not len(small.workspace.read(PLACE_CHANGES))
    with edited():
        small.scrape(refresh=True)
    columns = ("landmark_id", "change", "class_qid", "rank_before", "rank_after", "status_after")
    rows = small.workspace.read(LANDMARK_CHANGES).to_pylist()
    assert [tuple(row[name] for name in columns) for row in rows] == [
        (1, "changed", "Q101", "normal", "preferred", "ok"),
        (1, "gone", "Q102", "normal", None, "ok"),
        (2, "changed", "Q101", "normal", "preferred", "ok"),
        (2, "gone", "Q102", "normal", None, "ok"),
        (3, "changed", "Q103", "normal", "normal", "ok"),
        (5, "status", None, None, None, "no_p31"),
        (6, "status", None, None, None, "ok"),
        (8, "new", "Q99", None, "normal", "ok"),
        (8, "new", "Q105", None, "normal", "ok"),
        (9, "gone", "Q105", "normal", None, "no_page"),
        (10, "changed", "Q103", "preferred", "preferred", "ok"),
        (13, "changed", "Q101", "normal", "preferred", "ok"),
        (13, "gone", "Q102", "normal", None, "ok"),
    ]
    befores = {row["landmark_id"]: row["status_before"] for row in rows}
    assert befores.items() <= STATUSES.items()
    assert {row["qid_after"] for row in rows if row["landmark_id"] == 6} == {"Q31"}
    classes = small.workspace.read(CLASS_CHANGES).to_pylist()
    # A rank is the landmark's own, and no change of the class.
    assert [tuple(row.values()) for row in classes] == [
        ("Q99", "new", None, "Q99", 0, 1),
        ("Q102", "gone", "Turm", None, 3, 0),
        ("Q103", "changed", "castle", "castle | keep", 2, 2),
    ]
    rows = small.workspace.read(PLACE_CHANGES).to_pylist()
    # Of places, too; of 6 the item is another one, of which nothing was known.
    assert {row["landmark_id"] for row in rows} == {1, 2, 13}
    told = {row["column"]: (row["before"], row["after"]) for row in rows if row["landmark_id"] == 1}
    assert told["latitude"] == ("45.7042", None)
    assert told["country"] == ("Italy", None)
    assert told["place_names"] == ("Bergamo, Lombardia", None)
    assert told["inception_year"] == ("1357", None)
    assert told.keys().isdisjoint({"qid", "part_of", "country_code"})


def _count_changes(small: Small) -> tuple[int, ...]:
    tables = (LANDMARK_CHANGES, CLASS_CHANGES, PLACE_CHANGES)
    return tuple(len(small.workspace.read(one)) for one in tables)


def test_an_unchanged_world_changes_no_row(small: Small, server: Server) -> None:
    small.scrape()
    kept = {path: path.read_bytes() for path in small.workspace.path("raw").rglob("*.gz")}
    asked = len(server.hits)
    assert small.scrape(refresh=True).manifest.outputs == small.clean
    assert len(server.hits) == 2 * asked
    assert _count_changes(small) == (0, 0, 0)
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert len(list(small.workspace.path("raw").rglob("*.gz"))) == 2 * len(kept)
    small.scrape(refresh=True)  # another one
    assert newest_generation(small.workspace) == 2
    assert len(server.hits) == 3 * asked


@pytest.mark.parametrize("is_refreshed", [False, True])
def test_a_replay_gives_the_same_files_bit_for_bit(
    small: Small, monkeypatch: pytest.MonkeyPatch, is_refreshed: bool
) -> None:
    small.scrape()
    if is_refreshed:
        with edited():
            small.scrape(refresh=True)
        assert min(_count_changes(small)) > 0
    paths = [path for path in small.workspace.path("scrape").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()
    monkeypatch.delattr(requests.adapters.HTTPAdapter, "send")
    assert not small.scrape(replay=True).skipped
    assert {path: path.read_bytes() for path in paths} == before


def test_added_landmarks_are_not_compared(small: Small, categories: Path) -> None:
    lines = categories.read_text(encoding="utf-8").splitlines(keepends=True)
    few = categories.with_name("few.csv")
    few.write_text("".join(lines[:3]), encoding="utf-8")
    small.scrape(few)
    small.scrape(refresh=True)
    assert _count_changes(small) == (0, 0, 0)
    text = small.workspace.path(REFRESH_REPORT).read_text(encoding="utf-8")
    # Landmark 13 is on a page that was known; 15 names no page, and needs no answer for that.
    assert "4 landmarks compared" in text
    assert "11 were not known" in text


def test_a_refresh_that_fails_goes_on_or_is_given_up(small: Small, server: Server) -> None:
    first = small.scrape().manifest
    server.always["commons"] = reply(403, b"no")
    with pytest.raises(FetchError, match="403"):
        small.scrape(refresh=True)
    assert small.workspace.manifest("scrape") == first  # it stands until the refresh is whole
    del server.always["commons"]
    shutil.rmtree(small.workspace.path("raw/refresh-1"))
    asked = len(server.hits)
    assert small.scrape().manifest.outputs == first.outputs
    assert len(server.hits) == asked
    server.refuses = lambda name, text: name == "sparql" and "wd:Q6 " in text
    assert small.scrape(refresh=True).manifest.failed == 1
    assert small.workspace.manifest("refresh") is None
    server.refuses = None
    asked = len(server.hits)
    small.scrape(refresh=True)
    assert newest_generation(small.workspace) == 1
    again = [form["query"] for _, form in server.hits[asked:]]
    # The item and its class, and two batches of evidence, beside the places.
    assert len([query for query in again if "p:P131 " not in query]) == 4
    assert _count_changes(small) == (0, 0, 0)


def test_a_refresh_of_nothing_is_refused(small: Small, server: Server) -> None:
    with pytest.raises(MissingInputError, match="hgld scrape"):
        small.scrape(refresh=True)
    assert server.hits == []
    server.always["sparql"] = reply(500, b"oops")
    assert small.scrape(attempts=1).manifest.failed
    with pytest.raises(MissingInputError, match="hgld scrape"):
        small.scrape(refresh=True)
    assert newest_generation(small.workspace) == 0


def test_a_report_is_cut_where_it_is_long_and_no_label_breaks_it() -> None:
    labels = {"change": "changed", "label_before": "x", "label_after": "<b>|`\n\u202e[x](y)"}
    landmarks = [{"split": "index", "landmark_id": n, **labels} for n in range(150)]
    counts = {"landmarks_before": 1, "landmarks_after": 1}
    classes = [{"class_qid": f"Q{n}", **labels, **counts} for n in range(150)]
    tables = table_of(LANDMARK_CHANGES, landmarks), table_of(CLASS_CHANGES, classes)
    text = report_changes(*tables, (150, 0), 1)
    assert text.count(r"x -\> \<b\>\|\`\\u000a\\u202e\[x\](y)") == 200
    assert "50 more are in `scrape/class_changes`." in text
