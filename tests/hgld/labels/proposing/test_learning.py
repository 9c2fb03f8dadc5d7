from importlib import resources
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.labels.proposing.calibration import Calibration, shipped_calibration
from hgld.labels.proposing.knowledge import Knowledge, ProposalInputs, Ruling
from hgld.labels.proposing.learning import OpenProposals, pool
from hgld.labels.proposing.opinions import DOUBT, IGNORE
from hgld.labels.proposing.proposals import METHODS
from hgld.labels.taxonomy.rows import read_csv_rows
from hgld.labels.taxonomy.wording import EvidenceKind
from hgld.tables import CLUSTERS
from tests.hgld.labels.proposing.small_world import CLASSES, WIDTH, small_inputs, words
from tests.worlds.builders import table_of

INPUTS = small_inputs(CLASSES)
QIDS = [each[0] for each in CLASSES]
OUTSIDE = "Q100"  # a class that no landmark has, above three that some have
LABELS = ["church", "lake", "castle", "fort", IGNORE]

Step = tuple[str, Ruling | None]
rulings = st.builds(Ruling, st.sampled_from(LABELS), st.none())
steps_of_a_review = st.lists(
    st.tuples(st.sampled_from([*QIDS, OUTSIDE]), st.none() | rulings), max_size=14
)


def test_names_and_words_speak_before_anything_is_decided() -> None:
    proposals = OpenProposals(INPUTS)
    church, heritage, holy = map(proposals.proposal, ("Q1", "Q7", "Q8"))
    assert (church.proposed_label, church.proposed_action) == ("church", "accept")
    assert church.proposed_natural_or_human_made == "human-made"
    assert "the head noun 'church' is church" in church.evidence
    assert (heritage.proposed_label, heritage.proposed_action) == (None, "ignore")
    # The side of the best super-category, for a reviewer who would keep the class.
    assert (heritage.runner_up, heritage.proposed_natural_or_human_made) == ("church", "human-made")
    # What the taxonomy would have looked at is asked, with the best label.
    assert (holy.proposed_action, holy.proposed_label, holy.tier) == ("ask", "church", "doubtful")


def test_a_decision_teaches_namesakes_and_neighbours_and_those_below() -> None:
    proposals = OpenProposals(INPUTS)
    before = proposals.proposal("Q11")
    assert before.proposed_label != "castle"
    changed = proposals.decide({"Q9": Ruling("castle", "human-made")})
    assert {"Q9", "Q10", "Q11"} <= set(changed)
    below, beside = proposals.proposal("Q11"), proposals.proposal("Q10")
    assert (below.proposed_label, below.proposed_natural_or_human_made) == ("castle", "human-made")
    assert "a kind of 'star fort' (Q9), which was decided so" in below.evidence
    assert beside.proposed_label == "castle"
    assert "'star fort'" in beside.evidence
    proposals.decide({"Q3": Ruling("lake")})  # as nobody would: it counts for its namesake
    assert proposals.proposal("Q12").proposed_label == "lake"
    assert "the same text was decided so" in proposals.proposal("Q12").evidence
    decided = proposals.proposal("Q3")
    assert (decided.proposed_action, decided.tier, decided.confidence) == ("accept", "decided", 1.0)


def test_others_than_given_proposals_are_those_that_decisions_made_others() -> None:
    given = OpenProposals(INPUTS).proposals()
    proposals = OpenProposals(INPUTS)
    changed = proposals.decide({"Q9": Ruling("castle", "human-made"), "Q1": Ruling(IGNORE)})
    others = proposals.others_than(given)
    assert {"Q1", "Q9"} <= {each.class_qid for each in others} <= set(changed)
    left = {each.class_qid: each for each in given} | {each.class_qid: each for each in others}
    assert [each._replace(evidence="") for each in left.values()] == [
        each._replace(evidence="") for each in proposals.proposals()
    ]


