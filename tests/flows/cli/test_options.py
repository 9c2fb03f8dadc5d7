"""Options are what the settings classes have, and their help can be read."""

import functools
import inspect
import os
import re
from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.models import ArgumentInfo
from typer.testing import CliRunner, Result

from hgld.engine.config import setting_fields
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import StepSetting, takes_settings
from hgld.flows.steps import ALL_STEPS, Sections, settings_class
from tests.worlds.commands.typed import invoke
from tests.worlds.process import process_put_back

COMMANDS = [str(one.name) for one in app.registered_commands]


@functools.cache
def help_of(*arguments: str) -> str:
    """Returns the help of a command as it stands in a terminal of 80 columns."""
    with process_put_back():
        os.environ["COLUMNS"] = "80"
        done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_fits_80_columns_and_says_what_it_reads_and_writes(
    command: str,
) -> None:
    text = help_of(command, "-h")
    assert text.startswith(f"Usage: hgld {command}")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert re.search(r"Reads .*; writes ", " ".join(text.split()))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_shows_its_default(command: str) -> None:
    before, _, block = help_of(command, "-h").partition("Options:")
    *each, last = re.split(r"\n  (?=-)", block)[1:]
    assert last.startswith("-h, --help")
    (function,) = [one.callback for one in app.registered_commands if one.name == command]
    assert function is not None
    kinds = [get_args(one.annotation)[1] for one in inspect.signature(function).parameters.values()]
    places = [one for one in kinds if isinstance(one, ArgumentInfo)]
    assert len(each) == len(kinds) - len(places)
    arguments = before.partition("Arguments:\n")[2]
    assert len(re.findall(r"^  \w", arguments, re.MULTILINE)) == len(places)
    for option in [*each, arguments] if places else each:
        assert "[default: " in " ".join(option.split())


@pytest.mark.parametrize("step", ALL_STEPS)
def test_every_setting_is_an_option_with_its_own_help_and_default(step: str) -> None:
    words = " ".join(help_of(step, "-h").replace("-\n", "-").split()).replace("- ", "-")
    for field in setting_fields(settings_class(step)):
        if field.is_table:
            continue
        assert f" --{field.name.rstrip('_').replace('_', '-')} " in words
        assert field.help_text[-1] == "."
        default = StepSetting(step=step, field=field).default
        assert f"{field.help_text} [default: {default}]".replace("- ", "-") in words


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_command_takes_the_settings_of_its_step_and_those_that_let_it_begin(step: str) -> None:
    (function,) = [one.callback for one in app.registered_commands if one.name == step]
    assert function is not None
    parameters = inspect.signature(function).parameters.values()
    told = [one for each in parameters for one in get_args(each.annotation)[2:]]
    fields = setting_fields(settings_class(step))
    own = [(step, field.name) for field in fields if not field.is_table]
    more = [("review", "accept_proposals"), ("review", "accept_above")]
    more += [("release", field.name) for field in setting_fields(settings_class("release"))]
    asking = [("scrape", name) for name in ("contact", "replay")]
    expected = own + {"annotate": more, "parents": asking}.get(step, [])
    assert [(one.step, one.field.name) for one in told] == expected


def test_the_name_of_an_extra_is_not_eaten_as_markup() -> None:
    assert "hgld[train]" in help_of("train", "-h")


def test_commands_are_grouped_by_job() -> None:
    panels = re.split(r"╭─ (.+?) ─+╮", help_of("-h"))[1:]
    found = {
        title: re.findall(r"^│ (\w+) ", text, re.MULTILINE)
        for title, text in zip(panels[::2], panels[1::2], strict=True)
    }
    del found["Options"]
    assert sorted(command for commands in found.values() for command in commands) == sorted(
        COMMANDS
    )
    assert next(iter(found.values()))[:8] == list(ALL_STEPS[:8])


def heard(*arguments: str, folder: Path) -> Sections:
    """Returns the settings that a command gets which takes some of three steps."""
    got: list[Sections] = []

    def command(root: Path, sections: Sections, loud: bool = False) -> None:
        assert root == folder
        assert loud == ("--loud" in arguments)
        got.append(sections)

    small = typer.Typer()
    small.command()(takes_settings("cluster", "scrape.refresh", "benchmark.runs")(command))
    done: Result = CliRunner().invoke(small, ["--root", str(folder), *arguments])
    assert done.exit_code == 0, done.output
    return got[0]


def test_what_is_typed_comes_before_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "hgld.toml").write_text("[cluster]\nclusters = 5\nseed = 1\n")
    assert heard("--clusters", "6", "--loud", folder=tmp_path) == {
        "cluster": {"clusters": 6, "seed": 1}
    }


def test_what_is_not_typed_is_no_setting(tmp_path: Path) -> None:
    assert heard(folder=tmp_path) == {}
    (tmp_path / "hgld.toml").write_text("[scrape]\nrefresh = true\n")
    assert heard(folder=tmp_path) == {"scrape": {"refresh": True}}


def test_a_switch_can_be_turned_off_and_a_list_has_its_option_again_for_each(
    tmp_path: Path,
) -> None:
    typed = heard("--no-refresh", "--runs", "a", "--runs", "b", folder=tmp_path)
    assert typed == {"scrape": {"refresh": False}, "benchmark": {"runs": ["a", "b"]}}
