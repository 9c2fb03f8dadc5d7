"""Options of the command line: those that commands share, and those that settings are."""

import json
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgld.engine.config import SettingField, row_settings, setting_fields
from hgld.engine.workspace import DEFAULT_ROOT
from hgld.flows.build import (
    read_sections,
    settings_class,
)
from hgld.flows.steps import (
    Sections,
)

if TYPE_CHECKING:
    from click.types import OptionHelpExtra

_WIDEST = 60
"""Most characters of an option's choices, in help of 80 columns."""

PATH = click.Path(path_type=Path)

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def flag(*names: str, help: str) -> _Decorator:  # noqa: A002 - as click calls it
    """Returns a switch, which is off where it is not given."""
    return click.option(*names, is_flag=True, help=help)


def path_option(*names: str, help: str, default: str = "not set") -> _Decorator:  # noqa: A002
    """Returns an option that names a file or folder; `default` says what None stands for."""
    return click.option(*names, type=PATH, show_default=default, help=help)


def text_option(*names: str, help: str, default: str = "not set") -> _Decorator:  # noqa: A002
    """Returns an option that is a text; `default` says what an empty one stands for."""
    return click.option(*names, default="", show_default=default, help=help)


force = flag("--force", help="Makes again what is done; it stands until then.")


def root_option(*names: str, text: str = "Folder that holds the build.") -> click.Option:
    """Returns the option that names the folder of a build, under `--root` and other names."""
    return click.Option(
        ["root", "--root", *names], type=PATH, default=DEFAULT_ROOT, show_default=True, help=text
    )


class SettingOption(click.Option):
    """A setting as an option; None, or nothing in a list, where it is not given."""

    def __init__(self, section: str, field: SettingField) -> None:
        """Makes the option from what is known of the field."""
        self.section = section
        self.field = field
        name = field.name.rstrip("_").replace("_", "-")  # `from_` is `--from`, a word of Python's
        kind, metavar = field.value_type, None
        is_list = typing.get_origin(kind) is tuple
        if field.choices:  # a wrong one is refused by the settings class, in its words
            kind, metavar = str, f"<{'|'.join(filter(None, field.choices))}>"
            if len(metavar) > _WIDEST:  # its help names them
                metavar = "<name>"
        elif is_list:
            (kind, *_) = typing.get_args(kind)
            metavar = f"<{kind.__name__}>, again for each"
        super().__init__(
            [f"--{name}/--no-{name}" if kind is bool else f"--{name}"],
            type=PATH if kind is Path else kind,
            multiple=is_list,
            metavar=metavar,
            default=None,
            show_default=default_text(field),
            help=field.help_text,
        )
        self.name = f"{section}.{field.name}"

    def get_help_extra(self, ctx: click.Context) -> "OptionHelpExtra":
        """Returns what stands in brackets: the default as a file has it, without parentheses."""
        return {**super().get_help_extra(ctx), "default": default_text(self.field)}


def default_text(field: SettingField) -> str:
    """Returns the default of a setting as it stands in a settings file, but for the quotes."""
    match field.default:
        case None | "" | ():
            return "not set"
        case str() as text:
            return text
        case tuple() as items:
            return ", ".join(map(str, items))
        case value if is_dataclass(value):
            return str(row_settings(value)["name"])
        case value:
            return json.dumps(value)


class StepCommand(click.Command):
    """A command on a build that takes settings.

    It is called with the build's folder, all settings (those of the command line over those of the
    file), and its own options by their names.
    """

    def __init__(
        self,
        *,
        settings: tuple[str, ...] = (),
        root: click.Option | None = None,
        **command: Any,  # noqa: ANN401 - of click
    ) -> None:
        """Makes a command.

        Args:
            settings: a section, for all its settings, or one of them: `scrape.contact`.
            root: the option that names the build's folder; None: `--root`.
            command: of click.
        """
        super().__init__(**command)
        config = click.Option(
            ["--config"],
            type=PATH,
            show_default="hgld.toml in the build's folder",
            help="Settings file (TOML).",
        )
        self.params[:0] = [root or root_option(), config]
        self._settings = settings

    @cached_property
    def setting_options(self) -> list[SettingOption]:
        """The options that are settings; their classes are imported when they are asked for."""
        return [option for name in self._settings for option in _options_of(name)]

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Returns the parameters of the command, settings last."""
        *own, help_option = super().get_params(ctx)
        return [*own, *self.setting_options, help_option]

    def invoke(self, ctx: click.Context) -> object:
        """Calls the command with the settings of the file, and over them what was typed."""
        values = dict(ctx.params)
        sections = read_sections(values["root"], values.pop("config"))
        for option in self.setting_options:
            _override(sections, option, values.pop(str(option.name)))
        ctx.params = {"sections": sections, **values}
        return super().invoke(ctx)


def _options_of(name: str) -> list[SettingOption]:
    section, _, only = name.partition(".")
    return [
        SettingOption(section, field)
        for field in setting_fields(settings_class(section))
        if only in {"", field.name} and not field.is_table
    ]


def _override(sections: Sections, option: SettingOption, value: object) -> None:
    if value is None or value == ():
        return
    section = sections.setdefault(option.section, {})
    match section.get(option.field.name):
        case {"name": name} if name == value:
            pass  # the file names it too, with settings of its own
        case _:
            section[option.field.name] = list(value) if isinstance(value, tuple) else value


class CommandGroup(click.Group):
    """Commands in their order, under the titles of what they are for."""

    def __init__(self, **group: Any) -> None:  # noqa: ANN401 - of click
        """Makes a group without commands."""
        super().__init__(**group)
        self.titles: dict[str, str] = {}

    def step(
        self, name: str, title: str, *settings: str, cls: type[StepCommand] = StepCommand
    ) -> Callable[[Callable[..., None]], click.Command]:
        """Adds a command on a build that takes settings, under a title; a decorator."""
        self.titles[name] = title
        return self.command(name, cls=cls, settings=settings)

    def add(self, command: click.Command, title: str) -> None:
        """Adds a command under a title."""
        self.titles[str(command.name)] = title
        self.add_command(command)

    def params_of(self, name: str) -> list[click.Parameter]:
        """Returns the arguments and options of a command, its help last."""
        context = click.Context(self, **self.context_settings)
        command = self.commands[name]
        return command.get_params(click.Context(command, parent=context, info_name=name))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands in the order in which they were added."""
        del ctx
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands, title by title."""
        del ctx
        for title in dict.fromkeys(self.titles.values()):
            named = [self.commands[name] for name in self.titles if self.titles[name] == title]
            with formatter.section(title):
                formatter.write_dl(
                    [(str(one.name), str(one.help).partition("\n")[0]) for one in named]
                )
