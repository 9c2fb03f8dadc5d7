import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows
from hgld.benchmarks.robustness.out_of_distribution.problems.holding_out import (
    HELD_OUT_CLASSES,
    ClassRows,
    digit_problem,
    fit_reduction,
    hold_out_classes,
    photo_patches,
)


def rows_of(counts: dict[int, int], seed: int = 0) -> FrozenRows:
    labels = np.repeat(list(counts), list(counts.values()))
    features = np.random.default_rng(seed).normal(size=(len(labels), 6))
    # The first feature tells each class, whatever the split.
    features[:, 0] = labels * 100
    return FrozenRows(features, labels)


def some_rows() -> ClassRows:
    """Class 4 is small, class 9 only asked for."""
    return ClassRows(
        title="Some",
        train=rows_of({0: 10, 1: 10, 2: 10, 3: 10, 4: 3}),
        queries=rows_of({0: 4, 1: 4, 2: 4, 3: 4, 4: 4, 9: 5}, seed=1),
        far={"others": FrozenRows(np.ones((7, 6)))},
    )


def test_near_are_the_held_out_and_the_unknown_classes_and_inside_the_others() -> None:
    problem = hold_out_classes(some_rows(), held_out=1, components=6, seed=0)
    kept = problem.train.required_labels()
    held = set(range(4)) - set(kept.tolist())
    assert len(held) == 1
    assert set(problem.inside.required_labels().tolist()) == set(kept.tolist())
    assert len(problem.inside) == 12
    assert set(problem.outside[HELD_OUT_CLASSES].required_labels().tolist()) == {*held, 9}
    assert len(problem.outside[HELD_OUT_CLASSES]) == 4 + 5
    assert len(problem.outside["others"]) == 7
    assert problem.classifier.classes.tolist() == sorted(set(kept.tolist()))


def test_seeds_hold_other_classes_out_and_the_same_seed_the_same() -> None:
    def held(seed: int) -> frozenset[int]:
        problem = hold_out_classes(some_rows(), held_out=2, components=6, seed=seed)
        return frozenset(range(4)) - frozenset(problem.train.required_labels().tolist())

    assert held(0) == held(0)
    assert len({held(seed) for seed in range(6)}) > 1


def test_holding_out_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="held_out"):
        hold_out_classes(some_rows(), held_out=3, components=6, seed=0)


def test_a_reduction_keeps_angles_and_gives_a_mean_variance_of_one() -> None:
    random = np.random.default_rng(0)
    train = FrozenRows(random.normal(size=(50, 5)) * [9, 3, 1, 0.1, 0] + 7)
    reduced = fit_reduction(train, 128)(train).features
    assert reduced.shape == (50, 4)  # the fifth never varies
    assert reduced.var(axis=0).mean() == pytest.approx(1)
    np.testing.assert_allclose(reduced.mean(axis=0), 0, atol=1e-10)
    own, other = (np.linalg.norm(one[0] - one[1:], axis=1) for one in (train.features, reduced))
    np.testing.assert_allclose(other / own, (other / own)[0], rtol=1e-9)


def test_a_reduction_of_spreads_asks_for_them() -> None:
    train = FrozenRows(np.eye(3), None, np.eye(3))
    with pytest.raises(ValueError, match="spreads"):
        fit_reduction(train, 2)(FrozenRows(np.eye(3)))


def test_digits_hold_three_classes_out_and_the_network_knows_the_others() -> None:
    problem = digit_problem(0)
    assert problem.classifier.logits(problem.train.features).shape == (len(problem.train), 7)
    predicted = problem.classifier.predict(problem.train.features)
    assert (predicted == problem.train.required_labels()).mean() > 0.97
    assert list(problem.outside) == [HELD_OUT_CLASSES, "patches of photos", "noise"]
    assert all(
        len(one) == len(problem.outside[HELD_OUT_CLASSES]) for one in problem.outside.values()
    )


def test_patches_of_photos_have_the_range_of_digits() -> None:
    patches = photo_patches(20, np.random.default_rng(0))
    assert patches.shape == (20, 64)
    np.testing.assert_allclose(patches.min(axis=1), 0)
    np.testing.assert_allclose(patches.max(axis=1), 16, rtol=1e-6)
    assert (patches == photo_patches(20, np.random.default_rng(0))).all()
