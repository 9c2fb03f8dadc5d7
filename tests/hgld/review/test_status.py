"""How far a review is, and its log on the classes of a later scrape."""

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_event, read_log
from hgld.review.stage import ReviewConfig, run_review
from hgld.review.status import Replayed, ReviewCounts, replay, review_status, share_of
from tests.hgld.review.log.acts import edited, said, take_back
from tests.worlds.builders import class_rows, write_proposals, write_scrape
from tests.worlds.review import sheets
from tests.worlds.review.sheets import ALL, CHURCH, CLASSES, CLEAR, IGNORE, LAKE, decide

WEIR = {"class_qid": "Q77", "class_label": "weir", "cluster_id": 1}


def progress(workspace: Workspace) -> ReviewCounts:
    return review_status(workspace).progress


def test_a_cluster_is_done_when_all_its_classes_are_decided(clustered: Workspace) -> None:
    assert progress(clustered) == ReviewCounts(
        clusters=2, clusters_open=2, classes=4, classes_open=4, landmarks=17, landmarks_open=17
    )
    decide(clustered, {"Q16970": CHURCH, "Q23397": LAKE})
    now = progress(clustered)
    assert (now.clusters_open, now.classes_open, now.landmarks_open) == (1, 2, 4)
    assert now.words() == "1 of 2 clusters, 24% of landmarks"
    decide(clustered, {"Q9": IGNORE, "Q10": IGNORE})
    assert progress(clustered).classes_open == 0


def test_a_landmark_is_settled_when_all_its_classes_are_decided(clustered: Workspace) -> None:
    church, chapel, other = ("Q16970", "church building"), ("Q10", "chapel"), ("Q404", "x")
    landmarks = {
        ("train", 1): [church, chapel],
        ("train", 2): [church],
        ("index", 1): [chapel, other],
        ("index", 2): [other],  # of no proposal
    }
    write_scrape(clustered, class_rows(landmarks))
    assert progress(clustered).landmarks == 3
    for qid, still_open in (("Q16970", 2), ("Q10", 0)):
        decide(clustered, {qid: IGNORE})
        assert progress(clustered).landmarks_open == still_open


def test_a_working_group_counts_as_a_cluster(clustered: Workspace) -> None:
    append_event(clustered, edited(said("Q9", "Q23397", effect="group", group="odd ones")))
    assert progress(clustered).clusters == 2
    decide(clustered, {"Q16970": CHURCH, "Q10": CHURCH})
    assert progress(clustered).clusters_open == 1


def test_a_share_is_nothing_only_of_nothing_and_all_only_of_all() -> None:
    shares = ["0%", "under 1%", "under 1%", "1%", "4%", "99%", "over 99%", "100%"]
    assert [share_of(part, 1000) for part in (0, 1, 5, 6, 40, 994, 996, 1000)] == shares


def test_a_build_of_which_nothing_is_decided_has_nothing_new(clustered: Workspace) -> None:
    status = review_status(clustered)
    assert (status.lines, status.edits, status.reviewers) == (0, 0, {})
    assert (status.new, status.replayed) == ({}, [])
    assert not clustered.path("review").exists()  # looking writes nothing


def test_a_class_is_new_that_neither_the_log_nor_the_last_taxonomy_has(
    clustered: Workspace,
) -> None:
    decide(clustered, ALL)
    run_review(clustered, ReviewConfig())
    write_proposals(clustered, [*CLASSES, WEIR])
    assert review_status(clustered).new == {"Q77": "weir"}
    rows = sheets.rows_of(sheets.fill_in(clustered, {}))
    states = {row["class_qid"]: row["status"] for row in rows}
    assert states == dict.fromkeys(ALL, "decided") | {"Q77": "new"}
    decide(clustered, {"Q77": IGNORE})
    assert review_status(clustered).new == {}
    decide(clustered, {"Q77": CLEAR})
    assert review_status(clustered).new == {}  # open, and known


NOW = {"Q10": "oratory", "Q23397": "lake"}
"""What a later scrape has: Q16970 and Q9 are gone, Q10 is called otherwise."""


def replayed(workspace: Workspace, labels: dict[str, str] | None = None) -> list[Replayed]:
    log = read_log(workspace)
    return replay(log.events, log.standing(), NOW if labels is None else labels)


def states(workspace: Workspace) -> list[tuple[int, str]]:
    return [(one.number, one.state) for one in replayed(workspace)]


def test_each_edit_is_applied_gone_or_about_a_changed_class(clustered: Workspace) -> None:
    for qid in ("Q9", "Q10", "Q23397"):
        decide(clustered, {qid: IGNORE})
    gone, changed, applied = replayed(clustered)
    assert states(clustered) == [(1, "gone"), (2, "changed"), (3, "applied")]
    assert (gone.gone, gone.changed, gone.applied) == ({"Q9": "=HYPERLINK(1)"}, {}, 0)
    assert (changed.gone, changed.changed) == ({}, {"Q10": ("chapel", "oratory")})
    assert (applied.applied, applied.event, applied.reviewer) == (1, "sheet", "ann")


def test_an_edit_that_is_partly_gone_is_about_changed_classes(clustered: Workspace) -> None:
    decide(clustered, ALL)
    (one,) = replayed(clustered)
    assert (one.state, one.applied, set(one.gone)) == ("changed", 1, {"Q16970", "Q9"})
    assert set(one.changed) == {"Q10"}
    (one,) = replayed(clustered, read_log(clustered).events[0].classes)
    assert (one.state, one.applied) == ("applied", 4)


def test_what_was_taken_back_or_only_remarked_on_is_nothing_to_look_at(
    clustered: Workspace,
) -> None:
    append_event(clustered, edited(said("Q9", effect="comment", note="look")))
    decide(clustered, {"Q10": IGNORE})
    decide(clustered, {"Q10": CLEAR})
    assert states(clustered) == [(1, "applied"), (2, "applied"), (3, "applied")]
    take_back(clustered, "ann")
    assert states(clustered) == [(1, "applied"), (2, "changed")]
