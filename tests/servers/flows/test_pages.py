"""The pages, opened as they are typed: what the docs say, answered over HTTP, and a terminal."""

import contextlib
import os
import pty
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

from hgld.engine.workspace import Workspace
from tests.flows.cli.test_browsing import folder
from tests.worlds.benchmark_builds import write_build, write_run
from tests.worlds.commands.readme import ROOT, commands_on
from tests.worlds.commands.typed import said
from tests.worlds.review.opened import HGLD, page_of
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


def test_a_terminal_gets_a_table_and_its_page_is_opened(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    write_build(workspace)
    write_run(workspace)
    shutil.copy(workspace.path("images/test/t2100.jpg"), tmp_path / "my picture.jpg")
    said("index", "--split", "index", folder=tmp_path)
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    master, slave = pty.openpty()
    words = ["search", "my picture.jpg", "-k", "3", "--html", "near.html"]
    environment = {**os.environ, "BROWSER": f"{browser} %s", "COLUMNS": "120"}
    process = subprocess.Popen(
        [HGLD, *words], cwd=tmp_path, env=environment, stdout=slave, stderr=subprocess.DEVNULL
    )
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while True:
            shown += os.read(master, 65536)
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    assert "┃ rank ┃ similarity ┃ landmark" in text
    assert "│ Eltz" in text
    assert "most of 3: Eltz (2), castle / fort (2), human-made (3)" in text
    assert opened.read_text().strip() == (tmp_path / "near.html").as_uri()
