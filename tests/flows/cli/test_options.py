"""Options are what the settings classes have, and their help can be read."""

import inspect
import re
from typing import get_args

import pytest
from typer.testing import CliRunner

from hgld.engine.config import SettingField, setting_fields
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import StepSetting
from hgld.flows.steps import STEPS, settings_class

COMMANDS = [str(one.name) for one in app.registered_commands]
FIELDS = [(step, field) for step in STEPS for field in setting_fields(settings_class(step))]


def help_of(*arguments: str) -> str:
    """Returns the help of a command as it stands in a terminal of 80 columns."""
    done = CliRunner().invoke(app, list(arguments), prog_name="hgld", env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_of_a_command_fits_80_columns_and_says_what_it_reads_and_writes(
    command: str, flag: str
) -> None:
    text = help_of(command, flag)
    assert text.startswith(f"Usage: hgld {command}")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert re.search(r"Reads .*; writes ", " ".join(text.split()))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_shows_its_default(command: str) -> None:
    _, _, block = help_of(command, "-h").partition("Options:")
    *each, last = re.split(r"\n  (?=-)", block)[1:]
    assert last.startswith("-h, --help")
    (function,) = [one.callback for one in app.registered_commands if one.name == command]
    assert function is not None
    assert len(each) == len(inspect.signature(function).parameters)
    for option in each:
        assert "[default: " in " ".join(option.split())


@pytest.mark.parametrize(("step", "field"), FIELDS, ids=lambda one: getattr(one, "name", one))
def test_every_setting_is_an_option_with_its_own_help_and_default(
    step: str, field: SettingField
) -> None:
    words = " ".join(help_of(step, "-h").replace("-\n", "-").split()).replace("- ", "-")
    assert f" --{field.name.replace('_', '-')} " in words
    assert field.help_text[-1] == "."
    default = StepSetting(step=step, field=field).default
    assert f"{field.help_text} [default: {default}]".replace("- ", "-") in words


@pytest.mark.parametrize("step", STEPS)
def test_a_command_takes_the_settings_of_its_step_and_no_others(step: str) -> None:
    (function,) = [one.callback for one in app.registered_commands if one.name == step]
    assert function is not None
    parameters = inspect.signature(function).parameters.values()
    told = [one for each in parameters for one in get_args(each.annotation)[2:]]
    assert [one.field.name for one in told] == [
        field.name for field in setting_fields(settings_class(step))
    ]
    assert {one.step for one in told} == {step}


@pytest.mark.parametrize(
    ("command", "extra"),
    [("embed", "offline"), ("embed", "cluster"), ("train", "train"), ("train", "offline")],
)
def test_the_name_of_an_extra_is_not_eaten_as_markup(command: str, extra: str) -> None:
    assert f"hgld[{extra}]" in help_of(command, "--help")
