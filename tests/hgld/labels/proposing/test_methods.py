from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hgld.labels.proposing import methods
from hgld.labels.proposing.calibration import Calibration, Softmax
from hgld.labels.proposing.knowledge import Knowledge, taxonomy_knowledge
from hgld.labels.proposing.methods import DecidedNeighbours, Scale, Superclasses, cosines, unit_grid
from hgld.labels.proposing.opinions import IGNORE, Hint, Targets, ranked_opinion
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from tests.hgld.labels.clustering.builds import unit_vectors
from tests.hgld.labels.proposing.small_world import superclasses
from tests.worlds.taxonomies import write_taxonomy

TARGETS = Targets(("church", "lake"))


def said(hints: Sequence[Hint]) -> list[tuple[str, str]]:
    return [(each.target, each.tier) for each in hints]


def test_ranked_hints_take_their_share_of_what_those_before_left() -> None:
    tiers = Calibration(accuracy={("wording", "a"): 0.8, ("wording", "b"): 0.5}, ignored=0.2)
    hints = [Hint("church", "a", ""), Hint("gone", "a", ""), Hint("lake", "b", "")]
    opinion = ranked_opinion("wording", [hints], TARGETS, tiers)  # `gone` is no target any more
    # left: 0.2 x 0.5 = 0.1, spread as 0.4, 0.4, 0.2
    shares = [0.8 + 0.04, 0.2 * 0.5 + 0.04, 0.02]
    np.testing.assert_allclose(np.exp(opinion[0]) * [0.4, 0.4, 0.2, 1], [*shares, 0.1])


def test_cosines_are_the_same_bits_in_any_block_and_order() -> None:
    left, right = unit_grid(unit_vectors(300, 384)), unit_grid(unit_vectors(200, 384, seed=1))
    whole = cosines(left, right)
    columns = np.random.default_rng(2).permutation(384)
    np.testing.assert_array_equal(cosines(left[:, columns], right[:, columns]), whole)
    one = np.concatenate([cosines(left[row : row + 1], right) for row in range(300)])
    np.testing.assert_array_equal(one, whole)
    exact = unit_vectors(300, 384).astype(np.float64) @ unit_vectors(200, 384, seed=1).T
    assert abs(whole - exact).max() < 2e-3


def test_a_word_counts_half_and_an_alias_that_is_the_label_not_at_all() -> None:
    vectors = unit_grid(np.array([[1, 0, 0]], dtype=np.float32))
    near = np.array([0.6, 1.0, 0.8, 0.0, -1.0])
    is_name = np.array([True, False, False, True, True])
    phrases = methods.Phrases(
        texts=["church", "kirk", "minster", "lake", "river"],
        targets=["church"] * 3 + ["lake", "river"],
        is_name=is_name,
        is_alias=~is_name,
        vectors=unit_grid(np.column_stack([near, (1 - near**2) ** 0.5, 0 * near])),
    )
    found = methods.Prototypes(vectors, phrases, TARGETS)
    expected = phrases.scale.of((0.6 + 0.8) / 2)
    assert found.scores[0, 0] == pytest.approx(expected, abs=1e-2)
    assert found.scores[0, 2] == -np.inf  # no word for what is to be ignored
    assert "like 'minster' 0.80" in found.words(0, "church")


def test_shares_keep_a_floor_and_ignore_what_is_like_nothing() -> None:
    prior = np.array([0.4, 0.4, 0.2])
    settings = Softmax(temperature=0.5, ignore=2.0, floor=0.1)
    scores = np.array([[9.0, -np.inf, -np.inf], [0.0, 0.0, -1.0]])
    shares = methods.softmax_shares(scores, settings, prior)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[0, 1] == pytest.approx(0.04)
    assert shares[1].argmax() == 2


