"""Options of the command line, made from the settings classes of steps and commands."""

import dataclasses
import itertools
import json
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hgld.engine.config import (
    SettingField,
    Settings,
    from_mapping,
    row_settings,
    setting,
    setting_fields,
)
from hgld.engine.stage import Share
from hgld.engine.store import refuse_address
from hgld.engine.workspace import DEFAULT_ROOT
from hgld.errors import InputError
from hgld.flows.build import keep_setting, load_step, read_sections, settings_class, settings_of
from hgld.flows.steps import Sections

if TYPE_CHECKING:
    from click.types import OptionHelpExtra

_NOT_SET = "not set"
ACCEPTING = ("review.accept_proposals", "review.accept_above")
"""The settings with which a build continues without a review."""
_KEPT = (*ACCEPTING, "annotate.fills")
"""The settings that are saved in the settings file when given as options."""
_WIDEST = 60
"""Maximum characters of an option's choices, for help in 80 columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Options of a command on a build, which also gets the build's settings."""

    root: Path = setting(DEFAULT_ROOT, "Folder of the build.")
    config: Path | None = setting(None, "Settings file; default hgld.toml in the build's folder.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions(BuildOptions):
    """Options of a command that runs a step."""

    force: bool = setting(False, "Reruns finished stages; old output stays until the new is done.")


@dataclass(frozen=True, kw_only=True)  # without slots, so that it can be a second base
class ManyOptions(Settings):
    """Options of a command whose work many processes or machines can share."""

    ray: int = setting(
        0, "Works in this many actors of Ray, each with a GPU if Ray has any; 0: none.", least=0
    )
    rank: int | None = setting(
        None, "Number of this process, from 0: does its share. A call without it does the rest."
    )
    world: int = setting(1, "With --rank: how many processes there are.")


@dataclass(frozen=True, kw_only=True)  # without slots, as `ManyOptions`
class PageOptions:
    """Options of a command that serves a page."""

    open_: bool = setting(True, "Whether to open a browser.")
    host: str = setting("127.0.0.1", "Address of the page; if others can reach it, needs --token.")
    token: str = setting("", "Secret in the page's URL, which visitors need.")


def chosen_share(options: Any) -> Share | None:  # noqa: ANN401 - of several commands
    """Returns the share that `--rank` and `--world` name; None: the whole.

    Raises:
        InputError: there is no such rank, or an option without effect was given.
    """
    if options.rank is None:
        refuse_idle(options, "world", "--rank")
        return None
    refuse_idle(options, "force", "the whole, without --rank")
    return Share(rank=options.rank, world=options.world)


def required(help_text: str) -> Any:  # noqa: ANN401 - of the field's type
    """Declares a required option."""
    return dataclasses.field(metadata={"help_text": help_text})


def refuse_idle(options: object, names: str, goes_with: str) -> None:
    """Refuses options that would have no effect.

    Args:
        options: the options of the command.
        names: the fields without effect, separated by spaces.
        goes_with: what they need to have an effect.

    Raises:
        InputError: one of them was given.
    """
    for field in setting_fields(type(options)):
        if field.name in names.split() and getattr(options, field.name) != field.default:
            raise InputError(f"{_flags(field)[-1]} only works with {goes_with}")


def default_text(field: SettingField) -> str:
    """Returns the default of a setting as in a settings file, but without quotes."""
    match field.default:
        case None | "" | () | dataclasses.MISSING:
            return _NOT_SET
        case str() | Path() as text:
            return str(text)
        case tuple() as items:
            return ", ".join(map(str, items))
        case value if dataclasses.is_dataclass(value):
            return str(row_settings(value)["name"])
        case value:
            return json.dumps(value)


def _flags(field: SettingField, *, both: bool = False) -> list[str]:
    """Returns the flags of an option; a switch has the one that changes its default, or both."""
    name = field.name.rstrip("_").replace("_", "-")  # `from_` is `--from`, a keyword of Python
    on, off = f"--{name}" if name[1:] else f"-{name}", f"--no-{name}"
    if field.value_type is not bool:
        return [on]
    return [on, off] if both or field.default else [on]


class SettingOption(click.Option):
    """A setting as an option; if not given, it is None, or empty for a list."""

    def __init__(self, section: str, field: SettingField) -> None:
        """Makes the option; `section` is empty if it is not in the settings file."""
        self.section, self.field = section, field
        kind, metavar = field.value_type, None
        is_list = typing.get_origin(kind) is tuple
        if field.choices:  # the settings class refuses wrong ones
            kind, metavar = str, f"<{'|'.join(filter(None, field.choices))}>"
            if len(metavar) > _WIDEST:  # the help text names them
                metavar = "<name>"
        elif is_list:
            (kind, *_) = typing.get_args(kind)
            metavar = f"<{kind.__name__}>, repeatable"
        super().__init__(
            ["/".join(_flags(field, both=bool(section)))],
            type=click.Path(path_type=Path) if kind is Path else kind,
            is_flag=kind is bool or None,
            multiple=is_list,
            metavar=metavar,
            required=field.default is dataclasses.MISSING,
            show_default=True,
            help=field.help_text,
        )
        self.name = f"{section}.{field.name}"
        if kind is bool:
            self.default = None  # neither flag is given

    def get_help_extra(self, ctx: click.Context) -> "OptionHelpExtra":
        """Returns the text in brackets: the default, and whether a change makes no step rerun."""
        extra = super().get_help_extra(ctx)
        again = "; no rerun" if self.section and not self.field.changes_rows else ""
        told = f"{default_text(self.field)}{again}"
        if told != _NOT_SET and (self.secondary_opts or not self.is_flag):
            extra["default"] = told
        return extra


class Command(click.Command):
    """A command whose options are the fields of a settings class.

    Its function gets an instance as `options`, and its arguments by name. If the class is a
    subclass of BuildOptions, it also gets `sections`: the settings of the file, overridden by those
    of the command line.
    """

    def __init__(
        self,
        *,
        options: type,
        settings: Sequence[str] = (),
        **command: Any,  # noqa: ANN401 - of click
    ) -> None:
        """Makes a command.

        Args:
            options: the settings class.
            settings: settings of the build: a section, or a single one such as `scrape.contact`.
            command: arguments of click.Command.
        """
        super().__init__(**command)
        self.options, self.settings = options, settings
        self.params += [SettingOption("", field) for field in setting_fields(options)]

    @cached_property
    def setting_options(self) -> list[SettingOption]:
        """The options that are settings of the build; made lazily, because it imports steps."""
        return [
            SettingOption(section, field)
            for section, _, only in (name.partition(".") for name in self.settings)
            for field in setting_fields(settings_class(section))
            if only in {"", field.name} and not field.is_table
        ]

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Returns the parameters of the command, with settings last."""
        return [*super().get_params(ctx), *self.setting_options]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the command's own options, then those of each section of the settings file."""
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        for section, group in itertools.groupby(options, lambda one: getattr(one, "section", "")):
            title = f"Settings, [{section}] of hgld.toml" if section else "Options"
            with formatter.section(title):
                formatter.write_dl([one.get_help_record(ctx) or ("", "") for one in group])

    def invoke(self, ctx: click.Context) -> object:
        """Calls the command with its options and settings."""
        given = {name: value for name, value in ctx.params.items() if value not in {None, ()}}
        own = {name[1:]: value for name, value in given.items() if name.startswith(".")}
        for path in (value for value in own.values() if isinstance(value, Path)):
            refuse_address(path)
        options: object = from_mapping(self.options, own, where=f"hgld {self.name}")
        arguments = {name: value for name, value in ctx.params.items() if "." not in name}
        if isinstance(options, BuildOptions):
            sections = read_sections(options.root, options.config)
            for option in self.setting_options:
                if option.name in given:
                    _override(sections, option, given[option.name])
            for option in self.setting_options:
                if option.name in given and option.field.needs:
                    _refuse_in_vain(option, settings_of(option.section, sections))
            self._keep(options, sections, [name for name in _KEPT if name in given])
            arguments["sections"] = sections
        ctx.params = {"options": options, **arguments}
        return super().invoke(ctx)

    def _keep(self, options: BuildOptions, sections: Sections, names: Sequence[str]) -> None:
        """Saves the given _KEPT settings in the settings file, for the commands that follow."""
        path = options.config or options.root / "hgld.toml"
        for section, _, name in (one.partition(".") for one in names):
            load_step(section, sections)  # raises for a wrong setting
            if options.root.exists() or self.name == "build":
                value = sections[section][name]
                if keep_setting(path, section, name, value):
                    click.echo(f"{path}: saved [{section}] {name} = {json.dumps(value)}")


def _refuse_in_vain(option: SettingOption, settings: object) -> None:
    """Refuses an option whose setting changes nothing beside the others."""
    name, _, value = option.field.needs.partition("=")
    has = getattr(settings, name)
    if str(has) != value if value else not has:
        (needed,) = (one for one in setting_fields(type(settings)) if one.name == name)
        flag = _flags(needed, both=True)[value == "False"]
        if value not in {"", "True", "False"}:
            flag = f"{flag} {value}"
        raise InputError(f"{option.opts[0]} only works with {flag}")


def _override(sections: Sections, option: SettingOption, value: object) -> None:
    section = sections.setdefault(option.section, {})
    match section.get(option.field.name):
        case {"name": name} if name == value:
            pass  # the file has the same name, with settings of its own
        case _:
            section[option.field.name] = list(value) if isinstance(value, tuple) else value


class CommandGroup(click.Group):
    """Commands in a fixed order, grouped under titles."""

    def __init__(self, *, titles: Mapping[str, str], **group: Any) -> None:  # noqa: ANN401 - of click
        """Makes a group; `titles` are title to names of commands, separated by spaces."""
        super().__init__(**group)
        self.titles = titles

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands in the order of the titles; those without a title come last."""
        del ctx
        titled = " ".join(self.titles.values()).split()
        return [*titled, *(name for name in self.commands if name not in titled)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands, grouped by title."""
        titles = {name: title for title, names in self.titles.items() for name in names.split()}
        ordered = self.list_commands(ctx)
        for title, names in itertools.groupby(ordered, lambda name: titles.get(name, "Others")):
            with formatter.section(title):
                formatter.write_dl(
                    [(name, str(self.commands[name].help).partition("\n")[0]) for name in names]
                )
