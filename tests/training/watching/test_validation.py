"""Measuring amid a run: what the metrics are, and that the run does not notice."""

import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.metrics import average_precision, hierarchical_average_precision, shared_levels
from hgld.metrics.relevance import decay_relevance, item_relevance, level_counts
from hgld.training.data.labels import training_images
from hgld.training.model.embedding import build_model
from hgld.training.watching.validation import (
    Validator,
    embed_undisturbed,
    mean_similarity,
    measure_embeddings,
)
from tests.worlds.training_runs import TINY


def random_unit(count: int, seed: int = 0) -> Tensor:
    vectors = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))
    return nn.functional.normalize(vectors, dim=1)


def test_each_image_queries_all_others_and_not_itself() -> None:
    embeddings = random_unit(30)
    labels = torch.tensor([[n // 3, n // 6, n // 15] for n in range(30)])
    labels[29] = torch.tensor([99, 99, 99])  # shares nothing with anybody
    found = measure_embeddings(embeddings, labels)
    expected: dict[str, list[float]] = {"h_ap": [], "map_landmark": [], "map_top": []}
    for query in range(30):
        others = [other for other in range(30) if other != query]
        order = sorted(others, key=lambda one: -float(embeddings[query] @ embeddings[one]))
        level = shared_levels(labels[query : query + 1], labels[order])
        relevance = item_relevance(level, decay_relevance(level_counts(level, 3)))
        expected["h_ap"].append(float(hierarchical_average_precision(relevance)))
        expected["map_landmark"].append(float(average_precision(level >= 3)))
        expected["map_top"].append(float(average_precision(level >= 1)))
    assert found.queries == 30
    for name, values in expected.items():
        defined = [value for value in values if not math.isnan(value)]
        assert found.means[name] == pytest.approx(sum(defined) / len(defined), abs=1e-6)
        assert found.undefined[name] == len(values) - len(defined)
    assert found.undefined["h_ap"] == 1
    # Its landmark lost an image to the one that shares nothing, and has two left.
    assert found.undefined["map_landmark"] == 1


def test_the_line_is_json_and_none_where_nothing_is_defined() -> None:
    found = measure_embeddings(random_unit(3), torch.tensor([[0], [1], [2]]))
    line = found.line()
    assert line["h_ap"] is None
    assert line["map_landmark"] is None
    assert line["queries"] == 3
    assert line["undefined_h_ap"] == line["undefined_map_landmark"] == 3


def test_mean_similarity_equals_the_double_loop() -> None:
    embeddings = 3 * random_unit(9)
    units = nn.functional.normalize(embeddings, dim=1)
    pairs = [float(units[i] @ units[j]) for i in range(9) for j in range(9) if i != j]
    assert mean_similarity(embeddings) == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)
    assert mean_similarity(torch.ones(5, 3)) == pytest.approx(1.0)
    assert math.isnan(mean_similarity(torch.ones(1, 3)))


@pytest.mark.parametrize("workers", [0, 2])
def test_neither_the_modes_nor_the_weights_nor_any_generator_change(
    tiny_build: Workspace, workers: int
) -> None:
    model = build_model(TINY.model)
    model.train()
    modes = [module.training for module in model.modules()]
    assert len(set(modes)) == 2  # batch normalisation is frozen, the rest is not
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()

    validator = Validator(images=training_images(tiny_build), image_size=32, workers=workers)
    found = validator.measure(model)

    after = torch.get_rng_state(), random.getstate(), np.random.get_state()
    assert torch.equal(before[0], after[0])
    assert repr(before[1:]) == repr(after[1:])
    assert [module.training for module in model.modules()] == modes
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name])
    assert found.queries == 40
    assert found.embeddings.shape == (40, 96)
    assert 0 < found.means["h_ap"] <= 1
    # Of one landmark there are three images, of each other more: each has something to find.
    assert set(found.undefined.values()) == {0}


class Drawing(nn.Module):
    """A model that draws numbers in evaluation, and raises where it is told."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.fails = fails

    def forward(self, images: Tensor) -> Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        if self.fails:
            raise ArithmeticError
        pooled = images.float().mean(dim=(2, 3)) + torch.rand(3)
        return nn.functional.normalize(self.linear(pooled), dim=1)


def test_a_model_that_draws_in_evaluation_takes_no_number_from_the_run() -> None:
    pictures = [torch.full((3, 4, 4), 20 * n, dtype=torch.uint8) for n in range(5)]
    model, state = Drawing(), torch.get_rng_state()
    embeddings = embed_undisturbed(model, pictures)  # type: ignore[arg-type]
    assert embeddings.shape == (5, 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_error_amid_it_leaves_the_model_as_it_was() -> None:
    model = Drawing(fails=True)
    model.train()
    pictures = [torch.zeros(3, 4, 4, dtype=torch.uint8)]
    with pytest.raises(ArithmeticError):
        embed_undisturbed(model, pictures)  # type: ignore[arg-type]
    assert model.training
    assert model.linear.training
    assert torch.is_grad_enabled()


def test_a_training_step_equals_that_of_a_run_without_validation(tiny_build: Workspace) -> None:
    """Dropout, batch statistics and all: the numbers are the same to the last bit."""

    def weights_after_two_steps(*, validated: bool) -> dict[str, Tensor]:
        torch.manual_seed(3)
        model = nn.Sequential(build_model(TINY.model), nn.Dropout(0.5)).train()
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        validator = Validator(images=training_images(tiny_build), image_size=32)
        for _ in range(2):
            pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
            optimiser.zero_grad()
            model(pixels)[:, :8].sum().backward()
            optimiser.step()
            if validated:
                validator.measure(model)
        return model.state_dict()

    undisturbed = weights_after_two_steps(validated=False)
    for name, value in weights_after_two_steps(validated=True).items():
        assert torch.equal(value, undisturbed[name]), name


def test_a_picture_that_is_gone_is_named(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    images.path(7).unlink()
    with pytest.raises(DamagedError, match=images.path(7).name):
        Validator(images=images, image_size=32).measure(build_model(TINY.model))
