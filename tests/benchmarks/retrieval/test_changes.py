"""Changes to the algorithm, compared on landmarks that none of them was trained on."""

import dataclasses
import json
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval import changes
from hgld.benchmarks.retrieval.changes import held_out, planned_changes
from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.config import read_toml
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.labels import training_images
from tests.training.conftest import tiny_build
from tests.worlds.training_runs import TINY

__all__ = ["tiny_build"]  # a fixture


@pytest.mark.parametrize("name", ["changes", "choices"])
def test_each_change_is_one_and_all_hold_out_the_same_landmarks(name: str) -> None:
    content = read_toml(Path(changes.__file__).with_name(f"{name}.toml"))
    found = list(planned_changes(content, [0, 1]))
    first = [one for one in found if one.seed == 0]
    assert len(found) == 2 * len(first) == 2 * len(content["changes"])
    assert {one.validation_share for one in found} == {0.3}
    unnamed = [dataclasses.replace(one, name="x") for one in first]
    assert all(one not in unnamed[:number] for number, one in enumerate(unnamed))


@pytest.mark.usefixtures("compiled_sums")
def test_the_command_trains_and_compares_on_what_was_held_out(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    stated = dataclasses.asdict(TINY) | {"epochs": 1}
    tiny = {name: one for name, one in stated.items() if isinstance(one, int | float | str)}
    shared = "\n".join(f"{name} = {json.dumps(one)}" for name, one in tiny.items())
    path = tmp_path / "sizes.toml"
    path.write_text(
        f"""
        [train]
        {shared}
        [benchmark]
        expand = ["qe:2"]
        [changes.plain]
        batch_size = 4
        [changes.larger]
        batch_size = 4
        image_size = 40
        """
    )
    assert changes.main(["--root", str(tiny_build.root), "--changes", str(path)]) == 0
    results = read_results(tiny_build.path("benchmarks/comparisons/sizes"))
    names = [one.name for one in results.methods if one.runs]
    runs = ["after change-plain-0", "after change-larger-0"]
    assert names == [f"{run}{ranked}" for run in runs for ranked in ("", " + qe:2")]
    data = held_out(tiny_build, next(planned_changes(read_toml(path), [0])))
    assert results.counts["queries"] == len(data.queries) < len(training_images(tiny_build))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "changes.NAME"),
        ("[changes]\nx = 3", "changes.NAME"),
        ("[changes.x]\nepoch = 3", "epochs"),
    ],
)
def test_a_list_without_a_change_or_with_a_setting_that_is_none_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, named: str
) -> None:
    (tmp_path / "mine.toml").write_text(text)
    assert changes.main(["--root", str(tmp_path), "--changes", str(tmp_path / "mine.toml")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line


def test_what_is_unknown_of_the_held_out_is_refused_and_no_label(tiny_build: Workspace) -> None:
    by_kind = dataclasses.replace(TINY, validation_share=0.5)
    assert len(held_out(tiny_build, by_kind).queries)
    with pytest.raises(InputError, match="hierarchy"):
        held_out(tiny_build, dataclasses.replace(by_kind, hierarchy="place"))
