from typing import Any

import pytest

from hgld.engine.config import from_mapping, row_settings, setting_fields
from hgld.errors import InputError
from hgld.tables import FILLED
from hgld.training.config import STAGE, TrainConfig, train_stage
from hgld.training.methods.config import Happier, RecallAtK, Roadmap, TrainingMethod
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
    settings = row_settings(TrainConfig(workers=0, log_every_steps=1, checkpoint_every_steps=1))
    assert settings == row_settings(TrainConfig(device="cpu"))
    assert settings != row_settings(TrainConfig(seed=1))


def test_the_model_is_described_by_its_part_of_the_settings() -> None:
    config = TrainConfig(backbone="resnet18", weights="random", embedding_dim=64, image_size=96)
    assert config.model == ModelConfig(
        backbone="resnet18", weights="random", embedding_dim=64, image_size=96
    )


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
    ("setting", "text"),
    [
        ({"batch_size": 10}, r"multiple of samples_per_landmark \(4\), got 10"),
        ({"name": "../model"}, "name must be letters"),
        ({"epochs": 0}, "epochs must be above 0, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"method": "roadmpa"}, "method must be one of 'happier', 'roadmap', .*got 'roadmpa'"),
        ({"method": {"alpha": 1.0}}, "method must have a key name, which is one of 'happier'"),
        (
            {"method": {"name": "nsm", "alpha": 1.0}},
            "method nsm: unknown key 'alpha'; known keys: name, temperature",
        ),
        (
            {"method": {"name": "happier", "clustering_weight": 1.5}},
            "method happier: clustering_weight must be from 0 to 1, got 1.5",
        ),
        ({"method": {"name": "roadmap", "positive_similarity": 2}}, "must be from -1 to 1, got 2"),
        ({"method": {"name": "arcface", "margin": 4.0}}, "margin must be from 0 to 3 radians"),
        ({"method": {"name": "recall_at_k", "ks": [0]}}, "ks must be one or more numbers above 0"),
        ({"average_decay": 1.0}, "average_decay must be from 0 to 0.999999; .*got 1.0"),
        ({"layer_decay": 1.5}, "layer_decay must be above 0 and at most 1; .*got 1.5"),
        ({"gradient_clip": 0.0}, "gradient_clip must be above 0, got 0.0"),
        ({"images_at_once": 8, "freeze_batch_norm": False}, "needs freeze_batch_norm = true"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more"),
        ({"workers": -1}, "workers must be 0 or more, got -1"),
        ({"image_size": 0}, "image_size must be above 0"),
        ({"embedding_dim": 0}, "embedding_dim must be above 0"),
        ({"precision": "int8"}, "precision must be one of 'float32', 'bfloat16', 'float16'"),
        ({"batchsize": 8}, "unknown key 'batchsize'"),
        ({"learning_rate": float("inf")}, "learning_rate must be finite, got inf"),
        ({"weight_decay": float("inf")}, "weight_decay must be finite, got inf"),
        ({"seed": -1}, r"seed must be from 0 to 2\^63 - 1, got -1"),
        ({"seed": 2**64}, r"seed must be from 0 to 2\^63 - 1, got 18446744073709551616"),
        ({"image_size": 10**6}, "image_size must be at most 4,096, got 1,000,000"),
        ({"embedding_dim": 10**9}, "embedding_dim must be at most 65,536, got 1,000,000,000"),
        ({"name": "n" * 101}, "name must be letters, .* at most 100, got 'nnn"),
        ({"checkpoint_every_s": 0.0}, "checkpoint_every_s must be above 0"),
        ({"labels": "fills"}, "labels must be one of 'classes', 'reviewed', 'all', got 'fills'"),
        ({"min_confidence": 1.5}, "min_confidence must be from 0 to 1, got 1.5"),
    ],
)
def test_a_wrong_setting_is_refused(setting: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        from_mapping(TrainConfig, setting, where="[train]")


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"epochs": 1.5}, "epochs must be int, got 1.5"),
        ({"seed": 1.5}, "seed must be int, got 1.5"),
        ({"freeze_batch_norm": "no"}, "freeze_batch_norm must be bool, got 'no'"),
        ({"image_size": 224.5}, "image_size must be int, got 224.5"),
        ({"image_size": float("nan")}, "image_size must be int, got nan"),
        ({"name": 3}, "name must be str, got 3"),
    ],
)
def test_a_setting_of_another_type_is_refused_from_python_too(
    setting: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        TrainConfig(**setting)
