import dataclasses
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.config import BenchmarkConfig, benchmark_stage
from tests.worlds.benchmark_builds import CONFIG


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("runs", ("a", "a")),
        ("embeddings", ("a.npy",)),
        ("embeddings", ("x/q.npy", "i.npy", "y/q.npy", "i.npy")),  # two models of one name
        ("rerank", ("a=x/r.parquet", "a=y/r.parquet")),  # two rankings of one name
        ("expand", ("qe",)),
        ("expand", ("qe:0",)),
        ("expand", ("qe:10+dba",)),
        ("expand", ("qe:10", "qe:10")),
        ("distractors", ("a=x.npy", "a=y.npy")),
        ("hierarchy", ()),
        ("hierarchy", ("place", "place")),
        ("hierarchy", ("colour",)),
        ("image_size", 0),
        ("batch_size", 0),
        ("workers", -1),
        ("name", "../x"),
        ("recipe", "mini"),
        ("methods", ("nsm", "nsm")),
        ("seeds", (1, 1)),
        ("data_set", "sop2"),
    ],
)
def test_settings_that_could_only_fail_later_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match="methods" if setting == "recipe" else setting):
        dataclasses.replace(CONFIG, data=Path("x"), **{"data_set": "sop", setting: value})  # type: ignore[arg-type]  # on purpose


def test_an_index_that_is_streamed_is_not_averaged() -> None:
    with pytest.raises(ValueError, match="dba"):
        BenchmarkConfig(expand=("dba:10",), distractors=("a=x.npy",))


def test_a_comparison_with_embeddings_has_a_name_and_a_folder_of_its_own() -> None:
    files = ("my rival=q.npy", "i.npy", "x/a=b/mine.npy", "b.npy")
    config = BenchmarkConfig(embeddings=files)
    assert (config.runs, BenchmarkConfig().runs) == ((), ("happier",))
    # A model has the name that is given, or that of its file.
    assert [(one.name, str(one.query), str(one.index)) for one in config.rivals] == [
        ("my rival", "q.npy", "i.npy"),
        ("mine", "x/a=b/mine.npy", "b.npy"),
    ]
    assert config.folder == "benchmarks/comparisons/my_rival-mine"
    on_a_set = dataclasses.replace(config, name="first", data_set="sop", data=Path("x"))
    assert on_a_set.folder == "benchmarks/sop/comparisons/first"
    assert BenchmarkConfig().folder == "benchmarks"
    configs = (config, on_a_set, BenchmarkConfig(), BenchmarkConfig(name="first"))
    assert len({benchmark_stage(one).name for one in configs}) == len(configs)
