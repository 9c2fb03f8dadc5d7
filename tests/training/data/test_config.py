from typing import Any

import pytest

from hgld.training.data.config import AugmentConfig, PerLandmark, PerSuperCategory


@pytest.mark.parametrize("sampler", [PerLandmark, PerSuperCategory])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("samples_per_landmark", 0),
        ("samples_per_landmark", 4.0),
        ("max_per_landmark", 3),  # fewer than samples_per_landmark
        ("few", "keep"),
    ],
)
def test_a_sampler_that_cannot_be_is_refused(
    sampler: type[PerLandmark | PerSuperCategory],
    setting: str,
    value: Any,  # noqa: ANN401
) -> None:
    with pytest.raises(ValueError, match=setting):
        sampler(**{setting: value})


def test_a_batch_has_at_least_one_super_category() -> None:
    with pytest.raises(ValueError, match="supercategories_per_batch"):
        PerSuperCategory(supercategories_per_batch=0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("min_scale", 0.0),
        ("min_scale", 1.5),
        ("min_scale", float("nan")),
        ("colour_jitter", 1.1),
        ("blur", -0.1),
        ("erasing", float("nan")),
        ("rand_augment_ops", -1),
        ("rand_augment_magnitude", 31),
        ("flip", 1),
    ],
)
def test_an_alteration_that_cannot_be_is_refused(setting: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=setting):
        AugmentConfig(**{setting: value})
