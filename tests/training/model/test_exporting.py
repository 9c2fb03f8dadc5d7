"""The card of a model: tables that stay whole, and nothing of a person's folders."""

from hgld.training.model.exporting import ModelCard, model_card_text


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
