"""The benchmark of the keys that a review costs, on a small build."""

from pathlib import Path

import pytest

from hgld.benchmarks.reviewing.keys import KnownBuild, count_keys
from hgld.benchmarks.reviewing.typist import Typist
from hgld.review.log.decisions import read_decisions
from hgld.tables import PROPOSALS
from tests.servers.pages.conftest import Seats, Servers
from tests.worlds.review.lists import CASCADES, write_small_review

# Two of the first cluster are known to be of one other name, one of the second to be ignored.
KNOWN = {"Q1131316": "lake", "Q15324": "lake", "Q200004": None, "Q34038": "waterfall"}


def test_known_answers_are_given_and_other_proposals_accepted(tmp_path: Path) -> None:
    workspace = write_small_review(tmp_path / "build")
    proposed = {
        row["class_qid"]: row["proposed_label"] for row in workspace.read(PROPOSALS).to_pylist()
    }
    found = count_keys(KnownBuild(workspace.root, KNOWN))
    decided = {
        qid: one.hierarchical_label and one.hierarchical_label.strip()
        for qid, one in read_decisions(workspace).items()
    }
    assert decided.keys() == proposed.keys()
    assert {qid: decided[qid] for qid in KNOWN} == KNOWN
    assert (found["classes"], found["decided"], found["clusters"]) == (16, 16, 4)
    assert (found["known"], found["known_right_at_the_end"]) == (4, 4)
    wrong = [qid for qid, one in KNOWN.items() if (proposed[qid] or "").strip() != (one or "")]
    assert found["known_proposed_wrong"] == len(wrong) >= 2
    ignored = sum(one is None for one in decided.values())
    assert found["sheet_cells"] == 2 * (16 - ignored) + ignored
    assert found["keys"] == sum(found["pressed"].values()) >= 4 + len(wrong)
    # Each landmark has one class, but for the first, which has the second class too.
    assert found["landmarks"] == sum(landmarks for _, _, landmarks, _ in CASCADES) - 1


def test_a_name_that_the_page_does_not_find_ends_the_review(
    tmp_path: Path, serve: Servers, seat: Seats
) -> None:
    desk = seat(serve(write_small_review(tmp_path / "build").root).url)
    qid = desk.members()[0].qid
    with pytest.raises(RuntimeError, match="zzyzx"):
        Typist(desk, {qid: "zzyzx"}).review()
