"""`docs/cli.md`, made from the commands and the settings classes.

python -m hgld.flows.cli.reference > docs/cli.md
"""

import inspect
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from hgld.engine.config import SettingField, setting_fields
from hgld.flows.build import (
    ALL_SECTIONS,
    ALL_STEPS,
    settings_class,
)
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import SettingOption, default_text

PAGE = Path("docs/cli.md")
RENEW = f"python -m hgld.flows.cli.reference > {PAGE}"

_HEAD = f"""\
# Commands and settings

<!-- Made by `{RENEW}`; do not edit. -->

Every setting is an option of its command and a key of its section in `hgld.toml`, which lies in the
folder of the build. What is typed comes before what the file says, and that before the default. An
unknown key is an error. A setting marked * changes rows, so that another value makes its step, and
what depends on it, run again; the others do not.

Exit status: 0 done, 1 error (one line says what to do; a setting that is refused is one), 2 no such
option or a value of another type, 3 the build waits for a review, 130 stopped from the keyboard,
143 or 129 by SIGTERM or SIGHUP: the same command goes on where it was.
`hgld --debug COMMAND` shows tracebacks and details, `hgld --version` the version, and
`hgld COMMAND -h` the help of a command. `eval "$(_HGLD_COMPLETE=bash_source hgld)"` completes
commands and options in bash.
"""
_COLUMNS = ("option", "type", "default", "what it does", "setting")
_TABLE_COLUMNS = ("name", "type", "default", "what it does", "setting")
_KINDS = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}


def page() -> str:
    """Returns the whole page."""
    return "\n".join([_HEAD, *(_section(name, one) for name, one in app.commands.items())])


def _section(name: str, command: click.Command) -> str:
    """Returns what a command does, reads and writes, and a table of its options."""
    options = app.params_of(name)[:-1]  # without --help
    tables = [
        line
        for field in (setting_fields(settings_class(name)) if name in ALL_STEPS else ())
        if field.classes
        for line in _table_of(name, field)
    ]
    about = inspect.cleandoc(command.help or "")
    rows = [_row(option) for option in options]
    return "\n".join([f"## `hgld {name}`", "", about, "", *_lines(_COLUMNS, rows), "", *tables])


def _table_of(step: str, field: SettingField) -> list[str]:
    """Returns the lines of a setting that is a table of settings, or one of several such tables."""
    rows = list[tuple[str, ...]]()
    for name, cls in field.classes.items():
        if not field.is_table:
            what = (inspect.getdoc(cls) or "").partition("\n")[0]
            rows.append((f"`{name}`", "", "", what, f'`[{step}.{field.name}] name = "{name}"` *'))
        for one in setting_fields(cls):
            if one.name != "name":
                cells = (f"`{one.name}`", _kind(one), f"`{default_text(one)}`", one.help_text)
                rows.append((*cells, _place(f"{step}.{field.name}", one)))
    head = f"### `[{step}.{field.name}]`"
    return [head, "", field.help_text, "", *_lines(_TABLE_COLUMNS, rows), ""]


def _lines(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    rule = ("---",) * len(columns)
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)]


def _row(param: click.Parameter) -> tuple[str, ...]:
    if not isinstance(param, click.Option):
        return (f"`{str(param.name).upper()}`", _type_of(param), "", "as is said above", "")
    kind, place = _type_of(param), ""
    if isinstance(param, SettingOption):
        kind = _kind(param.field)
        place = _place(param.section, param.field) if param.section in ALL_SECTIONS else ""
    return (
        ", ".join(f"`{flag}`" for flag in (*param.opts, *param.secondary_opts)),
        kind,
        _default(param),
        (param.help or "").replace("|", "\\|"),
        place,
    )


def _default(option: click.Option) -> str:
    if option.required:
        return "none"
    if isinstance(option.show_default, str):
        return f"`{option.show_default}`"
    return "`false`" if option.is_flag else f"`{option.default}`"


def _type_of(param: click.Parameter) -> str:
    if isinstance(param.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in param.type.choices)
    names = {"boolean": bool, "integer": int, "integer range": int, "float": float, "path": Path}
    return _KINDS[names.get(param.type.name, str)]


def _kind(hint: Any) -> str:  # noqa: ANN401 - any annotation there is
    """Returns a type, or that of a setting, in words."""
    if isinstance(hint, SettingField):
        choices = ", ".join(f"`{choice}`" for choice in hint.choices if choice)
        return choices or _kind(hint.value_type)
    if get_origin(hint) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(hint) if choice)
    if get_origin(hint) is tuple:
        return f"list of {_kind(get_args(hint)[0])}s"
    return _KINDS.get(hint) or _kind(get_args(hint)[0])  # `T | None`


def _place(section: str, field: SettingField) -> str:
    return f"`[{section}] {field.name}`{' *' if field.changes_rows else ''}"


if __name__ == "__main__":
    sys.stdout.write(page())
