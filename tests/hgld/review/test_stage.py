from dataclasses import replace
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError
from hgld.review.log.decisions import append_decisions, append_event, read_decisions
from hgld.review.stage import ReviewConfig, require_review, run_review, settle_again
from hgld.tables import TAXONOMY
from tests.hgld.review.log.acts import assigned, edited
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import (
    ALL,
    CHURCH,
    CLASSES,
    IGNORE,
    LAKE,
    PROPOSE,
    apply_sheet,
    decision_of,
    fill_in,
)


def taxonomy(workspace: Workspace) -> dict[str, dict[str, object]]:
    return {row["class_qid"]: row for row in workspace.read(TAXONOMY).to_pylist()}


def test_undecided_classes_wait_for_a_person_and_the_text_says_how_to_go_on(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE}), "ann")
    with pytest.raises(AwaitingReviewError, match="1 of 2 clusters, 76%") as caught:
        run_review(clustered, ReviewConfig())
    for option in ("--export", "--apply", "--accept-proposals", "--accept-above"):
        assert option in str(caught.value)
    assert clustered.manifest("review") is None


def test_a_decided_taxonomy_holds_each_decision(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    run_review(clustered, ReviewConfig())
    rows = taxonomy(clustered)
    assert rows["Q23397"] == {
        "class_qid": "Q23397",
        "class_label": "lake",
        "landmarks": 4,
        "decision": "assigned",
        "hierarchical_label": "ocean area ",
        "natural_or_human_made": "natural",
        "reviewer": "ann",
        "confidence": None,
        "accepted_above": None,
    }
    assert rows["Q9"]["decision"] == "ignored"
    assert rows["Q9"]["hierarchical_label"] is rows["Q9"]["natural_or_human_made"] is None


def test_a_proposal_to_ignore_counts_unseen_and_one_to_ask_leaves_the_class_undecided(
    clustered: Workspace,
) -> None:
    nothing = {"proposed_label": None, "proposed_natural_or_human_made": None}
    rows = [
        CLASSES[0],
        CLASSES[1] | nothing | {"proposed_action": "ignore"},
        CLASSES[2] | {"proposed_action": "ask"},
        CLASSES[3] | nothing | {"proposed_action": "ask"},
    ]
    write_proposals(clustered, rows)
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE}), "ann")
    run_review(clustered, ReviewConfig(accept_proposals=True))
    decided = {
        qid: (row["decision"], row["hierarchical_label"], row["reviewer"])
        for qid, row in taxonomy(clustered).items()
    }
    assert decided == {
        "Q16970": ("proposed", "church building", None),
        "Q9": ("proposed_ignore", None, None),
        "Q10": ("undecided", None, None),
        "Q23397": ("assigned", "ocean area ", "ann"),
    }


def test_a_proposal_takes_the_spelling_and_side_of_a_super_category_in_use(
    clustered: Workspace,
) -> None:
    decided = {"action": "assign", "hierarchical_label": "Lake"}
    decided["natural_or_human_made"] = "human-made"
    append_decisions(clustered, [decision_of("Q16970", decided, "ann")])
    run_review(clustered, ReviewConfig(accept_proposals=True))
    row = taxonomy(clustered)["Q23397"]
    assert row["decision"] == "proposed"
    assert (row["hierarchical_label"], row["natural_or_human_made"]) == ("Lake", "human-made")


