"""Options of the command line: those that commands share, and those that settings are."""

import inspect
import json
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from hgld import __version__
from hgld.engine.config import SettingField, row_settings, setting_fields
from hgld.engine.workspace import DEFAULT_ROOT
from hgld.flows.steps import Sections, read_sections, settings_class

_DEFAULT = " [default: "
_WIDEST = 60
"""Most characters of an option's choices, in help of 80 columns."""


class PlainHelp(TyperCommand):
    """A command whose help is plain text in two columns.

    Rich's table of five columns cuts the names of options off at 80 columns, and takes the
    `[train]` of a text for markup.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - of click, or typer's
        """Writes the help as click does."""
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)


def option_help(text: str, default: str) -> str:
    """Returns the help of an option: what it does and its default, also where None stands for it.

    Example:
        >>> option_help("Seed of K-Means.", "0")
        'Seed of K-Means. [default: 0]'
    """
    return f"{text}{_DEFAULT}{default}]"


def help_parts(option_help: str) -> tuple[str, str]:
    """Returns what an option does and its default, from its help.

    Example:
        >>> help_parts("Seed of K-Means. [default: 0]")
        ('Seed of K-Means.', '0')
    """
    text, _, default = option_help.rpartition(_DEFAULT)
    return text, default.removesuffix("]")


_ROOT_HELP = option_help("Folder that holds the build.", str(DEFAULT_ROOT))
Root = Annotated[Path, typer.Option("--root", show_default=False, help=_ROOT_HELP)]
Config = Annotated[
    Path | None,
    typer.Option(help=option_help("Settings file (TOML).", "hgld.toml in the build's folder")),
]

Force = Annotated[
    bool,
    typer.Option(
        "--force", help=option_help("Makes again what is done; it stands until then.", "false")
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSetting:
    """A setting of a step, as an option of a command."""

    step: str
    field: SettingField

    @property
    def default(self) -> str:
        """Its default as it stands in a settings file, but for the quotes."""
        match self.field.default:
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

    def parameter(self) -> inspect.Parameter:
        """Returns the parameter from which typer makes the option; None: it is not given."""
        # `from_` is `--from`, which Python keeps for itself.
        name = self.field.name.rstrip("_").replace("_", "-")
        kind, metavar = self.field.value_type, None
        if self.field.choices:  # a wrong one is refused by the settings class, in its words
            kind, metavar = str, f"<{'|'.join(filter(None, self.field.choices))}>"
            if len(metavar) > _WIDEST:  # its help names them
                metavar = "<name>"
        elif typing.get_origin(kind) is tuple:
            item = typing.get_args(kind)[0]
            kind, metavar = GenericAlias(list, item), f"<{item.__name__}>, again for each"
        option = typer.Option(
            f"--{name}/--no-{name}" if kind is bool else f"--{name}",
            metavar=metavar,
            help=option_help(self.field.help_text, self.default),
        )
        return inspect.Parameter(
            self.field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind | None, option, self],
        )


def takes_settings(
    *wanted: str, root: object = Root
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command `--root`, `--config`, and an option for each of some settings.

    Args:
        wanted: a step, for all its settings, or one of them: `scrape.contact`.
        root: the option that names the build's folder.

    Returns:
        A decorator. The command takes the build's folder, all settings (those of the command line
        over those of the file), and its own options by their names.
    """
    settings = [one for name in wanted for one in _settings_of(name)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        # Typer calls it with what the signature below says, name by name.
        def run(root: Path, config: Path | None, **options: Any) -> None:  # noqa: ANN401
            sections = read_sections(root, config)
            _override(sections, ((one, options.pop(one.field.name)) for one in settings))
            command(root, sections, **options)

        parameters = inspect.signature(run).parameters
        # Those of the command itself, after its folder and its settings.
        own = list(inspect.signature(command).parameters.values())[2:]
        shared = (
            parameters["root"].replace(annotation=root, default=DEFAULT_ROOT),
            parameters["config"].replace(annotation=Config, default=None),
        )
        rest = [one.replace(kind=one.KEYWORD_ONLY) for one in own]
        rest += [one.parameter() for one in settings]
        run.__signature__ = inspect.Signature([*shared, *rest])  # type: ignore[attr-defined]
        run.__doc__ = command.__doc__
        return run

    return decorate


def _settings_of(name: str) -> list[StepSetting]:
    step, _, only = name.partition(".")
    fields = setting_fields(settings_class(step))
    return [
        StepSetting(step=step, field=field)
        for field in fields
        if only in {"", field.name} and not field.is_table
    ]


def _override(sections: Sections, values: Iterable[tuple[StepSetting, object]]) -> None:
    for one, value in values:
        if value is not None and value != []:
            section = sections.setdefault(one.step, {})
            match section.get(one.field.name):
                case {"name": name} if name == value:
                    pass  # the file names it too, with settings of its own
                case _:
                    section[one.field.name] = value


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"hgld {__version__}")
        raise typer.Exit


# The page of all commands is Rich's, for its panels.
Debug = Annotated[
    bool,
    typer.Option("--debug", help=escape(option_help("Shows tracebacks and details.", "false"))),
]
Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_tell_version,
        is_eager=True,
        help=escape(option_help("Shows the version.", "false")),
    ),
]
