"""Options are what the settings classes have, and their help can be read."""

import functools
import os
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hgld.engine.config import setting_fields
from hgld.flows.build import (
    ALL_STEPS,
    settings_class,
)
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import SettingOption, StepCommand, default_text
from hgld.flows.steps import (
    Sections,
)
from tests.worlds.commands.typed import invoke
from tests.worlds.process import process_put_back

COMMANDS = list(app.commands)


@functools.cache
def help_of(*arguments: str) -> str:
    """Returns the help of a command as it stands in a terminal of 80 columns."""
    with process_put_back():
        os.environ["COLUMNS"] = "80"
        done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def settings_of(command: str) -> list[tuple[str, str]]:
    """Returns the section and name of each setting that a command takes."""
    options = [one for one in app.params_of(command) if isinstance(one, SettingOption)]
    return [(one.section, one.field.name) for one in options]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_fits_80_columns_and_says_what_it_reads_and_writes(
    command: str,
) -> None:
    text = help_of(command, "-h")
    assert text.startswith(f"Usage: hgld {command}")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert re.search(r"Reads .*; writes ", " ".join(text.split()))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_is_no_switch_shows_its_default(command: str) -> None:
    *each, last = re.split(r"\n  (?=-)", help_of(command, "-h").partition("Options:")[2])[1:]
    assert last.startswith("-h, --help")
    params = app.commands[command].params
    switches = {name for one in params if getattr(one, "is_flag", False) for name in one.opts}
    for option in each:
        name = re.match(r"[\w-]+", option)
        assert name
        if name[0] not in switches:
            assert re.search(r"\[(default: |required|.*; required)", " ".join(option.split()))


@pytest.mark.parametrize("step", ALL_STEPS)
def test_every_setting_is_an_option_with_its_own_help_and_default(step: str) -> None:
    words = " ".join(help_of(step, "-h").replace("-\n", "-").split()).replace("- ", "-")
    for field in setting_fields(settings_class(step)):
        if field.is_table:
            continue
        assert f" --{field.name.rstrip('_').replace('_', '-')} " in words
        assert field.help_text[-1] == "."
        shown = f"{field.help_text} [default: {default_text(field)}]".replace("- ", "-")
        assert shown in words


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_command_takes_the_settings_of_its_step_and_those_that_let_it_begin(step: str) -> None:
    fields = setting_fields(settings_class(step))
    own = [(step, field.name) for field in fields if not field.is_table]
    more = [("review", "accept_proposals"), ("review", "accept_above")]
    more += [("release", field.name) for field in setting_fields(settings_class("release"))]
    asking = [("scrape", name) for name in ("contact", "replay")]
    assert settings_of(step) == own + {"annotate": more, "parents": asking}.get(step, [])


def test_commands_stand_under_the_title_of_their_job() -> None:
    parts = re.split(r"^(\w.+):$", help_of("-h"), flags=re.MULTILINE)[1:]
    found = {
        title: re.findall(r"^  (\w+)  ", text, re.MULTILINE)
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }
    del found["Options"]
    assert sorted(command for commands in found.values() for command in commands) == sorted(
        COMMANDS
    )
    assert next(iter(found.values()))[:8] == list(ALL_STEPS[:8])


def test_a_command_that_is_mistyped_is_answered_with_what_was_meant() -> None:
    done = invoke("reviw")
    assert done.exit_code == 2
    assert "review" in done.output


def heard(*arguments: str, folder: Path) -> Sections:
    """Returns the settings that a command gets which takes some of three steps."""
    got: list[Sections] = []

    @click.command(cls=StepCommand, settings=("cluster", "scrape.refresh", "benchmark.runs"))
    @click.option("--loud", is_flag=True)
    def command(root: Path, sections: Sections, loud: bool) -> None:
        assert root == folder
        assert loud == ("--loud" in arguments)
        got.append(sections)

    done = CliRunner().invoke(command, ["--root", str(folder), *arguments])
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
