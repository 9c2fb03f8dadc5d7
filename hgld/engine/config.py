"""Settings: frozen dataclasses, read from one TOML file; unknown keys are errors.

Each stage has its own dataclass beside its code. A field made with `setting` carries its help text,
which becomes an option of the command line and a line of `docs/cli.md`. A field that changes no row
(a time-out, a contact, a batch size) is not part of the stage's fingerprint.

A field may hold one of several settings classes, which differ in the only value of their field
`name`. In the file it is either that name, for the defaults, or a table with the key `name`.
"""

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hgld.engine.files import open_file
from hgld.engine.logins import redacted
from hgld.errors import InputError, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SettingField:
    """One field of a settings class."""

    name: str
    type: Any
    """As annotated, with None if None is a value: `int | None`."""
    default: object
    help_text: str = ""
    changes_rows: bool = True
    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    needs: str = ""

    @property
    def value_type(self) -> Any:  # noqa: ANN401 - a type, a tuple or a Literal
        """The type of its values other than None."""
        return _without_none(self.type)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a Literal, or the names of settings classes; empty for any other type."""
        return _choices(self.type) or tuple(self.classes)

    @property
    def classes(self) -> dict[str, Any]:
        """The settings classes that the field may hold, by name; empty for any other type."""
        return _named_classes(self.value_type)

    @property
    def is_table(self) -> bool:
        """Whether it is always a table in the file, because there is only one settings class."""
        return len(self.classes) == 1

    def wanted(self, value: object) -> str:
        """Returns in words the range that a number is not in, or an empty string."""
        if not isinstance(value, int | float):
            return ""
        if self.least <= value <= self.most and value > self.above:
            return ""
        limits = (("at least", self.least), ("above", self.above), ("at most", self.most))
        return " and ".join(f"{how} {limit:,}" for how, limit in limits if math.isfinite(limit))


def setting(  # noqa: PLR0913 - what a setting may have, each named where it is declared
    default: T,
    help_text: str,
    *,
    changes_rows: bool = True,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    needs: str = "",
) -> T:
    """Declares a field of a settings class.

    Args:
        default: its default value.
        help_text: what it does, in a sentence or two, with the unit.
        changes_rows: whether a changed value changes rows, so that the stage must run again.
        least: of a number, the least value.
        above: of a number, what it must be above.
        most: of a number, the largest value.
        needs: the setting without which it changes nothing, or a setting and its value, as in
            `frozen=True`. The command line refuses an option in vain; a file may have it.

    Returns:
        The field, typed as its default.
    """
    metadata = {"help_text": help_text, "changes_rows": changes_rows, "needs": needs}
    limits = {"least": least, "above": above, "most": most}
    return dataclasses.field(default=default, metadata=metadata | limits)


class Settings:
    """Base of a settings class, which checks its fields when it is made."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Refuses values of a wrong type or outside their range."""
        check_settings(self)


def setting_fields(cls: type) -> list[SettingField]:
    """Returns the fields of a settings class, in order."""
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(typing.cast("Any", cls))
    return [SettingField(one.name, hints[one.name], one.default, **one.metadata) for one in fields]


def check_settings(config: object) -> None:
    """Checks types, choices and ranges, and refuses infinity; for `__post_init__`.

    NaN is in no range, so it passes only where there is none.

    Args:
        config: an instance of a settings class.

    Raises:
        ValueError: a value has the wrong type, is not a choice or is out of range; the message
            names the field.
    """
    for field in setting_fields(type(config)):
        value = getattr(config, field.name)
        if value is None and field.type != field.value_type:
            continue
        checked = _checked(value, field.type, field.name)
        if isinstance(checked, float) and math.isinf(checked) and checked != field.default:
            raise ValueError(f"{field.name} must be finite, got {value}")
        if wanted := field.wanted(checked):
            raise ValueError(f"{field.name} must be {wanted}, got {value:,}")


def row_settings(config: object) -> dict[str, object]:
    """Returns the settings that decide a stage's rows, as plain JSON values.

    Args:
        config: an instance of a settings dataclass.

    Returns:
        Field name to value, without fields that change no row, and without logins in addresses,
        because it is written to files.
    """
    decisive = (field.name for field in setting_fields(type(config)) if field.changes_rows)
    return {name: _plain(getattr(config, name)) for name in decisive}


