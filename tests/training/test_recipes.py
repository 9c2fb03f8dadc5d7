import pytest

from hgld.engine.config import from_mapping
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.methods import Roadmap
from hgld.training.recipes.reading import over_recipe, recipes


def test_every_recipe_makes_settings_and_says_where_they_come_from_and_what_they_cost() -> None:
    assert {"demo", "gldv2-mini-cpu", "h-gldv2-resnet101", "h-gldv2-vit-b16"} <= {
        one.name for one in recipes()
    }
    for recipe in recipes():
        from_mapping(TrainConfig, recipe.train, where=recipe.name)
        assert recipe.title
        assert recipe.source
        assert recipe.cost


def test_the_recipe_of_the_paper_states_the_defaults() -> None:
    stated = next(one for one in recipes() if one.name == "h-gldv2-resnet101").train
    assert from_mapping(TrainConfig, stated, where="recipe") == TrainConfig()


def test_what_is_stated_stands_over_the_recipe() -> None:
    section = over_recipe({"recipe": "demo", "epochs": 3, "method": "roadmap"})
    config = from_mapping(TrainConfig, section, where="[train]")
    assert (config.epochs, config.method, config.image_size) == (3, Roadmap(), 80)
    assert config.name == "roadmap"
    assert over_recipe({"epochs": 3}) == {"epochs": 3}


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="gldv2-mini-cpu"):
        over_recipe({"recipe": "dem"})
