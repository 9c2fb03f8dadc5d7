"""Recipes: settings of `[train]` that belong together, each a file of this folder."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hgld.errors import InputError

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of a training run that belong together."""

    name: str
    title: str
    source: str
    """Who published the settings, or that they are ours."""
    cost: str
    """What a run of it took, and where; or that nobody measured it."""
    train: Mapping[str, object]
    """Its section `[train]`."""


def recipes() -> list[Recipe]:
    """Returns the recipes that the package has, by name."""
    return [_read(path) for path in sorted(_FOLDER.glob("*.toml"))]


def over_recipe(section: Mapping[str, object]) -> dict[str, object]:
    """Returns the settings of a run: those it states, and of the others those of its recipe.

    Args:
        section: `[train]` of a build, in which `recipe` may name one.

    Returns:
        The whole section.

    Raises:
        InputError: no recipe of that name.
    """
    name = section.get("recipe", "")
    if not name:
        return dict(section)
    for recipe in recipes():
        if recipe.name == name:
            return {**recipe.train, **section}
    known = ", ".join(recipe.name for recipe in recipes())
    raise InputError(f"[train]: recipe must be one of {known}, got {name!r}")


def _read(path: Path) -> Recipe:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return Recipe(name=path.stem, **content)
