"""The command's parts on rows from elsewhere: what they plan, and how they are asked for."""

from pathlib import Path

import pytest

from hgld.benchmarks.robustness import __main__ as command
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from tests.benchmarks.robustness.out_of_distribution.problems.test_landmarks import (
    Vectors,
    build,
    files,
    vectors,
)

__all__ = ["build", "vectors"]  # fixtures


def test_without_a_build_packaged_data_is_planned() -> None:
    units = command.plan_shifts(None, [], [], [3])
    assert [(unit.part, unit.data_set, unit.seed) for unit in units] == [
        ("out_of_distribution", "Digits", 3),
        ("out_of_distribution", "Nouns", 3),
        ("self_labelling", "Digits, changed", 3),
    ]


def test_embeddings_without_two_classes_in_common_are_planned_out_of_distribution_alone(
    build: Workspace, vectors: Vectors, caplog: pytest.LogCaptureFixture
) -> None:
    given = files(vectors)
    named = (f"mine={given['train']}", str(given["test"]), str(given["index"]))
    units = command.plan_shifts(build.root, [named], [], [0])
    assert [(unit.part, unit.data_set) for unit in units[3:]] == [("out_of_distribution", "mine")]
    assert "mine: no self-labelling: training and index images must have two" in caplog.text


def test_a_folder_of_no_embeddings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="with a name of --embeddings, got 'other'; there are none"
    ):
        command.plan_shifts(None, [], [f"other={tmp_path}"], [0])
