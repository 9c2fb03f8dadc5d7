"""Settings: frozen dataclasses, read from one TOML file, with every unknown key refused.

Each stage has its own dataclass beside its code. A field made with `not_in_rows` (a time-out, a
contact, a batch size) does not change what a stage writes, so it is no part of its fingerprint.
"""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from hgld.errors import InputError

T = TypeVar("T")


def not_in_rows(default: T) -> T:
    """Declares a dataclass field that changes no row of a stage's output."""
    field: Any = dataclasses.field(default=default, metadata={"changes_rows": False})
    return typing.cast("T", field)


def row_settings(config: object) -> dict[str, object]:
    """Returns the settings that decide a stage's rows, as plain JSON values.

    Args:
        config: an instance of a settings dataclass.

    Returns:
        Field name to value, without the fields made with `not_in_rows`.
    """
    fields = dataclasses.fields(typing.cast("Any", config))
    return {
        field.name: _plain(getattr(config, field.name))
        for field in fields
        if field.metadata.get("changes_rows", True)
    }


def from_mapping(cls: type[T], values: Mapping[str, object], *, where: str) -> T:
    """Builds a settings dataclass from a mapping, refusing unknown keys and wrong types.

    Args:
        cls: the dataclass.
        values: field name to value.
        where: how an error names the place, such as `hgld.toml [scrape]`.

    Returns:
        An instance of `cls`.

    Raises:
        InputError: an unknown key, a value of the wrong type, or one that `cls` refuses.
    """
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(typing.cast("Any", cls))]
    checked: dict[str, object] = {}
    for key, value in values.items():
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}; known keys: {', '.join(known)}")
        checked[key] = _checked(value, hints[key], f"{where}: {key}")
    try:
        return cls(**checked)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error


def read_toml(path: Path) -> dict[str, dict[str, object]]:
    """Reads a settings file as section name to section.

    Args:
        path: a TOML file with one table a stage.

    Returns:
        The sections; what is in them is checked by `from_mapping`.

    Raises:
        InputError: no such file, no valid TOML, or a key outside any section.
    """
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read settings {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise InputError(f"{path}: {name!r} stands outside a [section]; put it in one")
    return sections


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _checked(value: object, hint: object, where: str) -> object:
    """Returns `value` as the type `hint`, or says which type was expected."""
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if typing.get_origin(hint) is typing.Literal:
        if value in typing.get_args(hint):
            return value
        choices = ", ".join(repr(choice) for choice in typing.get_args(hint))
        raise InputError(f"{where} must be one of {choices}, got {value!r}")
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_checked(item, typing.get_args(hint)[0], where) for item in value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and type(value) is int:
        return float(value)
    # `type(...) is` and not `isinstance`: True is an int to Python, and not to a settings file.
    if type(value) is not hint and not (hint is Path and isinstance(value, Path)):
        raise InputError(f"{where} must be {getattr(hint, '__name__', hint)}, got {value!r}")
    return value
