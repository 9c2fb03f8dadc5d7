import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.data_sets.embedding import spread_of
from hgld.benchmarks.robustness.out_of_distribution.problems.other_pictures import (
    digit_pictures,
    flower_crops,
)


def test_other_pictures_are_squares_and_the_same_for_a_seed() -> None:
    for make in (flower_crops, digit_pictures):
        pictures = make(3)
        assert {(one.size, one.mode) for one in pictures} == {((224, 224), "RGB")}
        again, others = make(3), make(3, seed=1)
        for one, other in zip(pictures, again, strict=True):
            assert np.array_equal(np.asarray(one), np.asarray(other))
        assert not np.array_equal(np.asarray(pictures[0]), np.asarray(others[0]))


def test_a_digit_is_grey_and_uses_the_whole_range() -> None:
    pixels = np.asarray(digit_pictures(1)[0])
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert pixels.min() == 0
    assert pixels.max() > 230


def test_the_spread_is_the_deviation_over_positions_as_in_a_loop() -> None:
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    found = spread_of(features)
    for row in range(2):
        for channel in range(3):
            values = features[row, channel].flatten().tolist()
            assert found[row, channel].item() == pytest.approx(np.std(values), rel=1e-5)
    assert spread_of(torch.ones(1, 2, 3, 3)).tolist() == [[0.0, 0.0]]
