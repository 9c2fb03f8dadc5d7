"""Measuring amid a run: what the metrics are, and that the run does not notice."""

import dataclasses
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from hgld.engine.workspace import Workspace
from hgld.metrics import average_precision, hierarchical_average_precision, shared_levels
from hgld.metrics.relevance import decay_relevance, item_relevance, level_counts
from hgld.training.data.labels import training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from hgld.training.run.validation import (
    hold_out_landmarks,
    images_at,
    mean_similarity,
    measure_embeddings,
    measure_images,
)
from tests.training.data.test_images import rewritten
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


def test_training_steps_equal_those_of_a_run_without_validation(tiny_build: Workspace) -> None:
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
                found = measure_images(model, images, TINY, workers=1)
                assert len(found.embeddings) == 40
                assert {*found.undefined.values()} == {0}
        modes = [module.training for module in model.modules()]
        drawn = (torch.rand(1), random.random(), np.random.rand(), modes)
        return model.state_dict(), repr(drawn)

    (weights, drawn), (others, also) = (after_two_steps(validated=one) for one in (False, True))
    assert drawn == also
    assert all(torch.equal(value, others[name]) for name, value in weights.items())


def test_held_out_images_are_measured_by_the_resize_of_the_run(tiny_build: Workspace) -> None:
    images = training_images(tiny_build).at(range(12))
    for place in range(0, 12, 2):
        images = rewritten(images, place, Image.effect_noise((90, 40), 90).convert("RGB"))
    config = dataclasses.replace(TINY, resize="longest")
    model = build_model(config.model)
    expected = embed_images(model, images.files(), device="cpu")
    found = measure_images(model, images, config).embeddings
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


Images = list[tuple[str, str, str]]
"""Landmark, super-category and top level of each image."""

MANY: Images = [
    (f"{number}", f"class {number % 7}", "natural" if number % 7 < 3 else "human-made")
    for number in range(200)
    for _ in range(1 + number % 3)
]


def held(images: Images, *, share: float = 0.2, seed: int = 0) -> set[str]:
    """Returns the landmarks that are held out; every image, and landmark, is on one side."""
    # As `training_images` does: ids in the order of the names.
    names = [sorted({image[level] for image in images}) for level in range(3)]
    rows = [[names[level].index(image[level]) for level in range(3)] for image in images]
    sides = hold_out_landmarks(torch.tensor(rows), names, share=share, seed=seed)
    train, validation = (side.tolist() for side in sides)
    assert sorted(train + validation) == list(range(len(images)))
    assert train == sorted(train)
    found = {images[position][0] for position in validation}
    assert not found & {images[position][0] for position in train}
    return found


def test_each_supercategory_gives_its_share_and_keeps_members() -> None:
    chosen = held(MANY, share=0.2)
    for number in range(7):
        landmarks = {image[0] for image in MANY if image[1] == f"class {number}"}
        # 28 or 29 landmarks, of which a fifth is 5.6 or 5.8.
        assert len(landmarks & chosen) in {5, 6}
    # Some landmarks are of two super-categories.
    held([*MANY, *[(image[0], "class 0", "natural") for image in MANY[:30]]], share=0.3)


def test_small_supercategories_give_the_share_on_average_but_never_their_last_landmark() -> None:
    # 300 super-categories of 2 landmarks, 50 of one: 0.2 x 600 = 120 of the former in expectation.
    images = [(f"{one}-{two}", f"class {one}", "top") for one in range(300) for two in range(2)]
    images += [(f"alone-{one}", f"lone {one}", "top") for one in range(50)]
    counts = [len(held(images, share=0.2, seed=seed)) for seed in range(10)]
    # The standard deviation of one is sqrt(300 x 0.4 x 0.6) = 8.5, of the mean of ten 2.7.
    assert sum(counts) / len(counts) == pytest.approx(120, abs=11)
    chosen = held(images, share=0.9)
    assert not any(one.startswith("alone") for one in chosen)
    for one in range(300):
        assert len({f"{one}-0", f"{one}-1"} & chosen) <= 1


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(len(MANY[:60]))), more=st.integers(1, 5))
def test_neither_the_order_nor_more_images_of_the_landmarks_change_it(
    order: Sequence[int], more: int
) -> None:
    images = [MANY[position] for position in order]
    assert held(images + images[:more] * 3) == held(MANY[:60])


def test_another_landmark_moves_at_most_one_and_none_of_another_supercategory() -> None:
    before = held(MANY)
    for number in range(30):
        after = held([*MANY, (f"new {number}", "class 3", "human-made")])
        moved = (before ^ after) - {f"new {number}"}
        assert len(moved) <= 1
        of_class = {image[0] for image in MANY if image[1] == "class 3"}
        assert moved <= of_class


def test_one_level_is_one_supercategory_and_too_small_a_share_is_refused() -> None:
    labels = torch.arange(40)[:, None]
    names = [[str(number) for number in range(40)]]
    _, validation = hold_out_landmarks(labels, names, share=0.25)
    assert len(validation) in {10, 11}
    with pytest.raises(ValueError, match="share"):
        hold_out_landmarks(labels, names, share=0.0001)


def test_the_chosen_images_carry_every_label_that_is_left(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    places = [39, 0, 13]
    chosen = images_at(images, torch.tensor(places))
    assert chosen.files() == [images.picture(at) for at in places]
    assert chosen.image_ids.to_pylist() == [images.image_ids[at].as_py() for at in places]
    for level, names in enumerate(chosen.names):
        labels = chosen.labels[:, level].tolist()
        assert {*labels} == {*range(len(names))}
        expected = images.labels[places, level].tolist()
        assert [names[one] for one in labels] == [images.names[level][one] for one in expected]
