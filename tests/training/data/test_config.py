import subprocess
import sys
from typing import Any

import pytest

from hgld.training.data.config import AugmentConfig, PerLandmark, PerSuperCategory


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"samples_per_landmark": 0}, "samples_per_landmark must be above 0, got 0"),
        ({"max_per_landmark": 3}, r"at least samples_per_landmark \(4\), got 3"),
        ({"few": "keep"}, "few must be one of 'repeat', 'drop', got 'keep'"),
        ({"samples_per_landmark": 4.0}, "samples_per_landmark must be int, got 4.0"),
    ],
)
def test_groups_that_no_landmark_can_give_are_refused(settings: dict[str, Any], text: str) -> None:
    for sampler in (PerLandmark, PerSuperCategory):
        with pytest.raises(ValueError, match=text):
            sampler(**settings)


def test_a_batch_has_at_least_one_super_category() -> None:
    with pytest.raises(ValueError, match="supercategories_per_batch must be above 0, got 0"):
        PerSuperCategory(supercategories_per_batch=0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"min_scale": 0.0}, "min_scale must be above 0 and up to 1, got 0.0"),
        ({"min_scale": 1.5}, "min_scale must be above 0 and up to 1, got 1.5"),
        ({"min_scale": float("nan")}, "min_scale must be above 0 and up to 1, got nan"),
        ({"colour_jitter": 1.1}, "colour_jitter must be from 0 to 1, got 1.1"),
        ({"blur": -0.1}, "blur must be from 0 to 1, got -0.1"),
        ({"erasing": float("nan")}, "erasing must be from 0 to 1, got nan"),
        ({"rand_augment_ops": -1}, "rand_augment_ops must be 0 or more, got -1"),
        ({"rand_augment_magnitude": 31}, "rand_augment_magnitude must be from 0 to 30, got 31"),
        ({"flip": 1}, "flip must be bool, got 1"),
    ],
)
def test_alterations_that_there_cannot_be_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        AugmentConfig(**settings)


def test_settings_need_no_torch() -> None:
    code = "import sys, hgld.training.data.config; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
