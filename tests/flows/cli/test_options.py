"""Options are what the settings classes have, and their help can be read."""

import os
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hgld.engine.config import setting, setting_fields
from hgld.errors import InputError
from hgld.flows.build import ALL_SECTIONS, settings_class
from hgld.flows.cli.commands import app
from hgld.flows.cli.options import BuildOptions, Command, refuse_idle, required
from hgld.flows.cli.reference import PAGE, RENEW, page
from hgld.flows.steps import Sections
from hgld.training.config import METHOD_NAMES
from tests.worlds.commands.typed import invoke, only_line
from tests.worlds.process import process_put_back

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page(), f"{PAGE} is stale; renew it with: {RENEW}"


@pytest.mark.parametrize("command", app.commands)
def test_the_help_of_a_command_fits_80_columns_and_shows_every_setting(command: str) -> None:
    with process_put_back():
        os.environ["COLUMNS"] = "80"
        text = invoke(command, "-h").stdout
    assert max(len(line) for line in text.splitlines()) <= 80
    for field in setting_fields(settings_class(command)) if command in ALL_SECTIONS else ():
        assert field.is_table or f" --{field.name.rstrip('_').replace('_', '-')}" in text


def test_the_help_of_train_fits_two_screens() -> None:
    text = page().partition("## `hgld train`")[2].partition("\n## ")[0]  # 100 columns wide
    assert len(text.splitlines()) <= 2 * 55 + len(["", "```text", "```"])
    assert all(f" {name}" in text for name in METHOD_NAMES)


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


@pytest.mark.parametrize(
    ("typed", "needed"),
    [
        ("train --memory-from-step 5", "--memory-size"),
        ("train --frozen --min-crop 0.5", "--no-frozen"),
        ("images --url-hosts example.org", "--from urls"),
        ("benchmark --seeds 3", "--methods"),
    ],
)
def test_an_option_in_vain_is_refused_and_a_file_may_have_it(
    typed: str, needed: str, tmp_path: Path
) -> None:
    words = [*typed.split(), "--root", str(tmp_path)]
    option, value = typed.split()[-2:]
    assert f"{option} only works with {needed}" in only_line(*words)
    name = option.removeprefix("--").replace("-", "_")
    line = f"{name} = {f'[{value}]' if name == 'seeds' else value}"
    (tmp_path / "hgld.toml").write_text(f"[{words[0]}]\n{line}\n")
    assert "only works" not in only_line(words[0], "--root", str(tmp_path))
