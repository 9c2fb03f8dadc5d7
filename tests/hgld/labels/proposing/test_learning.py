from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from tests.hgld.labels.proposing.small_world import CLASSES, small_inputs

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


def test_one_class_is_proposed_as_among_others_and_of_none_nothing_is() -> None:
    only = OpenProposals(small_inputs(CLASSES[4:5])).proposal("Q5")
    assert only == OpenProposals(INPUTS).proposal("Q5")
    proposals = OpenProposals(small_inputs([]))
    assert proposals.proposals() == []
    assert proposals.decide({"Q1": Ruling("church")}) == []
    with pytest.raises(ValueError, match="Q404"):
        proposals.proposal("Q404")