def from_mapping(cls: type[T], values: Mapping[str, object], *, where: str) -> T:
    """Builds a settings dataclass from a mapping; refuses unknown keys and wrong types.

    Args:
        cls: the dataclass.
        values: field name to value.
        where: the place for an error, such as `hgld.toml [scrape]`.

    Returns:
        An instance of `cls`.

    Raises:
        InputError: an unknown key, a value of the wrong type, or one that `cls` refuses.
    """
    try:
        return _built(cls, values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error


def read_toml(path: Path) -> dict[str, dict[str, object]]:
    """Reads a settings file as section name to section.

    Args:
        path: a TOML file with one table per stage.

    Returns:
        The sections, whose content `from_mapping` checks.

    Raises:
        InputError: no such file, invalid TOML, or a key outside of any section.
    """
    try:
        with open_file(path) as file:
            sections = tomllib.loads(file.read().decode("utf-8-sig"))
    except (OSError, RecursionError, ValueError) as error:  # recursion: a deeply nested table
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read settings {path}: {why}") from error
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise InputError(f"{path}: {name!r} is outside of any [section]; put it in one")
    return sections


def check_keys(cls: type, values: Mapping[str, object]) -> None:
    """Refuses keys that are no fields of a settings dataclass.

    Raises:
        ValueError: an unknown key; the message has the nearest known one.
    """
    known = [field.name for field in setting_fields(cls)]
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known)
            raise ValueError(f"unknown key {key!r}; known keys: {', '.join(known)}{hint}")


def _built(cls: type[T], values: Mapping[str, object]) -> T:
    check_keys(cls, values)
    types_of = {field.name: field.type for field in setting_fields(cls)}
    return cls(**{key: _checked(value, types_of[key], key) for key, value in values.items()})


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return row_settings(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return redacted(value)
    return str(value) if isinstance(value, Path) else value


def _checked(value: object, hint: object, name: str) -> object:
    """Returns `value` as the type `hint`.

    Raises:
        ValueError: a value of another type; the message starts with the name.
    """
    hint = _without_none(hint)
    if classes := _named_classes(hint):
        return _chosen(value, classes, name)
    if choices := _choices(hint):
        if value in choices:
            return value
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    if typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        return tuple(_checked(item, typing.get_args(hint)[0], name) for item in value)
    if hint is float and type(value) is int:
        return float(value)
    if hint is Path and isinstance(value, str):
        value = Path(value)
    # `type(...) is` and not `isinstance`: True is an int in Python, but not in a settings file.
    is_right = isinstance(value, Path) if hint is Path else type(value) is hint
    if not is_right or "\0" in str(value):
        kind = f"{getattr(hint, '__name__', hint)}{' without NUL' * is_right}"
        raise ValueError(f"{name} must be {kind}, got {value!r}")
    return value


def _chosen(value: object, classes: Mapping[str, type], name: str) -> object:
    """Returns settings of one of the classes, from its name or from a table.

    Raises:
        ValueError: no such class, or an invalid table; the message starts with the name.
    """
    if type(value) in classes.values():
        return value
    table = value if isinstance(value, Mapping) else {"name": value}
    chosen = table.get("name")
    if not isinstance(chosen, str) or chosen not in classes:
        known = ", ".join(map(repr, classes))
        raise ValueError(f"{name} must be one of {known} (its key name), got {chosen!r}")
    try:
        return _built(classes[chosen], table)
    except ValueError as error:
        raise ValueError(f"{name} {chosen}: {error}") from error


def _named_classes(hint: Any) -> dict[str, type]:  # noqa: ANN401 - any annotation there is
    """Returns the settings classes of a type, by name; empty for any other type."""
    kinds = (one for one in _parts(hint) if isinstance(one, type) and dataclasses.is_dataclass(one))
    return {_choices(typing.get_type_hints(one)["name"])[0]: one for one in kinds}


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - any annotation there is
    return typing.Union[tuple(part for part in _parts(hint) if part is not types.NoneType)]  # noqa: UP007


def _parts(hint: object) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in {types.UnionType, typing.Union}
    return typing.get_args(hint) if is_union else (hint,)


def _choices(hint: object) -> tuple[str, ...]:
    hint = _without_none(hint)
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