def test_neighbours_are_the_nearest_of_what_is_decided_by_now() -> None:
    vectors = unit_grid(unit_vectors(60, 4))
    numbers = np.random.default_rng(3).permutation(60)
    qids = [f"Q{number + 1}" for number in numbers]
    kept = DecidedNeighbours(vectors, qids, Scale(0.0, 0.2))
    for step in (*(([row], []) for row in range(40)), *(([], [row]) for row in range(0, 40, 3))):
        before = kept.rows.copy()
        changed = kept.update(*step)
        assert {*np.flatnonzero((kept.rows != before).any(axis=1)).tolist()} <= changed
    near = cosines(vectors, vectors)
    decided = [row for row in range(40) if row % 3]
    for row in range(60):  # the double loop
        found = [other for other in decided if other != row and near[row, other] >= 0.4]
        found.sort(key=lambda other: (-near[row, other], numbers[other]))
        assert kept.rows[row][kept.rows[row] >= 0].tolist() == found[: methods.NEIGHBOURS]


ABOVE = [(qid, 1, "Q10", "mill") for qid in ("Q1", "Q2", "Q9")]
ABOVE += [("Q1", 2, "Q20", "building"), ("Q1", 3, "Q30", "place")]
ABOVE += [("Q1", 4, "Q40", "landform"), ("Q1", 4, "Q1", "itself")]


def tree_of(mapped: dict[str, str], cuts: dict[str, str | None]) -> Superclasses:
    return Superclasses(["Q1", "Q2"], superclasses(ABOVE), mapped, cuts)


def test_the_nearest_known_superclass_speaks_first_and_a_stop_ends_it() -> None:
    known = {"Q20": "house", "Q40": "mountain", "Q1": "lake"}
    nearest, further = tree_of(known, {}).hints(0)
    assert said([nearest, further]) == [("house", "mapped 2"), ("mountain", "mapped 3")]
    assert "Q20" in nearest.words
    for stop in (None, IGNORE):
        assert tree_of(known, {"Q30": stop}).hints(0) == [nearest]
    assert said(tree_of({}, {"Q20": "tower"}).hints(0)) == [("tower", "cut 2")]
    # That a superclass is ignored says nothing of those below.
    tree = tree_of(known | {"Q10": IGNORE}, {"Q30": IGNORE})
    assert tree.hints(0) == [nearest]
    tree.decide("Q20", IGNORE)
    assert tree.hints(0) == []


@pytest.mark.parametrize(
    ("qid", "mapped", "kind"), [("Q10", {"Q10": "factory"}, "decided 1"), ("Q1", {}, "siblings 1")]
)
def test_a_decision_speaks_for_those_below_and_beside_until_it_is_taken_back(
    qid: str, mapped: dict[str, str], kind: str
) -> None:
    tree = tree_of(mapped, {})
    before = tree.hints(1)
    assert tree.decide(qid, "windmill") == {0, 1}  # whom it bears on
    assert said(tree.hints(1)) == [("windmill", kind)]
    assert tree.decide(qid, None) == {0, 1}
    assert tree.hints(1) == before


def test_a_class_is_known_by_its_qid_and_a_text_without_one_by_its_label() -> None:
    by_qid, by_label = Hint("church", "qid", ""), Hint("lake", "label", "")
    knowledge = Knowledge(sides={}, classes={"Q1": by_qid}, class_labels={"tarn": by_label})
    assert knowledge.of_class("Q1", "Tarn") == [by_qid]
    assert knowledge.of_class("row 1", "Tarn") == [by_label]
    assert knowledge.of_class("Q2", "other") == []


def test_a_whole_label_that_cannot_be_read_is_looked_up_in_openstreetmap(tmp_path: Path) -> None:
    tables = load_taxonomy_tables(write_taxonomy(tmp_path))
    names = {"kurbad": "cascade", "high footbridge": "cascade"}
    knowledge = taxonomy_knowledge(tables, names=names)
    assert said(knowledge.read_label("Kurbad")) == [("cascade", "name")]
    assert knowledge.read_label("Kurbad of the north") == []  # the whole label, or none
    assert "name" not in {each.tier for each in knowledge.read_label("high footbridge")}
