"""`docs/cli.md`, made from the commands and the settings classes.

python -m hgld.flows.cli.reference > docs/cli.md
python -m hgld.flows.cli.reference --check
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from hgld.engine.config import SettingField, setting_fields
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import StepSetting, help_parts
from hgld.flows.steps import ALL_STEPS, settings_class

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
`hgld --debug COMMAND` shows tracebacks and details, `hgld --version` the version, `hgld COMMAND -h`
the help of a command, and `hgld --install-completion` sets up completion in your shell.
"""
_COLUMNS = ("option", "type", "default", "what it does", "setting")
_TABLE_COLUMNS = ("name", "type", "default", "what it does", "setting")
_KINDS = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}


def page() -> str:
    """Returns the whole page."""
    group: Any = typer.main.get_command(app)
    functions = {one.name: one.callback for one in app.registered_commands}
    sections = [
        _section(name, functions[name], command.params) for name, command in group.commands.items()
    ]
    return "\n".join([_HEAD, *sections])


def _section(name: str, function: Callable[..., Any] | None, options: list[Any]) -> str:
    """Returns what a command does, reads and writes, and a table of its options."""
    parameters = inspect.signature(function).parameters if function else {}
    rows = [_row(option, parameters[option.name]) for option in options]
    tables = [
        line
        for field in (setting_fields(settings_class(name)) if name in ALL_STEPS else ())
        if field.classes
        for line in _table_of(name, field)
    ]
    about = inspect.getdoc(function) or ""
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
                shown = StepSetting(step=f"{step}.{field.name}", field=one)
                cells = (f"`{one.name}`", _kind(one), f"`{shown.default}`", one.help_text)
                rows.append((*cells, _place(shown)))
    head = f"### `[{step}.{field.name}]`"
    return [head, "", field.help_text, "", *_lines(_TABLE_COLUMNS, rows), ""]


def _lines(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    rule = ("---",) * len(columns)
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)]


def _row(option: Any, parameter: inspect.Parameter) -> tuple[str, ...]:  # noqa: ANN401 - typer's
    kind, _, *setting = get_args(parameter.annotation)
    text, default = help_parts(option.help)
    return (
        ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts)),
        _kind(setting[0].field if setting else kind),
        f"`{default}`",
        text.replace("|", "\\|"),
        _place(setting[0]) if setting else "",
    )


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


def _place(setting: StepSetting) -> str:
    return f"`[{setting.step}] {setting.field.name}`{' *' if setting.field.changes_rows else ''}"


def _write(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the page is up to date.")
    ] = False,
) -> None:
    """Prints the page, or compares it with docs/cli.md of this folder."""
    if not check:
        sys.stdout.write(page())
    elif PAGE.read_text(encoding="utf-8") != page():
        typer.echo(f"{PAGE} is not up to date; renew it: {RENEW}", err=True)
        raise typer.Exit(code=1)


if __name__ == "__main__":
    typer.run(_write)