@settings(max_examples=25, deadline=None)
@given(steps=steps_of_a_review, random=st.randoms(use_true_random=False))
def test_only_decisions_in_force_count(steps: list[Step], random: Random) -> None:
    stepwise = OpenProposals(INPUTS)
    for qid, decision in steps:
        stepwise.decide({qid: decision})
    in_force = {qid: decision for qid, decision in dict(steps).items() if decision is not None}
    shuffled = list(in_force.items())
    random.shuffle(shuffled)
    batch = OpenProposals(INPUTS)
    batch.decide(dict(shuffled))
    assert stepwise.proposals() == batch.proposals()
    np.testing.assert_array_equal(stepwise.log_odds(), batch.log_odds())


def test_of_74_official_labels_70_are_proposed_and_of_9_left_out_6_ignored_or_asked_about(
    shared: Path, shipped_lore: Knowledge
) -> None:
    official = read_csv_rows(shared / "labels/supercategory_to_label.csv")
    classes = [
        {"class_qid": f"row {place}", "class_label": row["supercategory"], "landmarks": 1}
        for place, row in enumerate(official)
    ]
    inputs = ProposalInputs(
        classes=table_of(CLUSTERS, classes),
        vectors=np.zeros((len(official), WIDTH), dtype=np.float32),
        words=words(),
        knowledge=shipped_lore,
    )
    pairs = list(zip(official, OpenProposals(inputs, ["wording"]).proposals(), strict=True))
    labelled = [pair for pair in pairs if pair[0]["hierarchical_label"]]
    assert (len(labelled), len(pairs)) == (74, 83)
    assert sum(row["hierarchical_label"] == said.proposed_label for row, said in labelled) >= 70
    side = "natural_or_human_made"
    assert sum(row[side] == said.proposed_natural_or_human_made for row, said in labelled) >= 72
    blank = [said.proposed_action for row, said in pairs if not row["hierarchical_label"]]
    assert sum(action != "accept" for action in blank) >= 6


def test_the_shipped_calibration_can_be_used_and_tells_where_each_figure_is_from() -> None:
    known = shipped_calibration()
    for numbers in zip(*known.confidence, strict=True):
        assert list(numbers) == sorted(numbers)
    assert {method for method, _ in known.accuracy} <= set(METHODS)
    assert all(0 < accuracy < 1 for accuracy in known.accuracy.values())
    assert all(0 <= weight <= 1 for weight in known.weights.values())
    file = resources.files("hgld.labels.proposing") / "calibration.csv"
    assert all(line.rpartition(",")[2] for line in file.read_text(encoding="utf-8").splitlines())
    for tier in get_args(EvidenceKind):  # each kind that words can give
        assert 0 < known.of("wording", tier) < 1
        assert 0 < known.of("wording", f"{DOUBT} {tier}") < 1


def test_a_pool_adds_and_tells_the_two_best() -> None:
    tiers = Calibration(confidence=((0.0, 0.5), (2.0, 0.9)))
    # scores: 4 x 0.25, 2 x 0.25, 1 x 0.5: the odds of the first are 1 to 1
    verdicts = pool(np.log([[4.0, 2.0, 1.0]]), np.array([0.25, 0.25, 0.5]), tiers)
    assert (verdicts.best[0], verdicts.second[0]) == (0, 1)
    assert verdicts.log_odds[0] == pytest.approx(0)
    assert verdicts.confidence[0] == pytest.approx(0.5)
    assert verdicts.second_confidence[0] == pytest.approx(0.25)


def test_a_temper_moves_confidence_towards_one_half_and_1_leaves_it() -> None:
    # 0.9: odds 9, whose square root is 3: 3 / 4.
    line = ((0.0, 0.5), (1.0, 0.9))
    halved = Calibration(confidence=line, temper=0.5).confident(np.array([0.0, 1.0]))
    assert halved.tolist() == pytest.approx([0.5, 0.75])
