"""`docs/cli.md`: the help of every command, and the settings that are tables in `hgld.toml`.

python -m hgld.flows.cli.reference > docs/cli.md
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from hgld.engine.config import SettingField, setting_fields
from hgld.flows.build import ALL_SECTIONS, settings_class
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import default_text

PAGE = Path("docs/cli.md")
RENEW = f"python -m hgld.flows.cli.reference > {PAGE}"
_WIDTH = 100

_HEAD = f"""\
# Commands and settings

<!-- Made by `{RENEW}`; do not edit. -->

Every setting is an option of its command and a key in the section of that command in `hgld.toml`,
in the folder of the build: `--read-timeout-s 30` of `hgld scrape` is `read_timeout_s = 30.0` below
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
    lines = [_HEAD]
    for name in app.list_commands(context):
        command = click.Context(app.commands[name], info_name=name, parent=context)
        lines += [f"## `hgld {name}`", "", "```text", command.get_help(), "```", ""]
    for section in ALL_SECTIONS:
        for field in setting_fields(settings_class(section)):
            if field.classes:
                lines += [f"## `[{section}.{field.name}]`", "", field.help_text, ""]
                lines += [*_keys(field), ""]
    return "\n".join(lines)


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
