"""The card of a model: tables that stay whole, and nothing of a person's folders."""

import pytest

from hgld.training.model.exporting import ModelCard, model_card_text, training_hours


def test_a_card_keeps_its_tables_whole_and_ones_folders_to_oneself() -> None:
    model = {"backbone": "resnet18", "crop_pct": 0.875, "scales": [1.0, 1.4142]}
    text = model_card_text(
        ModelCard(
            run="seed-1",
            model={"embedding_dim": 8, "image_size": 32, "weights_sha256": "ab", "model": model},
            settings={"weights": "/home/me/secret/w.pth", "odd|name": "a`b\nc"},
            finished_at="",
            data={},
            release="",
            hours=None,
            measured=[],
            measured_on="",
        )
    )
    assert {"| `odd\\|name` | `a'b c` |", "| `weights` | `w.pth` |"} <= {*text.splitlines()}
    assert "secret" not in text
    assert "1 and 1.4142 times" in text


def test_the_hours_of_a_run_are_those_of_the_steps_between_its_lines() -> None:
    # 50 steps of 72 images at 10 a second, then 25 at 20: 360 s and 90 s.
    lines = [
        '{"step": 50, "images_per_s": 10.0}',
        '{"step": 60, "h_ap": 0.5}',
        '{"step": 75, "images_per_s": 20.0}',
    ]
    assert training_hours(lines, 72) == pytest.approx(450 / 3600)
    for unknown in (
        [],
        ["{"],
        ["[1]"],
        ['{"images_per_s": 1}'],
        ['{"step": 1, "images_per_s": 0}'],
    ):
        assert training_hours(unknown, 72) is None
