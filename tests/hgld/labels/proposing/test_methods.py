from pathlib import Path

import numpy as np
import pytest

from hgld.labels.proposing.calibration import Calibration, Softmax
from hgld.labels.proposing.knowledge import Knowledge, taxonomy_knowledge
from hgld.labels.proposing.methods import (
    NEIGHBOURS,
    DecidedNeighbours,
    Phrases,
    Prototypes,
    Scale,
    Superclasses,
    cosines,
    scale_of,
    softmax_shares,
    unit_grid,
)
from hgld.labels.proposing.opinions import IGNORE, Hint, Targets, ranked_opinion
from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables, read_csv_rows
from tests.hgld.labels.clustering.builds import unit_vectors
from tests.hgld.labels.proposing.small_world import superclasses
from tests.worlds.taxonomies import write_taxonomy

TARGETS = Targets(("church", "lake"))


def test_ranked_hints_take_their_share_of_what_those_before_left() -> None:
    tiers = Calibration(accuracy={("wording", "a"): 0.8, ("wording", "b"): 0.5}, ignored=0.2)
    said = [[Hint("church", "a", ""), Hint("lake", "b", "")]]
    opinion = ranked_opinion("wording", said, TARGETS, tiers)
    # left: 0.2 x 0.5 = 0.1, spread as 0.4, 0.4, 0.2
    shares = [0.8 + 0.04, 0.2 * 0.5 + 0.04, 0.02]
    np.testing.assert_allclose(np.exp(opinion[0]) * [0.4, 0.4, 0.2, 1], [*shares, 0.1])


def test_a_silent_method_changes_nothing_and_a_doubt_is_no_word_for_ignoring() -> None:
    tiers = Calibration(accuracy={("wording", "ask exact"): 0.4, ("wording", "exact"): 0.9})
    said = [[], [Hint(IGNORE, "ask exact", "")], [Hint(IGNORE, "exact", "")]]
    opinion = ranked_opinion("wording", said, TARGETS, tiers)
    assert (opinion[0] == 0).all()
    assert [hint.is_doubt for hint in (said[1][0], said[2][0])] == [True, False]
    assert [hint.says_ignore for hint in (said[1][0], said[2][0])] == [False, True]


def test_cosines_are_the_same_bits_in_any_block_and_order() -> None:
    left, right = unit_grid(unit_vectors(300, 384)), unit_grid(unit_vectors(200, 384, seed=1))
    whole = cosines(left, right)
    columns = np.random.default_rng(2).permutation(384)
    np.testing.assert_array_equal(cosines(left[:, columns], right[:, columns]), whole)
    one = np.concatenate([cosines(left[row : row + 1], right) for row in range(300)])
    np.testing.assert_array_equal(one, whole)
    exact = unit_vectors(300, 384).astype(np.float64) @ unit_vectors(200, 384, seed=1).T
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
    rows += [("lake", 0.0, "name"), ("river", -1.0, "name")]
    phrases = Phrases(
        texts=[row[0] for row in rows],
        targets=["church"] * 3 + ["lake", "river"],
        is_name=np.array([row[2] == "name" for row in rows]),
        is_alias=np.array([row[2] == "alias" for row in rows]),
        vectors=unit_grid(
            np.array([[row[1], (1 - row[1] ** 2) ** 0.5, 0] for row in rows], dtype=np.float32)
        ),
    )
    found = Prototypes(vectors, phrases, TARGETS)
    expected = phrases.scale.of((0.6 + 0.8) / 2)
    assert found.scores[0, 0] == pytest.approx(expected, abs=1e-2)
    assert found.scores[0, 2] == -np.inf  # no word for what is to be ignored
    assert "like 'minster' 0.80" in found.words(0, "church")


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
    qids = [f"Q{number + 1}" for number in numbers]
    kept = DecidedNeighbours(vectors, qids, Scale(0.0, 0.2))
    for row in range(40):
        kept.update([row])
    for row in range(0, 40, 3):
        kept.update([], [row])
    anew = DecidedNeighbours(vectors, qids, Scale(0.0, 0.2))
    anew.update([row for row in range(39, -1, -1) if row % 3])
    np.testing.assert_array_equal(kept.rows, anew.rows)
    near = cosines(vectors, vectors)
    decided = [row for row in range(40) if row % 3]
    for row in range(60):  # the double loop
        found = [other for other in decided if other != row and near[row, other] >= 0.4]
        found.sort(key=lambda other: (-near[row, other], numbers[other]))
        assert kept.rows[row][kept.rows[row] >= 0].tolist() == found[:NEIGHBOURS]


