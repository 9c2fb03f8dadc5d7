"""The card of a model says what is known, and says of the rest that it is not."""

import dataclasses

import pytest

from hgld.training.model.exporting import (
    Measured,
    ModelCard,
    model_card_text,
    training_hours,
)

CARD = ModelCard(
    run="seed-1",
    model={
        "embedding_dim": 8,
        "image_size": 32,
        "weights_sha256": "ab" * 32,
        "model": {"backbone": "resnet18", "weights": "hub", "crop_pct": 0.875},
    },
    settings={"backbone": "resnet18", "weights": "/home/me/secret/w.pth", "odd|name": "a`b\nc"},
    finished_at="2026-01-02T03:04:05+00:00",
    data={"annotations/train": "cd" * 32},
    release="1.2.0",
    hours=1.25,
    measured=[Measured("H-AP, all levels", "50.0 ± 1.0", "60.0 ± 1.1")],
    measured_on="87 queries.",
)


def test_a_card_says_all_that_is_known() -> None:
    lines = model_card_text(CARD).splitlines()
    assert lines[0] == "---"
    assert "library_name: hgld" in lines[: lines.index("---", 1)]
    for line in (
        "# seed-1",
        "The labels of release 1.2.0.",
        f"| `annotations/train` | `{'cd' * 32}` |",
        "Ended 2026-01-02T03:04:05+00:00. Time of its steps: 1.25 hours.",
        "87 queries.",
        "| H-AP, all levels | 50.0 ± 1.0 | 60.0 ± 1.1 |",
        'print(hgld.embed_images(model, ["picture.jpg"]).shape)  # (1, 8)',
    ):
        assert line in lines
    assert f"SHA-256 `{'ab' * 32}`" in model_card_text(CARD)


def test_a_card_says_at_which_sizes_a_model_sees_pictures() -> None:
    at_two = {"backbone": "resnet18", "scales": [1.0, 1.4142], "crop_pct": 1.0}
    text = model_card_text(dataclasses.replace(CARD, model={**CARD.model, "model": at_two}))
    assert "images of 32 x 32 pixels, which it sees at 1 and 1.4142 times that size: of a" in text
    at_one = {**at_two, "scales": [1.0]}
    text = model_card_text(dataclasses.replace(CARD, model={**CARD.model, "model": at_one}))
    assert "images of 32 x 32 pixels: of a" in text


def test_a_card_keeps_its_tables_whole_and_ones_folders_to_oneself() -> None:
    lines = model_card_text(CARD).splitlines()
    assert "| `odd\\|name` | `a'b c` |" in lines
    assert "| `weights` | `w.pth` |" in lines
    assert "secret" not in model_card_text(CARD)


def test_a_card_says_what_is_not_known() -> None:
    bare = dataclasses.replace(
        CARD, settings={}, data={}, release="", hours=None, measured=[], finished_at=""
    )
    text = model_card_text(bare)
    assert "Not known here: no training that ended in this build wrote these weights." in text
    assert "No benchmark has measured this model yet" in text
    assert "| `backbone` | `resnet18` |" in text
    assert "hours" not in text
    text = model_card_text(dataclasses.replace(CARD, release="", hours=None))
    assert "of no release that is known here" in text
    assert "Time of its steps: not known." in text


def test_the_hours_of_a_run_are_those_of_the_steps_between_its_lines() -> None:
    # 50 steps of 72 images at 10 a second, then 25 at 20: 360 s and 90 s.
    lines = [
        '{"step": 50, "images_per_s": 10.0}',
        '{"step": 60, "h_ap": 0.5}',
        '{"step": 75, "images_per_s": 20.0}',
    ]
    assert training_hours(lines, 72) == pytest.approx(450 / 3600)


@pytest.mark.parametrize(
    "lines", [[], ["{"], ["[1]"], ['{"images_per_s": 1}'], ['{"step": 1, "images_per_s": 0}']]
)
def test_hours_that_a_log_does_not_tell_are_not_known(lines: list[str]) -> None:
    assert training_hours(lines, 72) is None
