"""Which runs are made: changes tried on held-out landmarks, and the methods over several seeds."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from hgld.engine.config import from_mapping
from hgld.training.config import TrainConfig
from hgld.training.methods import TrainingMethod
from hgld.training.recipes.reading import over_recipe

TrialPart = Literal["change", "method"]
"""change: settings, compared on landmarks held out of the training split. method: what a model is
trained for, compared on the test queries."""

UNTRAINED = "untrained"
"""How the backbone before training is called among the methods."""
METHOD_NAMES: tuple[str, ...] = tuple(method().name for method in get_args(TrainingMethod))
"""What a model can be trained for."""

_CHANGES_FILE = Path(__file__).with_name("changes.toml")
_HELD_OUT_SHARE = 0.3
# As many as a run can have and more: measured before its first step and after its last.
_NEVER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A run, and what it is compared with."""

    part: TrialPart
    group: str
    """Trials that differ in their seed alone."""
    title: str
    """Of the group, as a reader sees it."""
    about: str
    """What is tried, in a sentence; may be empty."""
    seed: int
    config: TrainConfig
    """Of the run; its name is the trial's own."""


def planned_changes(recipe: str, seeds: Sequence[int]) -> Iterator[Trial]:
    """Yields the changes of `changes.toml` and then the recipe, one seed of all after the other.

    The seed is also that of which landmarks are held out, so that the spread over seeds has both.

    Args:
        recipe: what was chosen of them, by its name.
        seeds: of the runs.

    Raises:
        InputError: no recipe of that name.
    """
    content = tomllib.loads(_CHANGES_FILE.read_text(encoding="utf-8"))
    plain = content["train"]
    changes = {
        name: (change, {**plain, **change.get("train", {})})
        for name, change in content["changes"].items()
    }
    chosen = {"title": f"The recipe {recipe}", "about": "What was chosen of these."}
    changes["recipe"] = (chosen, over_recipe({"recipe": recipe}))
    for seed in seeds:
        for name, (change, section) in changes.items():
            config = from_mapping(TrainConfig, section, where=f"{_CHANGES_FILE.name}, {name}")
            config = replace(
                config,
                name=f"change-{name}-{seed}",
                seed=seed,
                validation_share=_HELD_OUT_SHARE,
                validation_seed=seed,
                validate_every_steps=_NEVER,
            )
            yield Trial(
                part="change",
                group=name,
                title=change["title"],
                about=change.get("about", ""),
                seed=seed,
                config=config,
            )


def planned_methods(
    section: Mapping[str, object], methods: Sequence[str], seeds: Sequence[int]
) -> Iterator[Trial]:
    """Yields methods under the same settings, one seed of all after the other.

    Args:
        section: `[train]`, whose settings all share, the method apart; a recipe that it names is
            part of how the runs are called.
        methods: by name, or `untrained`, which no seed changes and which comes once.
        seeds: of the runs.

    Raises:
        InputError: no recipe or no method of that name, or a wrong setting.
    """
    whole = over_recipe(section)
    recipe = f"{section['recipe']}-" if section.get("recipe") else ""
    for seed in seeds:
        for method in methods:
            stated: dict[str, object] = {"name": f"{recipe}{method}-{seed}", "seed": seed}
            if method != UNTRAINED:
                stated["method"] = _method(whole, method)
            config = from_mapping(TrainConfig, {**whole, **stated}, where="[train]")
            if method != UNTRAINED or seed == seeds[0]:
                yield Trial(
                    part="method",
                    group=method,
                    title=method,
                    about="",
                    seed=seed,
                    config=config,
                )


def _method(section: Mapping[str, object], name: str) -> object:
    """Returns a method as the recipe has it, and any other one as it was published."""
    stated = section.get("method")
    return stated if isinstance(stated, Mapping) and stated.get("name") == name else name
