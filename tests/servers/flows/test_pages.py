"""The pages, opened as they are typed: what the docs say, answered over HTTP."""

import re
import urllib.request
from pathlib import Path

from tests.flows.cli.test_browsing import folder
from tests.worlds.commands.readme import ROOT, commands_on
from tests.worlds.commands.typed import said
from tests.worlds.review.opened import page_of
from tests.worlds.stub_encoder import stubbed_encoder

__all__ = ["folder"]  # a fixture: a build and a release


def test_the_review_is_opened_on_a_build_and_on_a_list(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("label\nparish church\nlighthouse\n")
    words = ["cluster", "--labels", "labels.csv", "--out", "list", "--clusters", "2"]
    with stubbed_encoder():
        said(*words, folder=tmp_path)
    (tmp_path / "build").symlink_to("list")
    for command in ("hgld review", "hgld review --labels list"):
        with page_of(command, tmp_path) as address:
            text = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "parish church" in text


def test_the_commands_of_the_page_show_a_build_and_a_release(folder: Path) -> None:
    commands = [line for line in commands_on(ROOT / "docs/browse.md") if "--static" not in line]
    assert len(commands) == 2
    for command in commands:
        words = re.sub(r"--port \d+", "--port 0", command)
        with page_of(words, folder, "nothing is written") as address:
            text = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "3 super-categories" in text
