"""The page of a data set, opened as it is typed: what the docs say, answered over HTTP."""

import re
import urllib.request
from pathlib import Path

from tests.flows.cli.test_browsing import folder
from tests.worlds.commands.readme import ROOT, commands_on
from tests.worlds.review.opened import page_of

__all__ = ["folder"]  # a fixture: a build and a release


def test_the_commands_of_the_page_show_a_build_and_a_release(folder: Path) -> None:
    commands = [line for line in commands_on(ROOT / "docs/browse.md") if "--static" not in line]
    assert len(commands) == 2
    for command in commands:
        words = re.sub(r"--port \d+", "--port 0", command)
        with page_of(words, folder, "nothing is written") as address:
            text = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "3 super-categories" in text
