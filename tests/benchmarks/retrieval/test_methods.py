import dataclasses

import pytest
import torch

from hgld.benchmarks.retrieval.config import model_file
from hgld.benchmarks.retrieval.methods import RetrievalMethod, load_methods
from hgld.benchmarks.retrieval.results import read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.training.model.embedding import build_model, save_model
from tests.worlds.benchmark_builds import CONFIG, MODEL, write_build, write_run


def test_a_baseline_has_the_backbone_of_before_training_and_no_linear_layer(
    build: Workspace,
) -> None:
    before, after = load_methods(build, CONFIG)
    assert after.model.projection is not None
    assert before.model.projection is None
    expected = build_model(MODEL).state_dict()
    assert all(
        torch.equal(value, expected[key]) for key, value in before.model.state_dict().items()
    )


def test_runs_of_one_model_share_a_baseline_and_others_have_their_own(build: Workspace) -> None:
    write_run(build, "second", seed=5)
    other = dataclasses.replace(MODEL, backbone="test_efficientnet")
    path = build.path(model_file("other"))
    path.parent.mkdir()
    save_model(build_model(other), path)
    config = dataclasses.replace(CONFIG, runs=("happier", "other", "second"))
    run_benchmark(build, config)
    methods = read_results(build).methods
    assert [(method.name, method.baseline) for method in methods] == [
        ("before happier", ""),
        ("after happier", "before happier"),
        ("after second", "before happier"),
        ("before other", ""),
        ("after other", "before other"),
    ]
    assert len({method.title for method in methods}) == 5
    # This one was saved as it was built, so nothing may have changed.
    assert methods[4].changes["h_ap"].mean == 0
    assert (methods[4].better, methods[4].worse) == (0, 0)


def test_without_a_run_it_says_to_train(workspace: Workspace) -> None:
    write_build(workspace)
    with pytest.raises(MissingInputError, match=r"runs/happier/model.pt is not there yet; run `hg"):
        run_benchmark(workspace, CONFIG)
    write_run(workspace, "mine")
    with pytest.raises(MissingInputError, match=r"or set runs of \[benchmark\] to one of mine$"):
        run_benchmark(workspace, CONFIG)


def test_a_backbone_with_its_own_pooling_takes_no_other_size(build: Workspace) -> None:
    own = dataclasses.replace(MODEL, backbone="test_vit", pooling="backbone", image_size=160)
    save_model(build_model(own), build.path(model_file("happier")))
    with pytest.raises(InputError, match="takes images of 160 px alone; leave image_size out"):
        load_methods(build, dataclasses.replace(CONFIG, image_size=96))
    assert all(isinstance(method, RetrievalMethod) for method in load_methods(build, CONFIG))
