"""The classifier and the head learn what there is to learn; the right epoch is kept."""

import itertools

import numpy as np
import pytest
import torch

from hgld.benchmarks.robustness import networks
from hgld.benchmarks.robustness.rows import Features, Rows, UnfitRowsError

QUICK = networks.HeadSettings(layers=1, hidden_units=16, epochs=60, learning_rate=1e-2)


def some_rows(count: int = 200) -> tuple[Features, networks.Values]:
    random = np.random.default_rng(0)
    features = random.normal(size=(count, 3)).astype(np.float32)
    return features, 1 / (1 + np.exp(-3.0 * features[:, 0]))


def error_of(features: Features, target: networks.Values) -> networks.ChoosingRows:
    return networks.ChoosingRows(features, lambda found: -float(np.square(found - target).mean()))


def two_classes() -> Rows:
    features, target = some_rows()
    return Rows(features, (target > 0.5).astype(np.int64), np.arange(200))


def test_a_classifier_learns_and_the_seed_decides() -> None:
    rows, settings = two_classes(), networks.ClassifierSettings(0.2, 10)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model, *others = (networks.fit_classifier(rows, 2, settings, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    found, again, other = (one.probabilities(rows.features) for one in (model, *others))
    assert (found == again).all()
    assert (found != other).any()
    assert networks.is_right(model, rows).mean() > 0.95
    own = networks.true_class_probability(model, rows)
    assert own == pytest.approx(found[np.arange(200), rows.labels])
    dropped = model.probabilities(rows.features, passes=20)
    assert np.abs(dropped - found).max() > 0.01


def test_the_classifier_of_the_greatest_likelihood_on_held_out_rows_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = (networks.ClassifierSettings(0.5, 0), networks.ClassifierSettings(0.5, 10))
    monkeypatch.setattr(networks, "CLASSIFIERS", grid)
    assert networks.choose_classifier(two_classes(), 2, 0)[1] == grid[1]


def test_a_model_s_own_classifier_is_found_from_its_logits() -> None:
    features, _ = some_rows(50)
    weight, bias = np.random.default_rng(1).normal(size=(4, 3)), np.arange(4)
    logits = (features @ weight.T + bias).astype(np.float32)
    model = networks.own_classifier(features, logits)
    with torch.no_grad():
        found = model(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(found, logits, atol=1e-4)
    assert (model.hidden(features) == features).all()
    with pytest.raises(UnfitRowsError, match="logits"):
        networks.own_classifier(features, logits**2)


def test_a_head_predicts_a_target_that_the_features_have() -> None:
    features, target = some_rows()
    choosing = error_of(features[150:], target[150:])
    found = networks.fit_head(features[:150], target[:150], choosing, QUICK, 0)
    confidence = found.confidence(features[150:])
    assert np.square(confidence - target[150:]).mean() < target.var() / 5
    assert found.score == pytest.approx(choosing.better(confidence))
    shapes = [tuple(one.shape) for one in found.network.parameters() if one.ndim == 2]
    assert shapes == [(16, 3), (1, 16)]
    assert networks.HEADS[0][:3] == (4, 400, 1e-4)  # the published one


def test_the_epoch_is_kept_that_the_choosing_rows_like_best() -> None:
    features, target = some_rows(40)
    asked: list[int] = []

    def third_is_best(_: networks.Values) -> float:
        asked.append(len(asked))
        return -abs(len(asked) - 3)

    choosing = networks.ChoosingRows(features, third_is_best)
    head = networks.fit_head(features, target, choosing, QUICK._replace(epochs=20, patience=4), 0)
    assert (head.epoch, len(asked)) == (3, 7)


def test_errors_choose_by_their_order_and_without_any_by_the_distance() -> None:
    rows = Rows(np.eye(3, dtype=np.float32), np.array([0, 0, 2]), np.arange(3))
    model = networks.own_classifier(rows.features, 5 * rows.features)
    better = networks.order_of_errors(model, rows).better
    assert better(np.array([0.9, 0.1, 0.8])) == 1
    assert better(np.array([0.9, 0.85, 0.8])) == 0.5
    right = rows.take(np.array([0, 2]))
    own = networks.true_class_probability(model, right)
    all_right = networks.order_of_errors(model, right).better
    assert all_right(own) == 0 > all_right(own + 0.1)


def test_an_adversary_brings_source_and_target_together() -> None:
    source, target = some_rows(128)
    foreign = source + np.float32(1.5)
    gaps, epochs = [], itertools.count()
    last = networks.ChoosingRows(source[:1], lambda _: float(next(epochs)))
    for adversary in (None, networks.Adversary(foreign, 1.0)):
        head = networks.fit_head(source, target, last, QUICK._replace(epochs=150), 0, adversary)
        means = [head.confidence(rows).mean() for rows in (source, foreign)]
        gaps.append(abs(means[0] - means[1]))
    assert gaps[1] < 0.5 * gaps[0]
