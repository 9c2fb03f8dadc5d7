import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError
from hgld.review.log.decisions import append_event, read_log
from hgld.review.stage import ReviewConfig, run_decided, run_review, settle_again
from hgld.review.status import Replayed, ReviewCounts, replay, review_status
from hgld.tables import DECIDED, FILL_DECISIONS, TAXONOMY
from tests.hgld.review.log.acts import CATEGORIES, assigned, edited, guessed, said, take_back
from tests.worlds.builders import class_rows, write_proposals, write_scrape
from tests.worlds.review import sheets
from tests.worlds.review.sheets import ALL, CHURCH, CLASSES, CLEAR, IGNORE, LAKE, PROPOSE, decide


def taxonomy(workspace: Workspace) -> dict[str, dict[str, object]]:
    return {row["class_qid"]: row for row in workspace.read(TAXONOMY).to_pylist()}


def unseen(workspace: Workspace) -> dict[str, tuple[object, ...]]:
    names = ("decision", "hierarchical_label", "confidence", "accepted_above", "reviewer")
    return {qid: tuple(row[name] for name in names) for qid, row in taxonomy(workspace).items()}


def test_undecided_classes_wait_for_a_person_who_is_told_what_to_do(clustered: Workspace) -> None:
    decide(clustered, {"Q23397": LAKE})
    with pytest.raises(AwaitingReviewError, match=r"1 of 2 clusters, 76%.*--accept-proposals"):
        run_review(clustered, ReviewConfig())
    assert clustered.manifest("review") is None


def test_a_decided_taxonomy_holds_each_decision(clustered: Workspace) -> None:
    decide(clustered, ALL)
    run_review(clustered, ReviewConfig())
    rows = taxonomy(clustered)
    row = {"class_qid": "Q23397", "class_label": "lake", "landmarks": 4}
    decided = {"decision": "assigned", "reviewer": "ann"}
    unset = dict.fromkeys(("confidence", "accepted_above"))
    assert rows["Q23397"] == row | decided | LAKE | unset
    assert rows["Q9"]["decision"] == "ignored"
    assert rows["Q9"]["hierarchical_label"] is rows["Q9"]["natural_or_human_made"] is None


def test_an_accepted_proposal_is_called_as_its_super_category_is_now(clustered: Workspace) -> None:
    decide(clustered, {"Q16970": CHURCH})
    renamed = assigned("Q16970", label="place of worship", side="natural", renamed_from="church")
    lake = assigned("Q9", label="Lake", side="human-made")
    append_event(clustered, edited(renamed, event="rename"), edited(lake))
    new = [{"class_qid": "Q77", "class_label": "x", "proposed_label": "Castle"}]
    new.append({"class_qid": "Q78", "class_label": "y", "proposed_label": "castle"})
    chapel = CLASSES[2] | {"proposed_label": "Church"}
    write_proposals(clustered, [*CLASSES[:2], chapel, CLASSES[3], *new])
    run_review(clustered, PROPOSE)
    names = {
        qid: (row["hierarchical_label"], row["natural_or_human_made"])
        for qid, row in taxonomy(clustered).items()
    }
    assert names["Q10"] == ("place of worship", "natural")
    assert names["Q23397"] == ("Lake", "human-made")
    assert names["Q77"] == names["Q78"] == ("Castle", "human-made")  # of two new ones the first
    # Also where nothing is of that name any more.
    decide(clustered, {"Q16970": IGNORE})
    run_review(clustered, PROPOSE)
    assert taxonomy(clustered)["Q10"]["hierarchical_label"] == "place of worship"


def test_a_decision_on_a_class_that_is_gone_is_kept_until_it_is_back(clustered: Workspace) -> None:
    decide(clustered, ALL)
    run_review(clustered, ReviewConfig())
    before = run_review(clustered, ReviewConfig())
    assert before.skipped
    write_proposals(clustered, CLASSES[:3])
    assert not run_review(clustered, ReviewConfig()).skipped
    assert set(taxonomy(clustered)) == {"Q16970", "Q9", "Q10"}
    write_proposals(clustered, CLASSES)
    assert run_review(clustered, ReviewConfig()).manifest.outputs == before.manifest.outputs


