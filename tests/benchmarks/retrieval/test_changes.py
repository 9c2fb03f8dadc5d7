"""Changes to the algorithm, compared on landmarks that none of them was trained on."""

import dataclasses
from collections.abc import Iterator

import pytest

from hgld.benchmarks.retrieval import changes
from hgld.benchmarks.retrieval.changes import held_out, planned_changes
from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.workspace import Workspace
from hgld.training.config import TrainConfig
from hgld.training.data.labels import training_images
from tests.training.conftest import tiny_build
from tests.worlds.training_runs import TINY

__all__ = ["tiny_build"]  # a fixture


def test_each_change_is_one_and_all_hold_out_the_same_landmarks() -> None:
    found = list(planned_changes([0, 1]))
    first = [one for one in found if one.seed == 0]
    assert len(found) == 2 * len(first)
    assert {(one.validation_share, one.validation_seed) for one in found} == {(0.3, 0)}
    unnamed = [dataclasses.replace(one, name="x", recipe="") for one in first[:-1]]
    assert all(one not in unnamed[:number] for number, one in enumerate(unnamed))


def test_the_command_trains_and_compares_on_what_was_held_out(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = dataclasses.replace(TINY, validation_share=0.5, validate_every_steps=1000, batch_size=4)

    def planned(seeds: list[int]) -> Iterator[TrainConfig]:
        for name, image_size in (("plain", 32), ("larger", 40)):
            run = dataclasses.replace(plain, name=f"change-{name}-{seeds[0]}", seed=seeds[0])
            yield dataclasses.replace(run, image_size=image_size)

    monkeypatch.setattr(changes, "planned_changes", planned)
    assert changes.main(["--root", str(tiny_build.root)]) == 0
    results = read_results(tiny_build.path("benchmarks/comparisons/changes"))
    names = [one.name for one in results.methods if one.runs]
    assert names == ["after change-plain-0", "after change-larger-0"]
    data = held_out(tiny_build, plain)
    assert results.counts["queries"] == len(data.queries) < len(training_images(tiny_build))
