"""Measuring amid a run: what the metrics are, and that the run does not notice."""

import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hgld.engine.workspace import Workspace
from hgld.metrics import average_precision, hierarchical_average_precision, shared_levels
from hgld.metrics.relevance import decay_relevance, item_relevance, level_counts
from hgld.training.data.labels import training_images
from hgld.training.model.embedding import build_model
from hgld.training.watching.validation import (
    mean_similarity,
    measure_embeddings,
    measure_images,
)
from tests.worlds.training_runs import TINY


def random_unit(count: int) -> Tensor:
    vectors = torch.randn(count, 8, generator=torch.Generator().manual_seed(0))
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
    for name, values in expected.items():
        defined = [value for value in values if not math.isnan(value)]
        assert found.means[name] == pytest.approx(sum(defined) / len(defined), abs=1e-6)
        assert found.undefined[name] == len(values) - len(defined) == 1
    line = measure_embeddings(random_unit(3), torch.tensor([[0], [1], [2]])).line()
    assert line["h_ap"] is line["map_landmark"] is None  # as JSON has it
    assert line["queries"] == line["undefined_h_ap"] == 3


def test_mean_similarity_equals_the_double_loop() -> None:
    embeddings = 3 * random_unit(9)
    units = nn.functional.normalize(embeddings, dim=1)
    pairs = [float(units[i] @ units[j]) for i in range(9) for j in range(9) if i != j]
    assert mean_similarity(embeddings) == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)
    assert mean_similarity(torch.ones(5, 3)) == pytest.approx(1.0)
    assert math.isnan(mean_similarity(torch.ones(1, 3)))


@pytest.mark.parametrize("workers", [0, 2])
def test_training_steps_equal_those_of_a_run_without_validation(
    tiny_build: Workspace, workers: int
) -> None:
    """Dropout, batch statistics and all: the numbers are the same to the last bit."""
    images = training_images(tiny_build)

    def after_two_steps(*, validated: bool) -> tuple[dict[str, Tensor], str]:
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)
        model = nn.Sequential(build_model(TINY.model), nn.Dropout(0.5)).train()
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(2):
            pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
            optimiser.zero_grad()
            model(pixels)[:, :8].sum().backward()
            optimiser.step()
            if validated:
                found = measure_images(model, images, 32, workers=workers)
                assert found.queries == 40
                assert {*found.undefined.values()} == {0}
        modes = [module.training for module in model.modules()]
        drawn = (torch.rand(1), random.random(), np.random.rand(), modes)
        return model.state_dict(), repr(drawn)

    (weights, drawn), (others, also) = (after_two_steps(validated=one) for one in (False, True))
    assert drawn == also
    assert all(torch.equal(value, others[name]) for name, value in weights.items())