def test_a_decision_on_a_class_that_went_away_is_kept_until_it_comes_back(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    run_review(clustered, ReviewConfig())
    before = run_review(clustered, ReviewConfig())
    assert before.skipped
    write_proposals(clustered, CLASSES[:3])
    assert not run_review(clustered, ReviewConfig()).skipped
    assert set(taxonomy(clustered)) == {"Q16970", "Q9", "Q10"}
    write_proposals(clustered, CLASSES)
    assert run_review(clustered, ReviewConfig()).manifest.outputs == before.manifest.outputs


def test_the_time_of_a_decision_and_how_it_came_about_change_no_digest(
    clustered: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    first = run_review(clustered, ReviewConfig()).manifest
    other = Workspace(tmp_path / "other")
    write_proposals(other, CLASSES)
    decisions = read_decisions(clustered).values()
    append_decisions(
        other, [replace(one, decided_at="1999-01-01T00:00:00+00:00") for one in decisions]
    )
    again = run_review(other, ReviewConfig(accept_proposals=True)).manifest
    assert again.fingerprint != first.fingerprint
    assert again.outputs == first.outputs


SURE = {"confidence": 0.95}
THRESHOLDS = [
    CLASSES[0] | SURE,
    CLASSES[1] | SURE | {"proposed_action": "ignore", "proposed_label": None},
    CLASSES[2] | {"confidence": 0.9499},
    CLASSES[3] | {"confidence": 0.99, "proposed_action": "ask"},
]


def unseen(workspace: Workspace) -> dict[str, tuple[object, ...]]:
    names = ("decision", "hierarchical_label", "confidence", "accepted_above", "reviewer")
    return {qid: tuple(row[name] for name in names) for qid, row in taxonomy(workspace).items()}


def test_a_threshold_accepts_what_is_as_sure_and_leaves_the_rest_undecided(
    clustered: Workspace,
) -> None:
    write_proposals(clustered, THRESHOLDS)
    run_review(clustered, ReviewConfig(accept_above=0.95))
    sure = pytest.approx(0.95)
    assert unseen(clustered) == {
        "Q16970": ("proposed", "church building", sure, 0.95, None),
        "Q9": ("proposed_ignore", None, sure, 0.95, None),
        "Q10": ("undecided", None, None, None, None),
        "Q23397": ("undecided", None, None, None, None),
    }
    run_review(clustered, ReviewConfig(accept_proposals=True))
    assert unseen(clustered)["Q10"] == (
        "proposed",
        "church building",
        pytest.approx(0.9499),
        0.0,
        None,
    )
    run_review(clustered, ReviewConfig(accept_above=1))
    assert {row[0] for row in unseen(clustered).values()} == {"undecided"}


@pytest.mark.parametrize("least", [-0.1, 1.1, 95.0, float("nan")])
def test_a_threshold_is_a_confidence(least: float) -> None:
    with pytest.raises(ValueError, match="accept_above"):
        ReviewConfig(accept_above=least)


def test_all_and_some_are_not_accepted_at_once() -> None:
    with pytest.raises(ValueError, match="accept_proposals"):
        ReviewConfig(accept_proposals=True, accept_above=0.9)


def test_an_accepted_proposal_is_called_as_a_person_renamed_it(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    change = assigned("Q16970", label="place of worship", side="natural", renamed_from="church")
    append_event(clustered, edited(change, event="rename"))
    labels = ("castle", "Church", "church", "lake")
    rows = [row | {"proposed_label": one} for row, one in zip(CLASSES, labels, strict=True)]
    write_proposals(clustered, rows)
    run_review(clustered, PROPOSE)
    named = {row["hierarchical_label"]: qid for qid, row in taxonomy(clustered).items()}
    assert named == {"place of worship": "Q10", "lake": "Q23397"}
    assert {row["natural_or_human_made"] for row in taxonomy(clustered).values()} == {"natural"}
    # Also where nothing is of that name any more.
    apply_sheet(clustered, fill_in(clustered, {"Q16970": IGNORE}), "ann")
    run_review(clustered, PROPOSE)
    assert taxonomy(clustered)["Q10"]["hierarchical_label"] == "place of worship"


def test_what_an_earlier_threshold_left_undecided_waits_unless_one_is_given_now(
    clustered: Workspace,
) -> None:
    write_proposals(clustered, THRESHOLDS)
    above = ReviewConfig(accept_above=0.95)
    settle_again(clustered, above)
    settle_again(clustered, above)
    before = unseen(clustered)
    for config in (None, ReviewConfig()):
        with pytest.raises(AwaitingReviewError, match="2 of 2 clusters"):
            settle_again(clustered, config)
    # Also after one more decision, and nothing is written meanwhile.
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "ann")
    with pytest.raises(AwaitingReviewError, match="2 of 2 clusters"):
        settle_again(clustered)
    assert unseen(clustered) == before
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE}), "ann")
    settle_again(clustered)
    assert {row[0] for row in unseen(clustered).values()} == {
        *("proposed", "proposed_ignore", "ignored", "assigned")
    }


def test_a_build_waits_again_where_a_class_is_new_or_its_decision_is_taken_back(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    run_review(clustered, ReviewConfig())
    write_proposals(clustered, [*CLASSES, {"class_qid": "Q77", "class_label": "weir"}])
    with pytest.raises(AwaitingReviewError, match="1 of 2 clusters, 6%"):
        require_review(clustered)
    write_proposals(clustered, CLASSES)
    require_review(clustered)
    apply_sheet(clustered, fill_in(clustered, {"Q23397": {"action": "clear"}}), "ann")
    with pytest.raises(AwaitingReviewError, match="1 of 2 clusters, 24%"):
        require_review(clustered)


def test_where_nothing_is_proposed_yet_or_proposals_are_accepted_nothing_is_refused(
    workspace: Workspace, clustered: Workspace
) -> None:
    require_review(clustered, PROPOSE)
    clustered.manifest_path("propose").unlink()
    require_review(workspace)
