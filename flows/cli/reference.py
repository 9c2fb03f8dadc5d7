"""`docs/cli.md`: the help of every command, and the settings that are tables in `hgld.toml`.

python -m hgld.flows.cli.reference > docs/cli.md
"""

import inspect
import sys
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import click

from hgld.engine.config import SettingField, setting_fields
from hgld.flows.build import ALL_SECTIONS, settings_class
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import Command, StepOptions, default_text

PAGE = Path("docs/cli.md")
RENEW = f"python -m hgld.flows.cli.reference > {PAGE}"
_WIDTH = 100

_HEAD = f"""\
# Commands and settings

<!-- Made by `{RENEW}`; do not edit. -->

Every setting is an option of its command and a key in the section of that command in `hgld.toml`,
in the folder of the build: `--superclass-depth 2` of `hgld scrape` is `superclass_depth = 2` below
`[scrape]`, `--no-credits` is `credits = false`, and an option that may be repeated is a list. The
command line overrides the file, and the file overrides the default. An unknown key is an error. A
path in the file is relative to the file's folder; one that could be a name too, or follows one
(`weights`, `NAME=FILE`), is relative to where the command runs, as in options. If a setting gets a
new value, its step and all that depend on it run again; not so where it says "no rerun".

Exit status: 0 done, 1 error (one line says what to do, also for a wrong setting), 2 no such option
or a value of the wrong type, 3 the build waits for a review, 130 stopped from the keyboard, 143 or
129 stopped by SIGTERM or SIGHUP: the same command resumes.
`hgld --debug COMMAND` shows tracebacks and details, `hgld --version` the version.
`eval "$(_HGLD_COMPLETE=bash_source hgld)"` completes commands and options in bash.
"""


def page() -> str:
    """Returns the whole page."""
    context = click.Context(app, info_name="hgld", terminal_width=_WIDTH, **app.context_settings)
    shared = Command(name="", options=StepOptions, help="")
    having: dict[tuple[str, ...], list[str]] = {_told(one): [] for one in shared.params}
    of_commands = []
    for name in app.list_commands(context):
        own = copy(app.commands[name])
        own.params = [one for one in own.params if _told(one) not in having]
        own.add_help_option = False
        for one in app.commands[name].params:
            if _told(one) in having:
                having[_told(one)].append(f"`{name}`")
        told = own.get_help(click.Context(own, info_name=name, parent=context))
        of_commands += [f"## `hgld {name}`", "", "```text", told, "```", ""]
    told = shared.get_help(click.Context(shared, parent=context)).partition("\n\n")[2]
    lines = [_HEAD, "## Options of many commands", "", "```text", told, "```", ""]
    lines += [f"- `{one.opts[0]}`: {', '.join(having[_told(one)])}" for one in shared.params]
    lines += ["", *of_commands]
    for section in ALL_SECTIONS:
        for field in setting_fields(settings_class(section)):
            if field.classes:
                lines += [f"## `[{section}.{field.name}]`", "", field.help_text, ""]
                lines += [*_keys(field), ""]
    return "\n".join(lines)


def _told(option: click.Parameter) -> tuple[str, ...]:
    """Returns the names of an option and its text; an argument has none."""
    return (*option.opts, getattr(option, "help", ""))


def _keys(field: SettingField) -> Iterator[str]:
    """Yields a line for each key of a setting that is a table, or a choice of tables."""
    for name, cls in field.classes.items():
        if not field.is_table:
            yield f'- `name = "{name}"`: {(inspect.getdoc(cls) or "").partition(chr(10))[0]}'
        for one in setting_fields(cls):
            if one.name != "name":
                again = "" if one.changes_rows else "; no rerun"
                yield f"  - `{one.name}`: {one.help_text} [default: {default_text(one)}{again}]"


if __name__ == "__main__":
    sys.stdout.write(page())
