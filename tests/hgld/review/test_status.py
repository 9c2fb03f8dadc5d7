import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.review.decided import run_decided
from hgld.review.stage import ReviewConfig, run_review
from hgld.review.status import KNOWN_CLASSES, review_status
from hgld.tables import CLASS_CHANGES
from tests.worlds.builders import table_of, write_proposals, write_stage
from tests.worlds.review.sheets import (
    ALL,
    CHURCH,
    CLASSES,
    IGNORE,
    PROPOSE,
    apply_sheet,
    fill_in,
    rows_of,
)

NEW = {"class_qid": "Q77", "class_label": "weir", "cluster_id": 1}


def test_a_build_of_which_nothing_is_decided_has_nothing_new(clustered: Workspace) -> None:
    status = review_status(clustered)
    assert (status.lines, status.edits, status.reviewers) == (0, 0, {})
    assert status.new == {}
    assert status.replayed == []
    assert status.progress.classes_open == 4
    assert not clustered.path("review").exists()  # looking writes nothing


def test_events_and_reviewers_are_counted_the_busiest_first(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "ann")
    for cells in ({"Q10": CHURCH}, {"Q9": IGNORE}):
        apply_sheet(clustered, fill_in(clustered, cells), "bob")
    status = review_status(clustered)
    assert (status.lines, status.edits) == (3, 3)
    assert list(status.reviewers.items()) == [("bob", 2), ("ann", 1)]
    assert [one.number for one in status.replayed] == [1, 2, 3]


def test_a_class_is_new_that_neither_the_log_nor_the_last_taxonomy_has(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    run_review(clustered, ReviewConfig())
    write_proposals(clustered, [*CLASSES, NEW])
    assert review_status(clustered).new == {"Q77": "weir"}
    rows = {row["class_qid"]: row["status"] for row in rows_of(fill_in(clustered, {}))}
    assert rows == dict.fromkeys(ALL, "decided") | {"Q77": "new"}
    apply_sheet(clustered, fill_in(clustered, {"Q77": IGNORE}), "ann")
    assert review_status(clustered).new == {}
    apply_sheet(clustered, fill_in(clustered, {"Q77": {"action": "clear"}}), "ann")
    assert review_status(clustered).new == {}  # open, and known
    assert review_status(clustered).progress.classes_open == 1


def test_a_class_that_the_last_review_took_unseen_is_not_new(clustered: Workspace) -> None:
    run_review(clustered, PROPOSE)
    assert review_status(clustered).new == {}


def test_in_a_review_that_was_never_ended_the_refresh_tells_what_is_new(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "ann")
    write_proposals(clustered, [*CLASSES, NEW])
    changes = [
        {"class_qid": "Q77", "change": "new", "landmarks_before": 0, "landmarks_after": 1},
        {"class_qid": "Q9", "change": "new", "landmarks_before": 0, "landmarks_after": 1},
        {"class_qid": "Q10", "change": "changed", "landmarks_before": 1, "landmarks_after": 2},
    ]
    write_stage(clustered, [(CLASS_CHANGES, table_of(CLASS_CHANGES, changes))])
    assert review_status(clustered).new == {"Q77": "weir"}


def test_without_proposals_it_says_what_to_run(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="hgld propose"):
        review_status(workspace)


def test_in_a_review_that_was_never_ended_what_is_clustered_later_is_new(
    clustered: Workspace,
) -> None:
    run_decided(clustered)  # as before the first proposals: nothing is decided, nothing is noted
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "ann")
    mill: dict[str, object] = {"class_qid": "Q38720", "class_label": "windmill"}
    for more in ([NEW], [NEW, mill]):
        run_decided(clustered)  # before new proposals are made
        write_proposals(clustered, [*CLASSES, *more])
        run_decided(clustered)
    assert review_status(clustered).new == {"Q77": "weir", "Q38720": "windmill"}
    rows = {row["class_qid"]: row["status"] for row in rows_of(fill_in(clustered, {}))}
    assert rows == dict.fromkeys(ALL, "open") | {"Q9": "decided", "Q77": "new", "Q38720": "new"}
    # New is what nobody has decided on, however often the review is opened.
    apply_sheet(clustered, fill_in(clustered, {"Q77": CHURCH}), "ann")
    run_decided(clustered)
    assert review_status(clustered).new == {"Q38720": "windmill"}
    # A note that is not as it was written marks nothing.
    note = clustered.path(KNOWN_CLASSES)
    note.write_text(note.read_text().replace("Q9\n", "Q8\n"))
    assert review_status(clustered).new == {}


def test_where_nothing_was_decided_when_it_was_clustered_again_nothing_is_new(
    clustered: Workspace,
) -> None:
    run_decided(clustered)
    write_proposals(clustered, [*CLASSES, NEW])
    run_decided(clustered)
    assert review_status(clustered).new == {}
    assert not clustered.path(KNOWN_CLASSES).exists()