def test_the_rows_told_as_changed_are_those_whose_neighbours_changed() -> None:
    qids = [f"Q{row + 1}" for row in range(50)]
    kept = DecidedNeighbours(unit_grid(unit_vectors(50, 4)), qids, Scale(0.0, 0.2))
    for step in (*(([row], []) for row in range(20)), ([], [7])):
        before = kept.rows.copy()
        changed = kept.update(*step)
        assert {*np.flatnonzero((kept.rows != before).any(axis=1)).tolist()} <= changed
    assert 7 not in kept.rows
    assert len(kept.update([3])) < 50  # decided anew: those that it is a neighbour of


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


def tree_of(mapped: dict[str, str], cuts: dict[str, str | None]) -> Superclasses:
    return Superclasses(["Q1", "Q2"], ABOVE, mapped, cuts)


def test_the_nearest_known_superclass_speaks_first_and_a_stop_ends_it() -> None:
    known = {"Q20": "house", "Q40": "mountain", "Q1": "lake"}
    assert [(each.target, each.tier) for each in tree_of(known, {}).hints(0)] == [
        ("house", "mapped 2"),
        ("mountain", "mapped 3"),
    ]
    for stop in (None, IGNORE):
        stopped = tree_of(known, {"Q30": stop}).hints(0)
        assert [each.target for each in stopped] == ["house"]
    assert "Q20" in stopped[0].words
    cut = tree_of({}, {"Q20": "tower"}).hints(0)
    assert [(each.target, each.tier) for each in cut] == [("tower", "cut 2")]


def test_that_a_superclass_is_ignored_says_nothing_of_those_below() -> None:
    tree = tree_of({"Q10": IGNORE, "Q20": "house"}, {})
    assert [each[:2] for each in tree.hints(0)] == [("house", "mapped 2")]
    tree.decide("Q20", IGNORE)
    assert tree.hints(0) == []


def test_a_decision_replaces_what_the_taxonomy_says_and_tells_whom_it_bears_on() -> None:
    tree = tree_of({"Q10": "factory"}, {})
    assert tree.decide("Q10", "windmill") == {0, 1}
    assert tree.hints(1)[0][:2] == ("windmill", "decided 1")
    assert tree.decide("Q10", None) == {0, 1}
    assert tree.hints(1)[0][:2] == ("factory", "mapped 1")


def test_siblings_speak_where_most_agree() -> None:
    tree = tree_of({}, {})
    assert tree.decide("Q1", "windmill") == {0, 1}
    assert [each[:2] for each in tree.hints(1)] == [("windmill", "siblings 1")]
    tree.decide("Q1", None)
    assert tree.hints(1) == []


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
    (bath,) = knowledge.read_label("Kurbad")
    assert (bath.target, bath.tier) == ("cascade", "name")
    assert knowledge.read_label("Kurbad of the north") == []  # the whole label, or none
    assert "name" not in {each.tier for each in knowledge.read_label("high footbridge")}


def test_names_that_mean_one_super_category_in_all_languages_ship(shipped_lore: Knowledge) -> None:
    """What the shipped words cannot read, of a sample of OpenStreetMap's names."""
    words = [row["name"] for row in read_csv_rows(SHIPPED / "openstreetmap.csv")][::7]
    found = [shipped_lore.read_label(word) for word in words]
    looked_up = [said for said in found if said and said[0].tier == "name"]
    assert len(looked_up) > 400
    assert sum(map(bool, found)) > 0.99 * len(found)


def test_tags_elsewhere_are_looked_up() -> None:
    knowledge = Knowledge(sides={}, tags={"building/church": "church"})
    said = knowledge.of_tags(["Key:height", "Tag:building=church"])
    assert [(each.target, each.tier) for each in said] == [("church", "P1282")]


def test_hints_at_what_is_no_target_are_left_out() -> None:
    tiers = Calibration(accuracy={("wording", "a"): 0.8})
    opinion = ranked_opinion("wording", [[Hint("gone", "a", "")]], TARGETS, tiers)
    assert (opinion == 0).all()
