"""`hgld benchmark --methods`: what is not trained yet is, and all is compared."""

import tomllib

import pytest

from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.flows.build import load_step, run_step
from hgld.flows.steps import Sections
from hgld.training.config import METHOD_NAMES
from tests.worlds.benchmark_builds import write_build
from tests.worlds.commands.typed import said

TRAIN = """[train]
name = "mine"
backbone = "test_resnet"
weights = "random"
image_size = 32
batch_size = 8
samples_per_landmark = 2
epochs = 1
precision = "float32"
device = "cpu"
workers = 0
method = { name = "happier", alpha = 2.0 }
"""
SECTIONS: Sections = {
    "train": tomllib.loads(TRAIN)["train"],
    "benchmark": {"methods": ["happier", "nsm"], "seeds": [0, 1], "device": "cpu", "workers": 0},
}


def with_settings(**settings: object) -> Sections:
    return SECTIONS | {"benchmark": SECTIONS["benchmark"] | settings}


def compare(build: Workspace, **settings: object) -> list[str]:
    """Returns the stages that were not skipped."""
    reports = run_step(build.root, load_step("benchmark", with_settings(**settings)))
    return [one.manifest.stage for one in reports if not one.skipped]


@pytest.mark.usefixtures("compiled_sums")
def test_each_method_is_trained_once_a_seed_and_all_are_compared(workspace: Workspace) -> None:
    write_build(workspace, train_views=4)
    workspace.path("hgld.toml").write_text(TRAIN)
    words = "benchmark --root . --methods happier --methods nsm --seeds 0 --seeds 1 --device cpu"
    assert "train-nsm-1: " in said(*words.split(), "--workers", "0", folder=workspace.root)
    results = read_results(workspace.path("benchmarks"))
    runs = {one.name: one.runs for one in results.methods}
    assert runs == {
        "backbone happier-0": {},
        # Weights are random: those of seed 0 are the backbone as it is shown.
        "untrained happier": {"backbone happier-0": 0, "untrained happier-1": 1},
        "after happier": {"happier-0": 0, "happier-1": 1},
        "after nsm": {"nsm-0": 0, "nsm-1": 1},
    }
    assert compare(workspace) == []
    every = ["happier-0", "nsm-0", "happier-1", "nsm-1"]
    assert compare(workspace, methods=[], runs=every) == []  # the same, named by runs
    assert compare(workspace, seeds=[0], methods=["csl", "nsm"]) == ["train-csl-0", "benchmark"]


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
    kept = list(build.path("runs").iterdir())
    with pytest.raises(HgldError, match=word):
        compare(build, **settings)
    assert list(build.path("runs").iterdir()) == kept


def test_all_stands_for_every_method_and_a_recipe_for_the_settings() -> None:
    step = load_step("benchmark", with_settings(methods=["all"], seeds=[3]))
    trained = [f"train-{name}-3" for name in METHOD_NAMES]
    assert [stage.name for stage in step.stages] == [*trained, "benchmark"]
    # The settings of a method that [train] names are its own there too.
    assert step.stage_settings["train-happier-3"].method.alpha == 2.0
    recipe = load_step("benchmark", {"benchmark": {"methods": ["csl"], "recipe": "demo"}})
    assert [stage.name for stage in recipe.stages][:2] == ["train-demo-csl-0", "train-demo-csl-1"]
    assert recipe.stage_settings["train-demo-csl-0"].epochs != 1
