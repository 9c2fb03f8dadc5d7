"""Failure prediction: what is classified, what each head learns from, and simple confidences."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from hgld.benchmarks.robustness import failures
from hgld.benchmarks.robustness.rows import Rows, RowTable, table_of_columns
from hgld.errors import InputError
from tests.benchmarks.robustness.conftest import made_columns


def test_a_table_gives_labels_groups_and_labels_of_unseen_groups(table: RowTable) -> None:
    found = {one.name: one for one in failures.classifications(table)}
    assert list(found) == ["label", "group", "label of unseen groups"]
    assert found["group"].rows.labels.max() + 1 == 24
    apart = found["label of unseen groups"]
    assert (apart.drawn == apart.rows.groups).all()
    assert len(np.unique(found["label"].rows.groups)) == len(found["label"].rows)
    # Of a model that was trained on train only other rows are classified.
    seen = dataclasses.replace(table, is_trained_on_train=True)
    others = table.splits["index"].joined(table.splits["query"])
    assert len(next(failures.classifications(seen)).rows) == len(others)
    alone = dataclasses.replace(seen, splits={"train": table.splits["train"]})
    with pytest.raises(ValueError, match="train"):
        list(failures.classifications(alone))


@pytest.mark.usefixtures("quick")
def test_every_confidence_is_of_the_same_predictions(table: RowTable) -> None:
    task = next(failures.classifications(table))
    found = failures.predict_failures(task, 0)
    assert set(found.scores) == {*failures.SIMPLE_CONFIDENCES, *failures.LEARNED_CONFIDENCES}
    assert {len(one) for one in found.scores.values()} == {len(found.truth)}
    assert found.positives == (~found.truth).sum() > 0
    # As published the head has the 40% that trained the classifier, held out four fifths of 30%.
    for name, share in zip(failures.LEARNED_CONFIDENCES, (0.4, 0.24), strict=True):
        rows = int(found.chosen[name].split(" errors in ")[1].split()[0])
        assert rows == pytest.approx(share * len(task.rows), abs=6)


@pytest.mark.usefixtures("quick")
def test_with_logits_the_model_s_own_classifier_is_asked() -> None:
    columns = made_columns()
    weight = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    columns["logits"] = columns["embedding"] @ weight.T
    table = table_of_columns(columns, "made", "a test")
    (task,) = failures.classifications(table)
    found = failures.predict_failures(task, 0)
    assert failures.CONFIDNET not in found.scores
    assert "MC dropout" not in found.scores
    share = (columns["logits"][:192].argmax(axis=1) == table.splits["train"].labels).mean()
    assert found.truth.mean() == pytest.approx(share, abs=0.15)
    columns["logits"] = columns["logits"][:, :5]
    with pytest.raises(InputError, match="logits"):
        list(failures.classifications(table_of_columns(columns, "made", "a test")))


def rows_of(features: NDArray[Any], labels: NDArray[Any]) -> Rows:
    return Rows(features, labels, np.arange(len(labels)))


def test_trust_equals_a_loop_over_known_rows() -> None:
    random = np.random.default_rng(1)
    known, labels = random.normal(size=(40, 3)), np.repeat([0, 2, 5, 9], 10)
    rows, predicted = random.normal(size=(12, 3)), random.choice([0, 2, 5, 9], 12)
    scores = failures.trust_score(rows, predicted, rows_of(known, labels))
    for row, own, found in zip(rows, predicted, scores, strict=True):
        each = {one: cdist([row], known[labels == one]).min() for one in (0, 2, 5, 9)}
        assert found == pytest.approx(min(v for k, v in each.items() if k != own) / each[own])


def test_a_known_row_is_trusted_and_an_unknown_class_is_not() -> None:
    features, labels = np.array([[0.0], [4.0]]), np.array([0, 1])
    known = rows_of(features, labels)
    score = failures.trust_score(features, labels, known)
    assert (np.isfinite(score) & (score > 1e9)).all()
    assert failures.trust_score(features, np.array([3, 3]), known).tolist() == [0, 0]
