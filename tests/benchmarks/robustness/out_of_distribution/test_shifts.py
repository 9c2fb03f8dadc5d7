"""The command's parts on rows from elsewhere: what they plan, and how they are asked for."""

from pathlib import Path

import pytest

from hgld.benchmarks.robustness import __main__ as command
from hgld.benchmarks.robustness.data_sets.models import given_models
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
    units, missing = command.plan_shifts(None, [], [3])
    assert [(unit.part, unit.data_set, unit.seed) for unit in units] == [
        ("out_of_distribution", "Digits", 3),
        ("out_of_distribution", "Nouns", 3),
        ("self_labelling", "Digits, changed", 3),
    ]
    assert missing == ["Without a build there are no queries of no landmark, nor any other."]


def test_embeddings_without_two_classes_in_common_are_planned_out_of_distribution_alone(
    build: Workspace, vectors: Vectors
) -> None:
    given = files(vectors)
    named = (f"mine={given['train']}", str(given["test"]), str(given["index"]))
    units, missing = command.plan_shifts(build.root, given_models([named], []), [0])
    assert [(unit.part, unit.data_set) for unit in units[3:]] == [("out_of_distribution", "mine")]
    said = " ".join(missing)
    assert "mine: self-labelling. training and index images must have two" in said
    assert "mine: HEAT with the std of feature maps" in said
    assert "non-landmark" not in said  # the build has one


def test_a_folder_of_no_embeddings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name"):
        given_models([], [f"other={tmp_path}"])
