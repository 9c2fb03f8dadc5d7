"""Abstention as a whole, on embeddings that are made up."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness.abstention.part import (
    HEAD_ON_EMBEDDING,
    HEAD_ON_LIST,
    ORACLE,
    RANDOM,
    SIMPLE_SCORES,
    AbstentionSettings,
    SearchedSet,
    abstention_measures,
    measure_abstention,
    own_index,
    planned_abstention,
    search,
)
from hgld.benchmarks.robustness.heads.confidence_head import HeadSettings

QUICK = AbstentionSettings(
    heads=(HeadSettings(layers=1, hidden_units=32, epochs=40, learning_rate=3e-3),)
)


def blurred_landmarks(seed: int, landmarks: int = 24, images: int = 6) -> SearchedSet:
    """Images around their landmark's centre, some of them far from it: these find others."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(landmarks, 16))
    ids = np.repeat(np.arange(landmarks), images)
    blur = generator.choice([0.2, 2.0], size=(len(ids), 1))
    rows = centres[ids] + blur * generator.normal(size=(len(ids), 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.stack([ids, ids // 4], axis=1)
    return own_index(rows.astype(np.float32), labels)


def ap_by_a_loop(relevance: NDArray[np.float64]) -> float:
    """H-AP of relevances in the order of the list."""
    total = 0.0
    for rank, own in enumerate(relevance, start=1):
        if own > 0:
            total += sum(min(own, other) for other in relevance[:rank]) / rank
    return float(total / relevance.sum())


def test_h_ap_of_a_search_equals_a_loop_and_leaves_the_query_out() -> None:
    searched = blurred_landmarks(0, landmarks=8, images=3)
    found = search(searched, depth=4)
    similarity = searched.queries @ searched.index.T
    for query in range(len(similarity)):
        order = [one for one in np.argsort(-similarity[query], kind="stable") if one != query]
        same = searched.index_labels == searched.query_labels[query]
        level = np.where(same.all(axis=1), 2, same[:, 1].astype(int))[order]
        relevance = sum(
            np.where(level == one, one / 2 / max((level == one).sum(), 1), 0) for one in (1, 2)
        )
        assert found.h_ap[query] == pytest.approx(ap_by_a_loop(np.asarray(relevance)))
    assert found.best.max() < 1


def test_queries_with_nothing_to_find_are_left_out_and_counted() -> None:
    rows = np.eye(4, dtype=np.float32)
    labels = np.array([[0, 0], [1, 0], [2, 1], [3, 2]])
    found = search(
        SearchedSet(
            queries=rows,
            query_labels=np.array([[0, 0], [9, 9], [2, 1], [8, 9]]),
            index=rows,
            index_labels=labels,
        ),
        depth=2,
    )
    assert found.undefined == 2
    assert found.landmarks.tolist() == [0, 2]
    assert found.h_ap.tolist() == [1, 1]


def test_areas_equal_the_values_by_hand() -> None:
    h_ap = np.array([1.0, 0.5, 0.0, 0.5])
    found = abstention_measures(h_ap, np.array([1.0, 2, 3, 4, 5]), np.array([4.0, 3, 2, 1]))
    # answered in this order: 1, 1.5 / 2, 1.5 / 3, 2 / 4
    assert found["area"] == pytest.approx((1 + 0.75 + 0.5 + 0.5) / 4)
    oracle = (1 + 0.75 + 2 / 3 + 0.5) / 4
    assert found["share_of_oracle"] == pytest.approx((0.6875 - 0.5) / (oracle - 0.5))
    # half of 1..5 is answered from 3 on, four fifths from 1.8 on
    assert (found["answered_50"], found["h_ap_answered_50"]) == (0.5, 0.75)
    assert found["h_ap_refused_50"] == 0.25
    assert (found["answered_80"], found["h_ap_refused_80"]) == (0.75, 0.5)


def test_what_is_undefined_is_nan() -> None:
    same = abstention_measures(np.full(3, 0.5), np.zeros(2), np.array([1.0, 2, 3]))
    assert math.isnan(same["share_of_oracle"])
    assert same["answered_50"] == 1
    assert math.isnan(same["h_ap_refused_50"])
    none = abstention_measures(np.full(3, 0.5), np.full(2, 9.0), np.array([1.0, 2, 3]))
    assert none["answered_50"] == 0
    assert math.isnan(none["h_ap_answered_50"])


@pytest.mark.parametrize("with_test", [False, True])
def test_every_score_lies_between_the_random_and_the_oracle_order(with_test: bool) -> None:
    test = blurred_landmarks(1) if with_test else None
    records = measure_abstention("made up", blurred_landmarks(0), test, 0, QUICK)
    found = {one.method: one for one in records}
    scores = {*SIMPLE_SCORES, HEAD_ON_LIST, HEAD_ON_EMBEDDING}
    assert found.keys() == scores | {ORACLE, RANDOM}
    oracle, random = (found[name].measures for name in (ORACLE, RANDOM))
    assert random["area"] == pytest.approx(random["h_ap"])
    assert oracle["share_of_oracle"] == 1
    assert random["share_of_oracle"] == pytest.approx(0)
    for name in scores:
        assert found[name].measures["area"] <= oracle["area"]
        assert found[name].measures["h_ap"] == random["h_ap"]
        assert found[name].curves["h_ap_coverage"].y[-1] == pytest.approx(random["h_ap"], abs=1e-6)
    # blurred images are near nothing: that is what the similarities have to tell
    assert found["Nearest similarity"].measures["share_of_oracle"] > 0.3
    assert found[HEAD_ON_LIST].measures["share_of_oracle"] > 0.3


def test_units_are_of_test_queries_and_of_held_out_landmarks() -> None:
    training, test = blurred_landmarks(0), blurred_landmarks(1)
    units = list(planned_abstention("untrained", training, test, [0, 1], QUICK))
    titles = [
        "untrained: test queries",
        "untrained: test queries, learned on the index",
        "untrained: held-out landmarks",
    ]
    assert [(one.data_set, one.seed) for one in units] == [(t, s) for t in titles for s in (0, 1)]
    assert len({unit.key for unit in units}) == 6
    other = list(planned_abstention("untrained", training, blurred_landmarks(2), [0], QUICK))
    assert other[0].key != units[0].key
    assert other[1].key != units[2].key
    assert other[2].key == units[4].key
    records = units[4].measure()
    assert {record.data_set for record in records} == {"untrained: held-out landmarks"}
    chosen = {record.method: record.chosen for record in records}
    assert chosen[HEAD_ON_LIST].keys() == {"layers", "hidden_units", "learning_rate"}
    assert chosen["Landmark entropy"]["temperature"] in QUICK.temperatures
    assert chosen[ORACLE] == {}


def test_of_a_model_that_knows_the_training_images_none_of_these_is_measured() -> None:
    images = blurred_landmarks(0), blurred_landmarks(1)
    units = planned_abstention("run", *images, [0], QUICK, has_seen_training=True)
    assert [unit.data_set for unit in units] == [
        "run: test queries",
        "run: test queries, learned on the index",
    ]


def test_an_index_of_few_landmarks_teaches_nothing() -> None:
    few = blurred_landmarks(1, landmarks=4)
    titles = [unit.data_set for unit in planned_abstention("x", few, few, [0], QUICK)]
    assert titles == ["x: test queries", "x: held-out landmarks"]
