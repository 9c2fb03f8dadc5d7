import dataclasses
import math
import re

import pytest

from tests.worlds.benchmark_builds import CONFIG


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runs": ()}, "runs must name at least one training run, each once, got []"),
        ({"runs": ("a", "a")}, "runs must name at least one training run, each once"),
        ({"runs": ("../a",)}, "name must be letters"),
        ({"image_size": 0}, "image_size must be above 0, got 0"),
        ({"batch_size": 0}, "batch_size must be above 0, got 0"),
        ({"runs": "happier"}, "runs must be tuple, got 'happier'"),
        ({"image_size": 1.5}, "image_size must be int, got 1.5"),
        ({"batch_size": math.nan}, "batch_size must be int, got nan"),
        ({"workers": math.nan}, "workers must be int, got nan"),
        ({"workers": -1}, "workers must be 0 or more, got -1"),
    ],
)
def test_settings_that_could_only_fail_later_are_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        dataclasses.replace(CONFIG, **settings)  # type: ignore[arg-type]  # wrong on purpose
