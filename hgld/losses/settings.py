"""The settings of a loss by their names, for errors that name the function that was called."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import get_args, is_typeddict

from torch import Tensor

from hgld.losses.ranking.steps import Step, SupConstants, SupStep

RANKED = ("embeddings", "labels", "ref_embeddings", "ref_labels")
"""What a ranking loss takes beside its settings: a batch, and what it ranks."""


def check_loss_settings(
    function: Callable[..., Tensor], settings: Mapping[str, object], given: Collection[str]
) -> None:
    """Refuses settings that a loss does not have, before it is called.

    Args:
        function: the loss.
        settings: what is to be passed by name.
        given: its arguments that are no settings.

    Raises:
        TypeError: an unknown one; its text names them all.
    """
    names = keywords(function) if settings else []
    unknown = [name for name in settings if name in given or (names and name not in names)]
    if unknown:
        raise TypeError(
            f"settings must be among those of {described(function)}: {_but(names, given)}; got "
            f"{', '.join(unknown)}"
        )


def check_constants(function: Callable[..., Tensor], constants: SupConstants) -> None:
    """Refuses what a loss was called with beside its own arguments, but for the constants.

    Without it Python would name `SupStep`, or whatever the loss hands them on to.

    Args:
        function: the loss.
        constants: what it was passed and does not name itself.

    Raises:
        TypeError: a name that is no constant; its text names all settings.
    """
    for name in constants:
        if name not in SupConstants.__annotations__:
            raise TypeError(
                f"{described(function)}() got an unexpected keyword argument {name!r}; its "
                f"settings are {_but(keywords(function), RANKED)}"
            )


def sup_step(function: Callable[..., Tensor], constants: SupConstants) -> Step:
    """Makes the step of Sup-H-AP for a loss that takes its constants.

    Args:
        function: the loss, for errors.
        constants: what it was passed and does not name itself.

    Raises:
        TypeError: a name that is no constant.
        ValueError: constants that make no step.
    """
    check_constants(function, constants)
    return SupStep(**constants).step


def keywords(function: Callable[..., Tensor]) -> list[str]:
    """Lists the names that a function takes, those of a typed `**constants` one by one.

    Args:
        function: of any kind.

    Returns:
        The names; none where it takes every name, or does not tell. By convention a `**_` drops
        what it is given: that is taking none.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # something compiled
        return []
    names = []
    for parameter in parameters:
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.append(parameter.name)
            continue
        typed = [each for each in get_args(parameter.annotation) if is_typeddict(each)]
        if not typed and not parameter.name.startswith("_"):
            return []
        for constants in typed:  # Unpack[SupConstants]: that class
            names += list(constants.__annotations__)
    return names


def described(function: Callable[..., Tensor]) -> str:
    """Names a function and the settings bound to it.

    Args:
        function: a function, or a partial of one.

    Returns:
        One line.
    """
    if isinstance(function, partial):
        settings = [f"{name}={value}" for name, value in function.keywords.items()]
        return ", ".join([described(function.func), *settings])
    return getattr(function, "__name__", repr(function))


def _but(names: Collection[str], given: Collection[str]) -> str:
    return ", ".join(name for name in names if name not in given)
