"""A later scrape, and what it says has changed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import requests

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, MissingInputError
from hgld.scrape.archive import newest_generation
from hgld.scrape.refresh import (
    REFRESH_REPORT,
    ClassCount,
    Seen,
    class_changes,
    count_classes,
    landmark_changes,
    report_changes,
)
from hgld.scrape.stage import run_scrape
from hgld.tables import CLASS_CHANGES, LANDMARK_CHANGES
from tests.worlds.wikimedia.edits import edited
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import Server


def test_a_refresh_says_by_landmark_and_by_class_what_changed(
    server: Server,
    categories: Path,
    workspace: Workspace,
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    assert workspace.manifest("refresh") is None
    with edited():
        run_scrape(workspace, fast_config(server, refresh=True), categories)
    rows = [
        (
            row["landmark_id"],
            row["change"],
            row["class_qid"],
            (row["rank_before"], row["rank_after"]),
            f"{row['status_before']} {row['status_after']}",
        )
        for row in workspace.read(LANDMARK_CHANGES).to_pylist()
    ]
    towers = [
        row
        for landmark in (1, 2, 13)
        for row in (
            (landmark, "changed", "Q101", ("normal", "preferred"), "ok ok"),
            (landmark, "gone", "Q102", ("normal", None), "ok ok"),
        )
    ]
    assert rows == [
        *towers[:4],
        (3, "changed", "Q103", ("normal", "normal"), "ok ok"),
        (5, "status", None, (None, None), "no_item no_p31"),
        (8, "new", "Q105", (None, "normal"), "no_p31 ok"),
        (9, "gone", "Q105", ("normal", None), "ok no_page"),
        (10, "changed", "Q103", ("preferred", "preferred"), "ok ok"),
        *towers[4:],
    ]
    classes = [list(row.values()) for row in workspace.read(CLASS_CHANGES).to_pylist()]
    assert classes == [
        ["Q102", "gone", "Turm", None, 3, 0],
        ["Q103", "changed", "castle", "castle | keep", 2, 2],
    ]
    text = workspace.path(REFRESH_REPORT).read_text(encoding="utf-8")
    assert "| gone | Q102 | Turm | 3 -\\> 0 |" in text
    assert "| changed | Q103 | castle -\\> castle \\| keep | 2 |" in text


def test_a_refresh_of_an_unchanged_world_changes_no_row_and_keeps_every_answer(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    first = run_scrape(workspace, fast_config(server), categories).manifest.outputs
    kept = {path: path.read_bytes() for path in workspace.path("raw").rglob("*.gz")}
    asked = len(server.hits)
    again = run_scrape(workspace, fast_config(server, refresh=True), categories).manifest.outputs
    assert again == first
    assert len(server.hits) == 2 * asked
    assert len(workspace.read(LANDMARK_CHANGES)) == len(workspace.read(CLASS_CHANGES)) == 0
    assert all(path.read_bytes() == data for path, data in kept.items())
    files = list(workspace.path("raw").rglob("*.gz"))
    assert len(files) == 2 * len(kept)
    # Done: the next run has nothing to do, and the next refresh is another one.
    assert run_scrape(workspace, fast_config(server), categories).skipped
    assert len(server.hits) == 2 * asked
    run_scrape(workspace, fast_config(server, refresh=True), categories)
    assert newest_generation(workspace) == 2
    assert len(server.hits) == 3 * asked


def test_a_replay_after_a_refresh_gives_the_refreshed_files_bit_for_bit(
    server: Server, categories: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    with edited():
        run_scrape(workspace, fast_config(server, refresh=True), categories)
    assert len(workspace.read(LANDMARK_CHANGES)) > 0
    paths = [path for path in workspace.path("scrape").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a replay opened a connection")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)
    run_scrape(workspace, fast_config(server, replay=True), categories)
    assert {path: path.read_bytes() for path in paths} == before


def test_landmarks_added_since_are_not_compared(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    lines = categories.read_text(encoding="utf-8").splitlines()
    few = categories.with_name("few.csv")
    few.write_text("\n".join(lines[:3]) + "\n", encoding="utf-8")
    run_scrape(workspace, fast_config(server), few)
    run_scrape(workspace, fast_config(server, refresh=True), categories)
    assert len(workspace.read(LANDMARK_CHANGES)) == len(workspace.read(CLASS_CHANGES)) == 0
    text = workspace.path(REFRESH_REPORT).read_text(encoding="utf-8")
    # Landmark 13 is on a page that was known; 15 names no page, and needs no answer for that.
    assert "4 landmarks compared" in text
    assert "11 were not known" in text


def test_a_refresh_that_fails_is_gone_on_with_and_compared_when_it_is_whole(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    run_scrape(workspace, fast_config(server), categories)
    server.refuses = lambda name, text: name == "sparql" and "wd:Q6 " in text
    report = run_scrape(workspace, fast_config(server, refresh=True), categories)
    assert server.fired
    assert report.manifest.failed == 1
    assert workspace.manifest("refresh") is None
    server.refuses = None
    asked = len(server.hits)
    run_scrape(workspace, fast_config(server, refresh=True), categories)
    assert newest_generation(workspace) == 1
    assert len(server.hits) - asked == 4  # the item and its class, and two batches of evidence
    assert len(workspace.read(LANDMARK_CHANGES)) == 0


def test_a_refresh_is_given_up_by_deleting_its_folder(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    scraped = run_scrape(workspace, fast_config(server), categories).manifest
    first = scraped.outputs
    server.always["commons"] = reply(403, b"no")
    with pytest.raises(FetchError, match="403"):
        run_scrape(workspace, fast_config(server, refresh=True), categories)
    assert workspace.manifest("scrape") == scraped  # it stands until the refresh is whole
    shutil.rmtree(workspace.path("raw/refresh-1"))
    asked = len(server.hits)
    assert run_scrape(workspace, fast_config(server), categories).manifest.outputs == first
    assert len(server.hits) == asked


def test_a_refresh_of_nothing_is_refused(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    refresh = fast_config(server, refresh=True)
    with pytest.raises(MissingInputError, match="hgld scrape"):
        run_scrape(workspace, refresh, categories)
    assert server.hits == []
    server.always["sparql"] = reply(500, b"oops")
    assert run_scrape(workspace, fast_config(server, attempts=1), categories).manifest.failed
    with pytest.raises(MissingInputError, match="hgld scrape"):
        run_scrape(workspace, refresh, categories)
    assert newest_generation(workspace) == 0


def _class_changes(was: Seen, now: Seen) -> list[dict[str, Any]]:
    sides: tuple[dict[str, ClassCount], dict[str, ClassCount]] = {}, {}
    for counts, seen in zip(sides, (was, now), strict=True):
        count_classes(counts, seen)
    return list(class_changes(*sides))


def test_a_class_comes_goes_or_is_called_otherwise_in_the_order_of_numbers() -> None:
    was = {"Q2": ("a", "normal"), "Q10": ("b", "normal"), "Q9": ("same", "normal")}
    now = {"Q10": ("c", "normal"), "Q100": ("d", "normal"), "Q9": ("same", "preferred")}
    changes = _class_changes(Seen(status="ok", classes=was), Seen(status="ok", classes=now))
    # A rank is the landmark's own, and no change of the class.
    assert [tuple(row.values()) for row in changes] == [
        ("Q2", "gone", "a", None, 1, 0),
        ("Q10", "changed", "b", "c", 1, 1),
        ("Q100", "new", None, "d", 0, 1),
    ]


def test_a_landmark_changes_by_class_or_in_its_status_or_item_alone() -> None:
    def kinds(was: Seen, now: Seen) -> list[tuple[str, str | None]]:
        changes = landmark_changes(("index", 7), was, now)
        return [(row["change"], row.get("class_qid")) for row in changes]

    here = Seen(status="ok", qid="Q1", classes={"Q2": ("a", "normal")})
    there = Seen(status="ok", qid="Q5", classes={"Q2": ("a", "normal")})
    assert kinds(here, here) == []
    assert kinds(here, there) == [("status", None)]
    assert kinds(Seen(status="no_item"), Seen(status="no_p31", qid="Q1")) == [("status", None)]
    best = Seen(status="ok", qid="Q1", classes={"Q10": ("b", "normal"), "Q2": ("a", "preferred")})
    assert kinds(here, best) == [("changed", "Q2"), ("new", "Q10")]
    assert kinds(best, Seen(status="no_p31", qid="Q1")) == [("gone", "Q2"), ("gone", "Q10")]


def test_a_label_cannot_break_the_report() -> None:
    was = Seen(status="ok", qid="Q1", classes={"Q2": ("a", "normal")})
    now = Seen(status="ok", qid="Q1", classes={"Q2": ("<b>|`\n\u202e[x](y)", "normal")})
    landmarks = list(landmark_changes(("train", 1), was, now))
    text = report_changes(landmarks, _class_changes(was, now), (1, 0), 1)
    assert r"a -\> \<b\>\|\`\\u000a\\u202e\[x\](y)" in text
    assert "\u202e" not in text


def test_a_long_report_says_where_the_rest_is() -> None:
    was = Seen(status="ok", classes={f"Q{n}": ("x", "normal") for n in range(1, 151)})
    now = Seen(status="no_p31")
    landmarks = list(landmark_changes(("train", 1), was, now))
    text = report_changes(landmarks, _class_changes(was, now), (1, 0), 1)
    assert text.count("| gone | Q") == 100
    assert "50 more are in `scrape/class_changes`." in text
    assert "50 more are in `scrape/landmark_changes`." in text
