from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hgld.benchmarks.labels.proposals import read_official, score
from hgld.labels.proposing import proposals
from hgld.labels.proposing.calibration import Calibration, shipped_calibration
from hgld.labels.proposing.knowledge import Ruling, shipped_knowledge
from hgld.labels.proposing.learning import OpenProposals, pool
from hgld.labels.proposing.opinions import DOUBT, IGNORE
from hgld.labels.proposing.proposals import METHODS, Proposal, cluster_proposals
from hgld.labels.taxonomy.rows import TaxonomyTables
from hgld.labels.taxonomy.wording import EvidenceKind
from hgld.tables import CLUSTERS
from tests.hgld.labels.proposing.small_world import CLASSES, WIDTH, small_inputs
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
    # What the taxonomy would have looked at is asked, and still proposed as what is likeliest.
    assert (holy.proposed_action, holy.proposed_label, holy.tier) == ("ask", None, "doubtful")
    assert (holy.runner_up, holy.proposed_natural_or_human_made) == ("church", "human-made")


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


@settings(max_examples=25, deadline=None)
@example(  # the runner-up alone is another one
    steps=[("Q3", Ruling("castle")), ("Q5", Ruling("church")), ("Q6", Ruling("castle"))],
    random=Random(0),
)
@given(steps=steps_of_a_review, random=st.randoms(use_true_random=False))
def test_only_decisions_in_force_count(steps: list[Step], random: Random) -> None:
    stepwise = OpenProposals(INPUTS)
    for qid, decision in steps:
        stepwise.decide({qid: decision})
    in_force = {qid: decision for qid, decision in dict(steps).items() if decision is not None}
    shuffled = list(in_force.items())
    random.shuffle(shuffled)
    batch = OpenProposals(INPUTS)
    given = {each.class_qid: each for each in batch.proposals()}
    changed = batch.decide(dict(shuffled))
    assert stepwise.proposals() == batch.proposals()
    assert all(one.runner_up_confidence <= one.confidence for one in batch.proposals())
    np.testing.assert_array_equal(stepwise.log_odds(), batch.log_odds())
    # What others than the given ones are told is all that decisions changed.
    others = {each.class_qid: each for each in batch.others_than(given.values())}
    assert others.keys() <= set(changed)
    left = [each._replace(evidence="") for each in (given | others).values()]
    assert left == [each._replace(evidence="") for each in batch.proposals()]


def test_of_74_official_labels_70_are_proposed_and_of_9_left_out_6_ignored_or_asked_about(
    shared: Path, shipped_tables: TaxonomyTables
) -> None:
    official = read_official(shared / "labels/supercategory_to_label.csv")
    classes = [
        {"class_qid": f"row {place}", "class_label": row.label, "landmarks": 1}
        for place, row in enumerate(official)
    ]
    table, vectors = table_of(CLUSTERS, classes), np.zeros((len(official), WIDTH), np.float32)
    knowledge = shipped_knowledge(shipped_tables)
    inputs = replace(INPUTS, classes=table, vectors=vectors, knowledge=knowledge)
    found: Any = score(official, OpenProposals(inputs, ["wording"]))
    assert (found["labelled"], found["blank"]) == (74, 9)
    assert found["right"] >= 70
    assert found["blank_ignored_or_asked"] >= 6


def test_the_shipped_calibration_can_be_used() -> None:
    known = shipped_calibration()
    for numbers in zip(*known.confidence, strict=True):
        assert list(numbers) == sorted(numbers)
    assert {method for method, _ in known.accuracy} <= set(METHODS)
    assert all(0 < accuracy < 1 for accuracy in known.accuracy.values())
    assert all(0 <= weight <= 1 for weight in known.weights.values())
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
    # Where the best is seldom right, the rest is not all the second's.
    seldom = Calibration(confidence=((0.0, 0.2),))
    doubted = pool(np.log([[3.0, 2.0]]), np.array([0.5, 0.5]), seldom)
    assert doubted.second_confidence[0] == doubted.confidence[0] == pytest.approx(0.2)


def test_a_temper_moves_confidence_towards_one_half_and_1_leaves_it() -> None:
    # 0.9: odds 9, whose square root is 3: 3 / 4.
    line = ((0.0, 0.5), (1.0, 0.9))
    halved = Calibration(confidence=line, temper=0.5).confident(np.array([0.0, 1.0]))
    assert halved.tolist() == pytest.approx([0.5, 0.75])


TYPICAL = Proposal(
    *("Q1", "tarn", 1, 0, 0.9, "lake", "natural", "accept", 0.9, "likely", "because", None, 0.0)
)


def member(qid: str, label: str, proposed: str | None, **others: Any) -> Proposal:  # noqa: ANN401
    """Returns a proposal with some `landmarks`, `cluster_id`, `similarity` or `confidence`."""
    return TYPICAL._replace(class_qid=qid, class_label=label, proposed_label=proposed, **others)


def test_a_cluster_is_named_by_its_label_and_the_word_that_tells_it_from_others() -> None:
    members = [
        member("Q1", "wooden church", "church", landmarks=9),
        member("Q2", "wooden chapel", "church", landmarks=5),
        member("Q3", "lake", "lake", cluster_id=1),
        member("Q4", "sea area", "ocean area ", cluster_id=2),
        member("Q5", "listed building", None, cluster_id=3),
        member("Q6", "4711", None, cluster_id=4),  # no letters
    ]
    rows = sorted(cluster_proposals(members).to_pylist(), key=lambda row: row["cluster_id"])
    names = [row["name"] for row in rows]
    assert names[:3] == ["church: wooden", "lake", "ocean area: sea"]
    assert names[3:] == [f"{proposals.NAME_OF_IGNORED}: {one}" for one in ("building", "4711")]
    assert rows[3]["proposed_label"] is None


def test_what_settles_most_comes_first() -> None:
    members = [
        member("Q1", "a", "lake", landmarks=100, confidence=0.99, cluster_id=0),  # settles 6
        member("Q2", "b", "lake", landmarks=10, confidence=0.25, cluster_id=1),  # settles 8
        member("Q4", "d", "lake", landmarks=2, confidence=0.5, cluster_id=2),  # as much as
        member("Q3", "c", "lake", landmarks=2, confidence=0.5, cluster_id=3),  # what is older
        member("Q5", "e", "lake", landmarks=900, tier="decided", cluster_id=4),
    ]
    table = cluster_proposals(members)
    assert table["place"].to_pylist() == [0, 1, 2, 3, 4]
    assert table["cluster_id"].to_pylist() == [1, 0, 3, 2, 4]
    assert table["settles"].to_pylist() == pytest.approx([8, 6, 1.1, 1.1, 0])


def test_members_that_fit_badly_are_told() -> None:
    near = [member(f"Q{n}", "tarn", "lake", similarity=0.9 + n / 1000) for n in range(1, 9)]
    far, other = member("Q20", "pond", "lake", similarity=0.2), member("Q21", "dam", "dam")
    assert proposals.outliers([*near, far, other], "lake") == ["Q20", "Q21"]


def test_only_the_surest_are_automatic() -> None:
    tiers, sure = Calibration(ask_below=0.5, automatic_from=0.99), (0.49, 0.5, 0.98, 0.99)
    found = [proposals.choose("lake", one, tiers, may_ignore=True)[1] for one in sure]
    assert found == ["doubtful", "likely", "likely", "automatic"]
