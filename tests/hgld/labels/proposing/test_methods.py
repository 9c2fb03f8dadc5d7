from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from hgld.labels.proposing.calibration import Calibration, Softmax
from hgld.labels.proposing.knowledge import Lore, taxonomy_knowledge
from hgld.labels.proposing.methods.ballot import IGNORE, Hint, Targets, ranked_opinion
from hgld.labels.proposing.methods.cluster import cluster_candidates
from hgld.labels.proposing.methods.cosines import Scale, cosines, scale_of, unit_grid
from hgld.labels.proposing.methods.neighbours import NEIGHBOURS, DecidedNeighbours
from hgld.labels.proposing.methods.superclasses import Ancestry, Known
from hgld.labels.proposing.methods.texts import class_candidates, evidence_candidates
from hgld.labels.proposing.methods.vectors import Phrases, softmax_shares, word_scores
from hgld.labels.taxonomy.distil import DISTILLED, read_distilled
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from tests.hgld.labels.proposing.small_world import superclasses
from tests.worlds.taxonomies import write_taxonomy

TARGETS = Targets(("church", "lake"))


def unit_vectors(count: int, width: int = 384, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def test_ranked_candidates_take_their_share_of_what_those_before_left() -> None:
    tiers = Calibration(accuracy={("wording", "a"): 0.8, ("wording", "b"): 0.5}, ignored=0.2)
    said = [[Hint("church", "a", ""), Hint("lake", "b", "")]]
    opinion = ranked_opinion("wording", said, TARGETS, tiers)
    # left: 0.2 x 0.5 = 0.1, spread as 0.4, 0.4, 0.2
    shares = [0.8 + 0.04, 0.2 * 0.5 + 0.04, 0.02]
    np.testing.assert_allclose(np.exp(opinion.log_ratio[0]) * [0.4, 0.4, 0.2], shares)
    assert np.exp(opinion.unnamed[0]) == pytest.approx(0.1)


def test_a_silent_method_changes_nothing_and_a_doubt_is_no_word_for_ignoring() -> None:
    tiers = Calibration(accuracy={("wording", "ask exact"): 0.4, ("wording", "exact"): 0.9})
    said = [[], [Hint(IGNORE, "ask exact", "")], [Hint(IGNORE, "exact", "")]]
    opinion = ranked_opinion("wording", said, TARGETS, tiers)
    assert (opinion.log_ratio[0] == 0).all()
    assert opinion.doubts.tolist() == [False, True, False]
    assert opinion.ignores.tolist() == [False, False, True]


def test_cosines_are_the_same_bits_in_any_block_and_order() -> None:
    left, right = unit_grid(unit_vectors(300)), unit_grid(unit_vectors(200, seed=1))
    whole = cosines(left, right)
    columns = np.random.default_rng(2).permutation(384)
    np.testing.assert_array_equal(cosines(left[:, columns], right[:, columns]), whole)
    one = np.concatenate([cosines(left[row : row + 1], right) for row in range(300)])
    np.testing.assert_array_equal(one, whole)
    exact = unit_vectors(300).astype(np.float64) @ unit_vectors(200, seed=1).T
    assert abs(whole - exact).max() < 2e-3


def test_the_scale_tells_cosines_of_any_encoder_alike() -> None:
    vectors = unit_vectors(40, 64)
    # One direction that all share, as CLIP's have: every cosine is raised and squeezed.
    shared = np.concatenate([vectors, np.full((40, 1), 2, dtype=np.float32)], axis=1)
    plain, raised = unit_grid(vectors), unit_grid(shared)
    told = [scale_of(each).of(cosines(each, each).astype(np.float64)) for each in (plain, raised)]
    assert scale_of(raised).mean == pytest.approx(0.8, abs=0.01)
    np.testing.assert_allclose(told[0], told[1], atol=0.15)
    assert scale_of(plain[:2]) == Scale(0.0, 1.0)


def test_a_word_counts_half_and_an_alias_that_is_the_label_not_at_all() -> None:
    vectors = unit_grid(np.array([[1, 0, 0]], dtype=np.float32))
    rows = [("church", 0.6, "name"), ("kirk", 1.0, "alias"), ("minster", 0.8, "alias")]
    phrases = Phrases(
        texts=[row[0] for row in rows],
        targets=["church"] * 3,
        is_name=np.array([row[2] == "name" for row in rows]),
        is_alias=np.array([row[2] == "alias" for row in rows]),
        vectors=unit_grid(
            np.array([[row[1], (1 - row[1] ** 2) ** 0.5, 0] for row in rows], dtype=np.float32)
        ),
    )
    scores = word_scores(vectors, phrases, TARGETS)
    assert scores.by_method["nearest"][0, 0] == pytest.approx(0.6, abs=1e-3)
    assert scores.by_method["prototypes"][0, 0] == pytest.approx((0.6 + 0.8) / 2, abs=1e-3)
    assert scores.by_method["nearest"][0, 1] == -np.inf  # no word for lake


def test_shares_keep_a_floor_and_ignore_what_is_like_nothing() -> None:
    prior = np.array([0.4, 0.4, 0.2])
    settings = Softmax(temperature=0.5, ignore=2.0, floor=0.1)
    shares = softmax_shares(np.array([[9.0, -np.inf, -np.inf], [0.0, 0.0, -1.0]]), settings, prior)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[0, 1] == pytest.approx(0.04)
    assert shares[1].argmax() == 2


def test_neighbours_kept_up_to_date_are_those_found_anew() -> None:
    vectors = unit_grid(unit_vectors(60, 4))
    numbers = np.random.default_rng(3).permutation(60)
    kept = DecidedNeighbours(vectors, numbers, Scale(0.0, 0.2))
    for row in range(40):
        kept.add([row])
    for row in range(0, 40, 3):
        kept.remove(row)
    anew = DecidedNeighbours(vectors, numbers, Scale(0.0, 0.2))
    anew.add([row for row in range(39, -1, -1) if row % 3])
    np.testing.assert_array_equal(kept.rows, anew.rows)
    near = cosines(vectors, vectors)
    decided = [row for row in range(40) if row % 3]
    for row in range(60):  # the double loop
        found = [other for other in decided if other != row and near[row, other] >= 0.4]
        found.sort(key=lambda other: (-near[row, other], numbers[other]))
        assert kept.rows[row][kept.rows[row] >= 0].tolist() == found[:NEIGHBOURS]


def test_the_rows_told_as_changed_are_those_whose_neighbours_changed() -> None:
    kept = DecidedNeighbours(unit_grid(unit_vectors(50, 4)), np.arange(50), Scale(0.0, 0.2))
    for row in range(20):
        before = kept.rows.copy()
        changed = kept.add([row])
        assert changed.tolist() == np.flatnonzero((kept.rows != before).any(axis=1)).tolist()
    before = kept.rows.copy()
    changed = kept.remove(7)
    moved = np.flatnonzero((kept.rows != before).any(axis=1))
    assert set(moved) <= set(changed.tolist())
    assert 7 not in kept.rows


ABOVE = superclasses(
    [
        ("Q1", 1, "Q10", "mill"),
        ("Q1", 2, "Q20", "building"),
        ("Q1", 3, "Q30", "place"),
        ("Q1", 4, "Q40", "landform"),
        ("Q1", 4, "Q1", "itself"),
        ("Q2", 1, "Q10", "mill"),
        ("Q9", 1, "Q10", "mill"),
    ]
)


def ancestry(mapped: dict[str, str], cuts: dict[str, str | None]) -> Ancestry:
    return Ancestry(["Q1", "Q2"], ABOVE, Known(mapped=mapped, cuts=cuts))


def test_the_nearest_known_superclass_speaks_first_and_a_stop_ends_it() -> None:
    known = {"Q20": "house", "Q40": "mountain", "Q1": "lake"}
    assert [(each.target, each.tier) for each in ancestry(known, {}).candidates(0)] == [
        ("house", "mapped 2"),
        ("mountain", "mapped 3"),
    ]
    for stop in (None, IGNORE):
        stopped = ancestry(known, {"Q30": stop}).candidates(0)
        assert [each.target for each in stopped] == ["house"]
    assert "Q20" in stopped[0].words
    cut = ancestry({}, {"Q20": "tower"}).candidates(0)
    assert [(each.target, each.tier) for each in cut] == [("tower", "cut 2")]


def test_that_a_superclass_is_ignored_says_nothing_of_those_below() -> None:
    tree = ancestry({"Q10": IGNORE, "Q20": "house"}, {})
    assert [each[:2] for each in tree.candidates(0)] == [("house", "mapped 2")]
    tree.decide("Q20", IGNORE)
    assert tree.candidates(0) == []


def test_a_decision_replaces_what_the_taxonomy_says_and_tells_whom_it_bears_on() -> None:
    tree = ancestry({"Q10": "factory"}, {})
    assert tree.decide("Q10", "windmill") == {0, 1}
    assert tree.candidates(1)[0][:2] == ("windmill", "decided 1")
    assert tree.decide("Q10", None) == {0, 1}
    assert tree.candidates(1)[0][:2] == ("factory", "mapped 1")


def test_siblings_speak_where_most_agree() -> None:
    tree = ancestry({}, {})
    assert tree.decide("Q1", "windmill") == {0, 1}
    assert [each[:2] for each in tree.candidates(1)] == [("windmill", "siblings 1")]
    tree.decide("Q1", None)
    assert tree.candidates(1) == []


def test_clusters_speak_by_the_others_where_most_agree() -> None:
    clusters = np.array([5, 5, 5, 5, 9, 9])
    best = np.array([0, 0, 0, 1, 1, 1])
    said = cluster_candidates(clusters, best, np.ones(6, dtype=np.bool_), TARGETS)
    assert [[each[:2] for each in row] for row in said] == [
        [("church", "half")],
        [("church", "half")],
        [("church", "half")],
        [("church", "most")],  # all three others
        [],  # one other is chance
        [],
    ]


def test_a_class_is_known_by_its_qid_and_a_text_without_one_by_its_label() -> None:
    by_qid, by_label = Hint("church", "qid", ""), Hint("lake", "label", "")
    knowledge = Lore(sides={}, classes={"Q1": by_qid}, class_labels={"tarn": by_label})
    assert class_candidates("Q1", "Tarn", knowledge) == [by_qid]
    assert class_candidates(None, "Tarn", knowledge) == [by_label]
    assert class_candidates("Q2", "other", knowledge) == []


def test_a_whole_label_that_the_taxonomy_cannot_read_is_looked_up_in_openstreetmap(
    tmp_path: Path,
) -> None:
    tables = load_taxonomy_tables(write_taxonomy(tmp_path))
    names = {"kurbad": "cascade", "high footbridge": "cascade"}
    knowledge = taxonomy_knowledge(tables, names=names)
    (bath,) = knowledge.match("Kurbad")
    assert (bath.target, bath.tier) == ("cascade", "name")
    assert knowledge.match("Kurbad of the north") == []  # the whole label, or none
    assert "name" not in {each.tier for each in knowledge.match("high footbridge")}


def test_names_that_mean_one_super_category_in_all_languages_ship(shipped_lore: Lore) -> None:
    """What the shipped words cannot read, of a sample of OpenStreetMap's names."""
    words = [row["name"] for row in read_distilled(DISTILLED / "openstreetmap.csv")][::7]
    found = [shipped_lore.match(word) for word in words]
    looked_up = [said for said in found if said and said[0].tier == "name"]
    assert len(looked_up) > 400
    assert sum(map(bool, found)) > 0.99 * len(found)


def test_identifiers_elsewhere_are_looked_up() -> None:
    knowledge = Lore(sides={}, tags={"building/church": "church"})
    found = [("P8814", "09328904-n"), ("P1282", "Tag:building=church"), ("P1709", "http://x")]
    said = evidence_candidates(found, knowledge)
    assert [(each.target, each.tier) for each in said] == [("church", "P1282")]


def test_candidates_for_what_is_no_target_are_left_out() -> None:
    tiers = Calibration(accuracy={("wording", "a"): 0.8})
    opinion = ranked_opinion("wording", [[Hint("gone", "a", "")]], TARGETS, tiers)
    assert (opinion.log_ratio == 0).all()
    assert pa.array(opinion.unnamed).to_pylist() == [0.0]
