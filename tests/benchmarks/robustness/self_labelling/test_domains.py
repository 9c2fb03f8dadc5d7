import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows
from hgld.benchmarks.robustness.self_labelling.domains import photo_sources, shifted_digits


def test_digits_are_split_without_one_on_both_sides() -> None:
    pair = shifted_digits(0)
    parts = (pair.source, pair.unlabelled, pair.measured)
    assert [len(part.labels) for part in parts] == [898, 450, 449]
    assert pair.classes == 10
    assert all(part.features.shape[1] == 32 for part in parts)
    every = np.bincount(np.concatenate([part.labels for part in parts]))
    assert every.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # of scikit-learn


def test_the_same_seed_changes_digits_alike_and_another_does_not() -> None:
    assert (shifted_digits(1).measured.features == shifted_digits(1).measured.features).all()
    assert not (shifted_digits(1).source.features == shifted_digits(2).source.features).all()


def rows(labels: list[int]) -> FrozenRows:
    return FrozenRows(np.arange(len(labels), dtype=float)[:, None], np.array(labels))


def test_photo_sources_keep_the_super_categories_in_common_and_number_them_anew() -> None:
    parts = {
        "train": rows([3, 3, 5, 5, 7, 7, 9]),
        "index": rows([5, 3, 3, 5, 9, 9]),
        "test": rows([5, 9, 3]),
    }
    pair = photo_sources(parts, title="two", least_rows=2)
    assert pair.source.labels.tolist() == [0, 0, 1, 1]
    assert pair.source.features.ravel().tolist() == [0, 1, 2, 3]
    assert pair.unlabelled.labels.tolist() == [1, 0, 0, 1]
    assert pair.measured.labels.tolist() == [1, 0]
    assert pair.measured.features.ravel().tolist() == [0, 2]


def test_sources_without_two_classes_in_common_are_refused() -> None:
    parts = {"train": rows([1, 1, 2, 2]), "index": rows([1, 1, 2]), "test": rows([1])}
    with pytest.raises(ValueError, match="common"):
        photo_sources(parts, title="one", least_rows=2)
