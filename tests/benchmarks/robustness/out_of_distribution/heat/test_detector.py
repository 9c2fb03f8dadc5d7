import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.out_of_distribution.baselines import logit_energy_score
from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows, fit_linear
from hgld.benchmarks.robustness.out_of_distribution.heat.correction import (
    CorrectionConfig,
    gaussian_settings,
    logit_settings,
)
from hgld.benchmarks.robustness.out_of_distribution.heat.detector import Heat, HeatConfig, fit_heat
from hgld.benchmarks.robustness.out_of_distribution.scoring import (
    SIMPLE_METHODS,
    heat_scorers,
    simple_scorers,
)


def short(config: CorrectionConfig) -> CorrectionConfig:
    return dataclasses.replace(config, epochs=2, steps=3, width=16, depth=1)


QUICK = HeatConfig(gaussians=short(gaussian_settings()), logits=short(logit_settings()))


def three_groups(count: int = 90, *, at: float = 3.0, spread: bool = False) -> FrozenRows:
    random = np.random.default_rng(count)
    labels = np.arange(count) % 3
    features = random.normal(size=(count, 4)) + at * np.eye(4)[labels]
    spreads = np.abs(features[:, :2]) + random.normal(0, 0.1, (count, 2)) if spread else None
    return FrozenRows(features, labels, spreads)


def fitted(*, spread: bool = False, seed: int = 0) -> Heat:
    train = three_groups(spread=spread)
    return fit_heat(train, fit_linear(train), QUICK, seed=seed)


def test_the_priors_alone_are_the_simple_energies() -> None:
    train, rows = three_groups(), three_groups(30)
    classifier = fit_linear(train)
    heat = fit_heat(train, classifier, QUICK, seed=0)
    logits = classifier.logits(rows.features)
    by_name = {prior.name: prior for prior in heat.priors}
    np.testing.assert_allclose(by_name["logits"].prior_scores(rows), logit_energy_score(logits))


def test_the_composition_is_that_of_standardised_energies() -> None:
    heat, rows = fitted(), three_groups(30)
    energies = np.stack([prior.scores(rows) for prior in heat.priors], axis=1)
    known = np.stack([prior.scores(three_groups()) for prior in heat.priors], axis=1)
    standard = (energies - known.mean(axis=0)) / known.std(axis=0)
    np.testing.assert_allclose(heat.score(rows), standard.sum(axis=1))
    np.testing.assert_allclose(heat.score(rows, math.inf), standard.max(axis=1))
    np.testing.assert_allclose(heat.score(rows, -math.inf), standard.min(axis=1))


def test_far_rows_score_higher_than_those_of_the_classes() -> None:
    heat = fitted()
    far = FrozenRows(three_groups(30).features - 12)
    assert heat.score(far).min() > heat.score(three_groups(30)).max()


def test_the_same_seed_gives_the_same_bits() -> None:
    rows = three_groups(30)
    assert fitted().score(rows).tolist() == fitted().score(rows).tolist()
    assert fitted().score(rows).tolist() != fitted(seed=1).score(rows).tolist()


def test_with_spreads_there_is_a_third_prior_which_asks_for_them() -> None:
    heat = fitted(spread=True)
    assert [prior.name for prior in heat.priors] == ["gmm", "logits", "std"]
    assert heat.score(three_groups(30, spread=True)).shape == (30,)
    with pytest.raises(ValueError, match="spreads"):
        heat.score(three_groups(30))


def test_every_method_has_a_score_a_row() -> None:
    train, rows = three_groups(spread=True), three_groups(30, spread=True)
    classifier = fit_linear(train)
    scorers = {
        **simple_scorers(train, classifier),
        **heat_scorers(train, classifier, QUICK, seed=0),
    }
    assert tuple(scorers) == (
        *SIMPLE_METHODS,
        *("heat_gmm", "heat_logits", "heat_std"),
        *("heat_gmm_logits", "heat_gmm_std", "heat_logits_std", "heat"),
        *("prior_gmm", "prior_std", "priors"),
    )
    for score in scorers.values():
        assert np.isfinite(score(rows)).all()
        assert score(rows).shape == (30,)


def test_a_part_of_heat_scores_as_its_priors_composed_by_hand() -> None:
    heat, rows = fitted(spread=True), three_groups(30, spread=True)
    pair = heat.of(["gmm", "std"])
    assert [prior.name for prior in pair.priors] == ["gmm", "std"]
    by_hand = sum(
        (prior.scores(rows) - heat.train_energies[:, place].mean())
        / heat.train_energies[:, place].std()
        for place, prior in ((0, heat.priors[0]), (2, heat.priors[2]))
    )
    assert pair.score(rows) == pytest.approx(by_hand)
    alone = heat.of(["logits"])
    assert (
        np.argsort(alone.score(rows)).tolist() == np.argsort(heat.priors[1].scores(rows)).tolist()
    )
    for names in ([], ["gmm", "other"]):
        with pytest.raises(ValueError, match="logits"):
            heat.of(names)


def test_rows_without_labels_are_no_training_rows() -> None:
    train = three_groups()
    with pytest.raises(ValueError, match="labels"):
        fit_heat(FrozenRows(train.features), fit_linear(train), QUICK, seed=0)
