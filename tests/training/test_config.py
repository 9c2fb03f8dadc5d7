import logging

import pytest

from hgld.engine.config import from_mapping, row_settings
from hgld.errors import InputError
from hgld.training.__main__ import main
from hgld.training.config import TrainConfig
from hgld.training.methods import Happier, RecallAtK, Roadmap
from hgld.training.recipes.reading import over_recipe, recipes


def read(section: dict[str, object]) -> TrainConfig:
    return from_mapping(TrainConfig, over_recipe(section), where="[train]")


def test_a_method_is_its_name_or_a_table_with_what_differs_and_names_the_run() -> None:
    assert read({"method": "roadmap"}).method == Roadmap()
    assert read({"method": {"name": "happier", "alpha": 2}}).method == Happier(alpha=2.0)
    config = read({"method": {"name": "recall_at_k", "ks": [1, 4]}})
    assert (config.method, config.name) == (RecallAtK(ks=(1, 4)), "recall_at_k")
    assert read({"method": "roadmap", "name": "seed-1"}).name == "seed-1"


def test_the_fingerprint_has_the_settings_of_the_method_and_nothing_that_only_costs_time() -> None:
    settings = row_settings(TrainConfig(method=Roadmap(), workers=0, log_every_steps=1))
    assert settings == row_settings(TrainConfig(method=Roadmap(), device="cpu"))
    assert settings != row_settings(TrainConfig(method=Roadmap(), seed=1))
    assert settings["method"] == {
        "name": "roadmap",
        "decomposability_weight": 0.5,
        "positive_similarity": 0.9,
        "negative_similarity": 0.6,
    }


def test_every_recipe_makes_settings_and_that_of_the_paper_states_the_defaults() -> None:
    made = {recipe.name: read({"recipe": recipe.name}) for recipe in recipes()}
    assert row_settings(made["h-gldv2-resnet101"]) == row_settings(TrainConfig())
    assert all(recipe.title and recipe.source and recipe.cost for recipe in recipes())
    config = read({"recipe": "demo", "epochs": 3, "method": "roadmap"})
    assert (config.epochs, config.method, config.image_size) == (3, Roadmap(), 80)
    with pytest.raises(InputError, match="gldv2-mini-cpu"):
        read({"recipe": "dem"})


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"batch_size": 10}, "samples_per_landmark"),
        ({"name": "../model"}, "name"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"method": "roadmpa"}, "roadmpa"),
        ({"method": {"name": "nsm", "alpha": 1.0}}, "alpha"),
        ({"method": {"name": "happier", "clustering_weight": 1.5}}, "clustering_weight"),
        ({"method": {"name": "arcface", "margin": 4.0}}, "margin"),
        ({"method": {"name": "recall_at_k", "ks": [0]}}, "ks"),
        ({"image_size": 10**6}, "image_size"),
        ({"batchsize": 8}, "batchsize"),
        ({"seed": 2**64}, "seed"),
        ({"keep": "best"}, "validation_share"),
        ({"max_per_landmark": 3}, "max_per_landmark"),
        ({"whitening": True}, "embedding_dim"),
        ({"inner_weight": 0.7, "pooling": "backbone"}, "inner_weight"),
        ({"scales": [1.0, -1.0]}, "scales"),
        ({"min_confidence": 1.5}, "min_confidence"),
    ],
)
def test_a_wrong_setting_is_refused(setting: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        read(setting)


def test_without_torchrun_it_says_how_to_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # of the tests' own process
    for words, told in (([], "torchrun"), (["--set", "epochs"], "--set")):
        assert main(["--root", "none", *words]) == 1
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
