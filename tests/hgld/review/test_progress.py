from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_event, read_log
from hgld.review.log.events import Change, Event
from hgld.review.status import LandmarkCounts, ReviewCounts, review_progress, share_of
from hgld.tables import PROPOSALS
from tests.worlds.builders import class_rows, write_scrape
from tests.worlds.review.sheets import CHURCH, IGNORE, LAKE, apply_sheet, fill_in


def progress(workspace: Workspace) -> ReviewCounts:
    rows = workspace.read(PROPOSALS).to_pylist()
    return review_progress(rows, read_log(workspace).standing(), LandmarkCounts(workspace, rows))


def test_a_cluster_is_done_when_all_its_classes_are_decided(clustered: Workspace) -> None:
    assert progress(clustered) == ReviewCounts(
        clusters=2,
        clusters_open=2,
        classes=4,
        classes_open=4,
        landmarks=17,
        landmarks_open=17,
    )
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH, "Q23397": LAKE}), "ann")
    now = progress(clustered)
    assert (now.clusters_open, now.classes_open, now.landmarks_open) == (1, 2, 4)
    assert now.words() == "1 of 2 clusters, 24% of landmarks"
    assert not now.is_done
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE, "Q10": IGNORE}), "ann")
    assert progress(clustered).is_done
    assert progress(clustered).words() == "0 of 2 clusters, 0% of landmarks"


def test_a_landmark_is_settled_when_all_its_classes_are_decided(clustered: Workspace) -> None:
    church, chapel = ("Q16970", "church building"), ("Q10", "chapel")
    rows = class_rows(
        {
            ("train", 1): [church, chapel],
            ("train", 2): [church],
            ("index", 1): [chapel, ("Q404", "of no proposal")],
            ("index", 2): [("Q404", "of no proposal")],
        }
    )
    write_scrape(clustered, rows)
    assert progress(clustered).landmarks == 3
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    assert progress(clustered).landmarks_open == 2
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "ann")
    assert progress(clustered).landmarks_open == 0


def test_a_working_group_counts_as_a_cluster(clustered: Workspace) -> None:
    change = Change(
        classes={"Q9": "=HYPERLINK(1)", "Q23397": "lake"}, effect="group", group="odd ones"
    )
    append_event(
        clustered,
        Event(
            event="split", decided_at="2026-11-26T09:00:00+00:00", reviewer="ann", changes=(change,)
        ),
    )
    assert progress(clustered).clusters == 2
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH, "Q10": CHURCH}), "ann")
    assert progress(clustered).clusters_open == 1


def test_a_share_is_nothing_only_of_nothing_and_all_only_of_all() -> None:
    assert [share_of(part, 1000) for part in (0, 1, 4, 5, 6, 40, 994, 996, 1000)] == [
        *("0%", "under 1%", "under 1%", "under 1%", "1%"),
        *("4%", "99%", "over 99%", "100%"),
    ]