def test_sure_proposals_count_unseen_and_one_to_ask_never_does(clustered: Workspace) -> None:
    to_ignore = {"proposed_action": "ignore", "proposed_label": None}
    rows = [
        CLASSES[0] | {"confidence": 0.95},
        CLASSES[1] | {"confidence": 0.95} | to_ignore,
        CLASSES[2] | {"confidence": 0.9499},
        CLASSES[3] | {"confidence": 0.99, "proposed_action": "ask"},
    ]
    write_proposals(clustered, rows)
    run_review(clustered, ReviewConfig(accept_above=0.95))
    sure, less = pytest.approx(0.95), pytest.approx(0.9499)
    undecided = ("undecided", None, None, None, None)
    assert unseen(clustered) == {
        "Q16970": ("proposed", "church building", sure, 0.95, None),
        "Q9": ("proposed_ignore", None, sure, 0.95, None),
        "Q10": undecided,
        "Q23397": undecided,
    }
    run_review(clustered, PROPOSE)
    assert unseen(clustered)["Q10"] == ("proposed", "church building", less, 0.0, None)
    decide(clustered, {"Q23397": LAKE})
    run_review(clustered, ReviewConfig(accept_above=1))
    decided = ("assigned", "ocean area ", None, None, "ann")
    assert [*unseen(clustered).values()] == [*[undecided] * 3, decided]


def test_settings_that_are_not_clear_are_refused() -> None:
    for least in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="accept_above"):
            ReviewConfig(accept_above=least)
    with pytest.raises(ValueError, match="accept_proposals"):
        ReviewConfig(accept_proposals=True, accept_above=0.9)


def test_later_stages_settle_decisions_and_wait_for_open_classes(workspace: Workspace) -> None:
    settle_again(workspace, ReviewConfig())  # nothing is proposed yet
    write_proposals(workspace, CLASSES)
    decide(workspace, ALL)
    settle_again(workspace, ReviewConfig())
    decide(workspace, {"Q10": IGNORE})
    settle_again(workspace, ReviewConfig())
    assert taxonomy(workspace)["Q10"]["decision"] == "ignored"
    write_proposals(workspace, [*CLASSES, {"class_qid": "Q77", "class_label": "weir"}])
    with pytest.raises(AwaitingReviewError, match="1 of 2 clusters, 6%"):
        settle_again(workspace, ReviewConfig())
    assert "Q77" not in taxonomy(workspace)
    settle_again(workspace, PROPOSE)
    assert taxonomy(workspace)["Q77"]["decision"] == "proposed"
    # What was accepted once waits for a person where it is not accepted any more.
    with pytest.raises(AwaitingReviewError, match="1 of 2 clusters, 6%"):
        settle_again(workspace, ReviewConfig())


ONE, TWO, THREE, *_ = CATEGORIES


def test_the_table_has_what_stands_and_the_classes_are_as_they_were(reviewed: Workspace) -> None:
    before = run_decided(reviewed).manifest.outputs
    assert reviewed.read(FILL_DECISIONS).to_pylist() == []
    no_lake = guessed(ONE, label="lake", is_refused=True)
    append_event(reviewed, edited(guessed(TWO, ONE), no_lake, event="fill"))
    append_event(reviewed, edited(guessed(TWO, is_refused=True), who="bob", event="refuse"))
    report = run_decided(reviewed)
    assert not report.skipped
    rows = [tuple(row.values()) for row in reviewed.read(FILL_DECISIONS).to_pylist()]
    assert rows == [
        (ONE, "accept", "church", "human-made", "ann"),
        (ONE, "refuse", "lake", "natural", "ann"),
        (TWO, "refuse", "church", "human-made", "bob"),
    ]
    assert report.manifest.outputs[DECIDED.path] == before[DECIDED.path]
    assert report.manifest.outputs[FILL_DECISIONS.path] != before[FILL_DECISIONS.path]
    assert run_decided(reviewed).skipped
    # The same said in another order, and something undone between, is the same table.
    append_event(reviewed, edited(guessed(THREE), event="fill"))
    take_back(reviewed, "ann")
    again = run_decided(reviewed)
    assert not again.skipped
    assert again.manifest.outputs == report.manifest.outputs


