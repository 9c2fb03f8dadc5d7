import dataclasses
import math
import re

import pytest

from hgld.benchmarks.retrieval.config import BenchmarkConfig
from tests.worlds.benchmark_builds import CONFIG


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runs": ("a", "a")}, "runs must name each one once, got ['a', 'a']"),
        ({"embeddings": ("a.npy",)}, "embeddings must be two files for each model, of the queries"),
        (
            {"embeddings": ("x/q.npy", "i.npy", "y/q.npy", "i.npy")},
            "embeddings must have a name for each model, got q, q; put another before a file of qu",
        ),
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


def test_two_words_are_a_model_with_its_name_or_that_of_its_file() -> None:
    files = ("rival=x/query.parquet", "x/index.parquet", "x/a=b/mine.npy", "b.npy")
    config = BenchmarkConfig(embeddings=files)
    assert config.runs == ()
    assert [(one.name, str(one.query), str(one.index)) for one in config.rivals] == [
        ("rival", "x/query.parquet", "x/index.parquet"),
        ("mine", "x/a=b/mine.npy", "b.npy"),
    ]
    assert BenchmarkConfig().runs == ("happier",)
    assert BenchmarkConfig(runs=("mine",), embeddings=files).runs == ("mine",)
