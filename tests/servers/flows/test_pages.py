"""The pages, opened as they are typed: what the docs say, answered over HTTP, and a terminal."""

import os
import pty
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.flows.cli.test_browsing import documented
from tests.hgld.pages.browse.world import released_alone, write_finished
from tests.worlds.benchmark_builds import write_build, write_run
from tests.worlds.commands.typed import run_typed
from tests.worlds.review.opened import page_of
from tests.worlds.stub_encoder import stubbed_encoder

HGLD = str(Path(sys.executable).with_name("hgld"))

_LABELS = """label,qids,count
parish church,Q317557,120
lighthouse,Q39715,35
Bergsee,,3
"""


def test_the_review_is_opened_on_a_build_and_on_a_list(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(_LABELS, encoding="utf-8")
    words = ["cluster", "--labels", "labels.csv", "--out", "list", "--clusters", "2"]
    with stubbed_encoder():
        assert run_typed(words, tmp_path).returncode == 0
    (tmp_path / "build").symlink_to("list")
    for command in ("hgld review", "hgld review --labels list"):
        with page_of(command, tmp_path) as address:
            text = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "parish church" in text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build and a release in it."""
    folder = tmp_path_factory.mktemp("typed")
    released_alone(write_finished(folder / "build"), folder / "release")
    return folder


def test_the_commands_of_the_page_show_a_build_and_a_release(folder: Path) -> None:
    commands = [line for line in documented() if "--static" not in line]
    assert len(commands) == 2
    for command in commands:
        words = re.sub(r"--port \d+", "--port 0", command)
        with page_of(words, folder, "nothing is written") as address:
            text = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "3 super-categories" in text


def test_a_terminal_gets_a_table_and_its_page_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "typed"
    workspace = Workspace(folder / "build")
    write_build(workspace)
    write_run(workspace)
    shutil.copy(workspace.path("images/test/t2100.jpg"), folder / "my picture.jpg")
    assert run_typed(["index", "--split", "index"], folder).returncode == 0
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    master, slave = pty.openpty()
    words = ["search", "my picture.jpg", "-k", "3", "--html", "near.html"]
    environment = {**os.environ, "BROWSER": f"{browser} %s", "COLUMNS": "120"}
    process = subprocess.Popen(
        [HGLD, *words], cwd=folder, env=environment, stdout=slave, stderr=subprocess.DEVNULL
    )
    os.close(slave)
    said = b""
    while True:
        try:
            said += os.read(master, 65536)
        except OSError:  # the other end is closed
            break
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode())
    assert "┃ rank ┃ similarity ┃ landmark" in text
    assert "│ Eltz" in text
    assert "most of 3: Eltz (2), castle / fort (2), human-made (3)" in text
    assert opened.read_text().strip() == (folder / "near.html").as_uri()
