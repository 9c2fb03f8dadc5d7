"""Which landmarks are held out: a share of each super-category, by name and not by place."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.engine.workspace import Workspace
from hgld.training.data.labels import training_images
from hgld.training.watching.held_out import hold_out_landmarks, images_at

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
