import dataclasses
from typing import Any

import pytest

from hgld.engine.config import from_mapping, row_settings, setting_fields
from hgld.errors import InputError
from hgld.tables import FILLED
from hgld.training.config import STAGE, TrainConfig, train_stage
from hgld.training.methods import Happier, RecallAtK, Roadmap, TrainingMethod
from hgld.training.model.config import ModelConfig


def test_the_defaults_are_the_published_settings_for_hgldv2() -> None:
    config = TrainConfig()
    assert (config.backbone, config.pooling, config.image_size) == ("resnet101", "gem", 224)
    assert (config.batch_size, config.samples_per_landmark, config.max_per_landmark) == (256, 4, 8)
    assert (config.learning_rate, config.weight_decay, config.optimiser) == (1e-4, 1e-4, "adam")
    assert config.method == Happier(alpha=1.0, clustering_weight=0.1, temperature=0.05)
    assert config.name == "happier"


def test_a_run_is_named_after_its_method_unless_it_has_a_name() -> None:
    assert TrainConfig(method=RecallAtK()).name == "recall_at_k"
    assert TrainConfig(method=RecallAtK(), name="seed-1").name == "seed-1"


def test_a_method_is_its_name_or_a_table_with_what_differs() -> None:
    def read(method: object) -> TrainingMethod:
        return from_mapping(TrainConfig, {"method": method}, where="[train]").method

    assert read("roadmap") == Roadmap()
    assert read({"name": "happier", "alpha": 2}) == Happier(alpha=2.0)
    assert read({"name": "recall_at_k", "ks": [1, 4]}) == RecallAtK(ks=(1, 4))


def test_the_help_of_the_method_names_them_all() -> None:
    (method,) = [one for one in setting_fields(TrainConfig) if one.name == "method"]
    assert [name for name in method.choices if name not in method.help_text] == []


def test_the_fingerprint_has_the_settings_of_the_method() -> None:
    assert row_settings(TrainConfig(method=Roadmap()))["method"] == {
        "name": "roadmap",
        "decomposability_weight": 0.5,
        "positive_similarity": 0.9,
        "negative_similarity": 0.6,
    }


def test_what_only_costs_time_is_no_part_of_the_fingerprint() -> None:
    settings = row_settings(TrainConfig(workers=0, log_every_steps=1, checkpoint_every_s=1.0))
    assert settings == row_settings(TrainConfig(device="cpu"))
    assert settings != row_settings(TrainConfig(seed=1))


def test_the_model_is_described_by_its_part_of_the_settings() -> None:
    config = TrainConfig(backbone="resnet18", weights="random", embedding_dim=64, image_size=96)
    assert config.model == ModelConfig(
        backbone="resnet18", weights="random", embedding_dim=64, image_size=96
    )


def test_before_training_is_only_the_backbone_and_its_pooling() -> None:
    plain = ModelConfig(backbone="test_vit", pooling="average", scales=(1.0, 1.5))
    config = dataclasses.replace(
        plain, embedding_dim=8, whitening=True, inner_weight=0.7, centring=True
    )
    assert config.before_training == plain


def test_each_run_is_a_stage_with_its_own_file() -> None:
    assert STAGE.name == "train"
    assert STAGE.output_files == ("runs/happier/model.safetensors", "runs/happier/config.json")
    assert train_stage("seed-1").name == "train-seed-1"
    assert train_stage("seed-1").output_files == (
        "runs/seed-1/model.safetensors",
        "runs/seed-1/config.json",
    )
    assert FILLED["train"] not in train_stage("seed-1").inputs
    assert FILLED["train"] in train_stage("seed-1", "all").inputs


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"batch_size": 10}, "samples_per_landmark"),
        ({"name": "../model"}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"method": "roadmpa"}, "roadmpa"),
        ({"method": {"alpha": 1.0}}, "name"),
        ({"method": {"name": "nsm", "alpha": 1.0}}, "alpha"),
        ({"method": {"name": "happier", "clustering_weight": 1.5}}, "clustering_weight"),
        ({"method": {"name": "roadmap", "positive_similarity": 2}}, "positive_similarity"),
        ({"method": {"name": "arcface", "margin": 4.0}}, "margin"),
        ({"method": {"name": "recall_at_k", "ks": [0]}}, "ks"),
        ({"average_decay": 1.0}, "average_decay"),
        ({"layer_decay": 1.5}, "layer_decay"),
        ({"gradient_clip": 0.0}, "gradient_clip"),
        ({"workers": -1}, "workers"),
        ({"image_size": 0}, "image_size"),
        ({"image_size": 10**6}, "image_size"),
        ({"image_size": 224.5}, "image_size"),
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"embedding_dim": 10**9}, "embedding_dim"),
        ({"precision": "int8"}, "precision"),
        ({"batchsize": 8}, "batchsize"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"tensorboard": "no"}, "tensorboard"),
        ({"keep": "best"}, "validation_share"),
        ({"max_per_landmark": 3}, "max_per_landmark"),
        ({"supercategories_per_batch": 0}, "supercategories_per_batch"),
        ({"min_crop": 0.0}, "min_crop"),
        ({"min_crop": float("nan")}, "min_crop"),
        ({"colour_jitter": 1.1}, "colour_jitter"),
        ({"crop_pct": 0.0}, "crop_pct"),
        ({"crop_pct": 1.01}, "crop_pct"),
        ({"pooling": "max"}, "pooling"),
        ({"whitening": True}, "embedding_dim"),
        ({"inner_weight": float("nan")}, "inner_weight"),
        ({"inner_weight": 0.7, "pooling": "backbone"}, "inner_weight"),
        ({"scales": []}, "scales"),
        ({"scales": [1.0, -1.0]}, "scales"),
        ({"scales": [0.001]}, "scales"),
        ({"scales": 1.0}, "scales"),
        ({"checkpoint_every_s": 0.0}, "checkpoint_every_s"),
        ({"labels": "fills"}, "labels"),
        ({"min_confidence": 1.5}, "min_confidence"),
    ],
)
def test_a_wrong_setting_is_refused(setting: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        from_mapping(TrainConfig, setting, where="[train]")


@pytest.mark.parametrize(("setting", "value"), [("epochs", 1.5), ("name", 3), ("workers", -1)])
def test_a_wrong_setting_is_refused_from_python_too(setting: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=setting):
        TrainConfig(**{setting: value})
