import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from sklearn.linear_model import LogisticRegression

from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows, fit_linear


@pytest.mark.parametrize("classes", [2, 3])
def test_the_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(60) % classes + 5
    features = random.normal(size=(60, 3)) + labels[:, None]
    classifier = fit_linear(FrozenRows(features, labels))
    logits = classifier.logits(features)
    assert logits.shape == (60, classes)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    reference = LogisticRegression(max_iter=2000).fit(features, labels)
    np.testing.assert_allclose(shares, reference.predict_proba(features), atol=1e-9)
    assert (classifier.predict(features) == reference.predict(features)).all()
    assert set(classifier.predict(features)) <= set(labels)


def test_rows_are_taken_with_all_that_they_have() -> None:
    rows = FrozenRows(np.eye(3), np.array([4, 5, 6]), np.arange(3.0)[:, None])
    some = rows.take(np.array([True, False, True]))
    assert len(some) == 2
    assert some.required_labels().tolist() == [4, 6]
    assert some.required_spreads().tolist() == [[0.0], [2.0]]


def test_parts_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="labels"):
        FrozenRows(np.eye(3), np.array([0, 1]))
    with pytest.raises(ValueError, match="spreads"):
        FrozenRows(np.eye(3), None, np.ones((1, 2)))
    with pytest.raises(ValueError, match="strength"):
        fit_linear(FrozenRows(np.eye(2), np.array([0, 1])), 0.0)