def test_the_last_decision_is_in_force_also_on_a_class_that_is_gone(clustered: Workspace) -> None:
    decide(clustered, {"Q23397": LAKE, "Q9": CHURCH})
    run_decided(clustered)
    decide(clustered, {"Q9": IGNORE}, "bob")
    write_proposals(clustered, CLASSES[:3])
    assert not run_decided(clustered).skipped
    link, lake = clustered.read(DECIDED).to_pylist()
    assert list(link.values()) == ["Q9", "=HYPERLINK(1)", "ignore", None, None]
    assert lake == {"class_qid": "Q23397", "class_label": "lake", "action": "assign", **LAKE}


WEIR = {"class_qid": "Q77", "class_label": "weir", "cluster_id": 1}


def progress(workspace: Workspace) -> ReviewCounts:
    return review_status(workspace).progress


def test_a_cluster_is_done_when_all_its_classes_are_decided_a_working_group_too(
    clustered: Workspace,
) -> None:
    assert progress(clustered) == ReviewCounts(
        clusters=2, clusters_open=2, classes=4, classes_open=4, landmarks=17, landmarks_open=17
    )
    decide(clustered, {"Q16970": CHURCH, "Q23397": LAKE})
    now = progress(clustered)
    assert (now.clusters_open, now.classes_open, now.landmarks_open) == (1, 2, 4)
    assert now.words() == "1 of 2 clusters, 24% of landmarks"
    append_event(clustered, edited(said("Q9", effect="group", group="odd ones")))
    assert (progress(clustered).clusters, progress(clustered).clusters_open) == (3, 2)
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


def test_a_class_is_new_that_neither_log_nor_last_taxonomy_has(clustered: Workspace) -> None:
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


def replayed(workspace: Workspace) -> list[Replayed]:
    log = read_log(workspace)
    return replay(log.events, log.standing(), NOW)


def states(workspace: Workspace) -> list[tuple[int, str]]:
    return [(one.number, one.state) for one in replayed(workspace)]


def test_each_edit_is_applied_gone_or_about_a_changed_class_all_or_in_part(
    clustered: Workspace,
) -> None:
    for qid in ("Q9", "Q10", "Q23397"):
        decide(clustered, {qid: IGNORE})
    gone, changed, applied = replayed(clustered)
    assert states(clustered) == [(1, "gone"), (2, "changed"), (3, "applied")]
    assert (gone.gone, gone.changed, gone.applied) == ({"Q9": "=HYPERLINK(1)"}, {}, 0)
    assert (changed.gone, changed.changed) == ({}, {"Q10": ("chapel", "oratory")})
    assert (applied.applied, applied.event, applied.reviewer) == (1, "sheet", "ann")
    decide(clustered, dict.fromkeys(ALL, CHURCH))
    *_, partly = replayed(clustered)
    assert (partly.state, partly.applied, set(partly.gone)) == ("changed", 1, {"Q16970", "Q9"})
    assert set(partly.changed) == {"Q10"}


def test_what_was_undone_or_only_remarked_on_is_nothing_to_look_at(clustered: Workspace) -> None:
    append_event(clustered, edited(said("Q9", effect="comment", note="look")))
    decide(clustered, {"Q10": IGNORE})
    decide(clustered, {"Q10": CLEAR})
    assert states(clustered) == [(1, "applied"), (2, "applied"), (3, "applied")]
    take_back(clustered, "ann")
    assert states(clustered) == [(1, "applied"), (2, "changed")]
