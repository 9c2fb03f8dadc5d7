"""Options are what the settings classes have, and their help can be read."""

import functools
import os
import re
from dataclasses import MISSING, dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hgld.engine.config import setting, setting_fields
from hgld.errors import InputError
from hgld.flows.build import ALL_STEPS, load_step, settings_class
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import BuildOptions, Command, default_text, refuse_idle, required
from hgld.flows.cli.reference import PAGE, RENEW, page
from hgld.flows.steps import Sections
from tests.worlds.commands.typed import invoke
from tests.worlds.process import process_put_back

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = list(app.commands)


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page(), f"{PAGE} is stale; renew it with: {RENEW}"
    for name, cls in (("happier", "alpha"), ("csl", "margins")):  # tables of the file
        assert f"  - `{cls}`: " in written.partition(f'- `name = "{name}"`: ')[2]


@functools.cache
def help_of(*arguments: str) -> str:
    """Returns the help of a command as it stands in a terminal of 80 columns."""
    with process_put_back():
        os.environ["COLUMNS"] = "80"
        done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def words_of(text: str) -> str:
    return " ".join(text.replace("-\n", "-").split()).replace("- ", "-")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_fits_80_columns_and_says_what_it_reads_and_writes(
    command: str,
) -> None:
    text = help_of(command, "-h")
    assert text.startswith(f"Usage: hgld {command}")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert re.search(r"Reads .*; writes ", " ".join(text.split()))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_is_shown_with_its_default(command: str) -> None:
    words = words_of(help_of(command, "-h").partition("Settings, [")[0])
    for field in setting_fields(vars(app.commands[command])["options"]):
        shown = words.partition(f"{field.help_text.replace('- ', '-')}")[2]
        assert shown, field.name
        if field.default is MISSING:
            assert shown.startswith(" [required]")
        elif field.default not in (None, "", (), False):
            assert shown.startswith(f" [default: {default_text(field)}]")


@pytest.mark.parametrize("step", ALL_STEPS)
def test_each_setting_is_an_option_below_its_section_that_says_whether_it_changes_rows(
    step: str,
) -> None:
    words = words_of(help_of(step, "-h")).partition(f"Settings, [{step}] of hgld.toml:")[2]
    for field in setting_fields(settings_class(step)):
        if not field.is_table:
            assert f"--{field.name.rstrip('_').replace('_', '-')} " in words
            assert field.help_text[-1] == "."
            again = "; changes rows" if field.changes_rows else ""
            shown = f"{field.help_text} [default: {default_text(field)}{again}]"
            assert shown.replace("- ", "-") in words


def test_commands_stand_under_the_title_of_their_job() -> None:
    parts = re.split(r"^(\w.+):$", help_of("-h"), flags=re.MULTILINE)[1:]
    found = [re.findall(r"^  (\w+)  ", text, re.MULTILINE) for text in parts[3::2]]
    assert sorted(command for commands in found for command in commands) == sorted(COMMANDS)
    assert found[0][:8] == list(ALL_STEPS[:8])


@dataclass(frozen=True, slots=True, kw_only=True)
class Loud(BuildOptions):
    loud: bool = setting(False, "Says more.")
    shuts: bool = setting(True, "Whether it ends.")
    names: tuple[str, ...] = setting((), "Of these.")
    k: int = required("How many.")

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError("k must be 1 or more")
        if not self.loud:
            refuse_idle(self, "shuts names", "--loud")


def heard(*arguments: str, folder: Path) -> tuple[Sections, Loud]:
    """Returns the settings that a command gets which takes some of three steps, and its own."""
    got: list[tuple[Sections, Loud]] = []
    settings = ("cluster", "scrape.refresh", "benchmark.runs")

    @click.command("hear", cls=Command, options=Loud, settings=settings)
    def command(options: Loud, sections: Sections) -> None:
        got.append((sections, options))

    typed = ["--root", str(folder), "-k", "3", *arguments]
    CliRunner().invoke(command, typed, standalone_mode=False, catch_exceptions=False)
    return got[0]


def test_what_is_typed_comes_before_what_the_file_says(tmp_path: Path) -> None:
    assert heard(folder=tmp_path)[0] == {}
    text = "[cluster]\nclusters = 5\nseed = 1\n[scrape]\nrefresh = true\n"
    (tmp_path / "hgld.toml").write_text(text)
    said = {"cluster": {"clusters": 5, "seed": 1}, "scrape": {"refresh": True}}
    assert heard(folder=tmp_path)[0] == said
    typed = ("--clusters", "6", "--no-refresh", "--runs", "a", "--runs", "b")
    assert heard(*typed, folder=tmp_path)[0] == {
        "cluster": {"clusters": 6, "seed": 1},
        "scrape": {"refresh": False},
        "benchmark": {"runs": ["a", "b"]},
    }


def test_the_options_of_a_command_are_those_of_its_class_and_checked_by_it(tmp_path: Path) -> None:
    _, options = heard("--loud", "--no-shuts", "--names", "a", "--names", "b", folder=tmp_path)
    assert options == Loud(root=tmp_path, loud=True, shuts=False, names=("a", "b"), k=3)
    assert "--out" in invoke("pull", "here").output
    for typed, word in (
        (("-k", "0"), "hear: k must"),
        (("--no-shuts",), "--no-shuts only works with --loud"),
        (("--names", "a"), "--names only works with --loud"),
    ):
        with pytest.raises(InputError, match=word):
            heard(*typed, folder=tmp_path)


@pytest.mark.parametrize("step", ALL_STEPS)
def test_what_a_command_reads_and_writes_are_the_folders_of_its_stages(step: str) -> None:
    reads, _, writes = words_of(help_of(step, "-h")).partition("; writes ")
    own: set[str] = set()  # of the stages before, of the same command
    for stage in load_step(step, {}).stages:
        read = {dataset.path.split("/")[0] for dataset in stage.inputs if dataset.path not in own}
        own |= {dataset.path for dataset in stage.outputs}
        wrote = {name.split("/")[0] for name in stage.places}
        assert all(f"{folder}/" in reads for folder in read)
        assert all(f"{folder}/" in writes for folder in wrote)
