"""`hgld benchmark --methods`: what is not trained yet is, and all is compared."""

import copy
import json
import re
import shutil
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.config import METHOD_NAMES
from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError
from hgld.flows.build import (
    load_step,
    run_step,
)
from hgld.flows.steps import (
    Sections,
)
from hgld.training.run import loop
from hgld.training.run.step import take_step
from tests.worlds.benchmark_builds import write_build
from tests.worlds.commands.once import made_once
from tests.worlds.commands.typed import run_typed

SECTIONS: Sections = {
    "train": {
        "name": "mine",
        "backbone": "test_resnet",
        "weights": "random",
        "image_size": 32,
        "batch_size": 8,
        "samples_per_landmark": 2,
        "epochs": 1,
        "precision": "float32",
        "device": "cpu",
        "workers": 0,
        "method": {"name": "happier", "alpha": 2.0},
    },
    "benchmark": {"methods": ["happier", "nsm"], "seeds": [0, 1], "device": "cpu", "workers": 0},
}
RUNS = ["happier-0", "nsm-0", "happier-1", "nsm-1"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build that nothing was trained on, and the same after a comparison."""

    def make(folder: Path) -> None:
        write_build(Workspace(folder / "build"), train_views=4)
        shutil.copytree(folder / "build", folder / "compared")
        compare(Workspace(folder / "compared"))

    return made_once(tmp_path_factory, "comparing", make)


@pytest.fixture
def build(made: Path, workspace: Workspace) -> Workspace:
    """A build that nothing was trained on."""
    shutil.copytree(made / "build", workspace.root)
    return workspace


@pytest.fixture
def compared(made: Path, workspace: Workspace) -> Workspace:
    """A build on which two methods of two seeds are trained and compared."""
    shutil.copytree(made / "compared", workspace.root)
    return workspace


def with_settings(**settings: object) -> Sections:
    sections = copy.deepcopy(SECTIONS)
    sections["benchmark"] |= settings
    return sections


def compare(build: Workspace, **settings: object) -> list[str]:
    """Returns the stages that were not skipped."""
    reports = run_step(build.root, load_step("benchmark", with_settings(**settings)))
    return [one.manifest.stage for one in reports if not one.skipped]


def test_each_method_is_trained_once_a_seed_and_all_are_compared(compared: Workspace) -> None:
    results = read_results(compared.path("benchmarks"))
    assert [one.name for one in results.methods] == [
        *("before happier-0", "after happier", "after nsm"),
    ]
    runs = [one.runs for one in results.methods[1:]]
    assert runs == [{"happier-0": 0, "happier-1": 1}, {"nsm-0": 0, "nsm-1": 1}]


def test_the_command_prints_what_was_trained_and_the_table(build: Workspace) -> None:
    numbers = {name: value for name, value in SECTIONS["train"].items() if name != "method"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in numbers.items()]
    build.path("hgld.toml").write_text("\n".join(["[train]", *lines]))
    words = ("benchmark", "--root", build.root, "--methods", "csl", "--methods", "nsm")
    done = run_typed([*words, "--seeds", "2", "--device", "cpu", "--workers", "0"])
    assert done.returncode == 0, done.stderr
    for name in ("csl", "nsm"):
        assert re.search(rf"^train-{name}-2: ", done.stdout, re.M)
        assert name in done.stdout.partition("┏")[2]


def test_what_is_trained_already_is_not_trained_again(compared: Workspace) -> None:
    assert compare(compared) == []
    assert compare(compared, methods=[], runs=RUNS) == []  # the same, named by runs
    assert compare(compared, runs=RUNS[:2]) == []
    sections = with_settings()
    forced = run_step(compared.root, load_step("benchmark", sections), force=True)
    assert [one.manifest.stage for one in forced if not one.skipped] == ["benchmark"]
    assert compare(compared, seeds=[0], methods=["csl", "nsm"]) == ["train-csl-0", "benchmark"]
    sections["benchmark"] |= {"methods": ["nsm"], "seeds": [0]}
    sections["train"]["epochs"] = 2
    again = [one.skipped for one in run_step(compared.root, load_step("benchmark", sections))]
    assert again == [False] * 2


def test_a_comparison_that_was_stopped_goes_on_where_it_was(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def stop_at_the_last(*arguments: object, **options: object) -> None:
        if len(steps) == 3:
            raise InputError("stopped")
        steps.append(1)
        take_step(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(loop, "take_step", stop_at_the_last)
        with pytest.raises(InputError, match="stopped"):
            compare(build, methods=["nsm"])
    assert compare(build, methods=["nsm"]) == ["train-nsm-1", "benchmark"]
    results = read_results(build.path("benchmarks"))
    assert [len(one.runs) for one in results.methods] == [0, 2]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"methods": ["happiest"]}, "method"),
        ({"recipe": "mini"}, "recipe"),
        ({"embeddings": ["no/query.npy", "no/index.npy"]}, "no/query.npy"),
        ({"data_set": "sop", "data": "no/such"}, "no/such"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(
    settings: dict[str, object], word: str, build: Workspace
) -> None:
    with pytest.raises(HgldError, match=word):
        compare(build, **settings)
    assert not build.path("runs").exists()


def test_all_stands_for_every_method_and_a_recipe_for_the_settings() -> None:
    step = load_step("benchmark", with_settings(methods=["all"], seeds=[3]))
    assert [stage.name for stage in step.stages] == [
        *(f"train-{name}-3" for name in METHOD_NAMES),
        "benchmark",
    ]
    recipe = load_step("benchmark", {"benchmark": {"methods": ["csl"], "recipe": "demo"}})
    assert [stage.name for stage in recipe.stages][:2] == ["train-demo-csl-0", "train-demo-csl-1"]
    assert recipe.stage_settings["train-demo-csl-0"].epochs != 1


def test_the_settings_of_a_method_that_train_names_are_its_own_there_too() -> None:
    step = load_step("benchmark", SECTIONS)
    methods = {name: found.method for name, found in step.stage_settings.items()}
    assert methods["train-happier-1"].alpha == 2.0
    assert methods["train-nsm-1"].name == "nsm"
