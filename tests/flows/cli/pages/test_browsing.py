import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.hgld.pages.browse.world import released_alone, write_finished
from tests.worlds.commands.typed import run_typed
from tests.worlds.review.opened import page_of

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build and a release in it."""
    folder = tmp_path_factory.mktemp("typed")
    released_alone(write_finished(folder / "build"), folder / "release")
    return folder


def documented() -> list[str]:
    text = (ROOT / "docs/browse.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.S | re.M)
    return [line for block in blocks for line in block.splitlines()]


def typed(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return run_typed(["browse", *words], folder)


def test_the_commands_of_the_page_show_a_build_and_a_release(folder: Path) -> None:
    commands = [line for line in documented() if "--static" not in line]
    assert len(commands) == 2
    for command in commands:
        words = re.sub(r"--port \d+", "--port 0", command)
        with page_of(words, folder, "nothing is written") as address:
            text = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "3 super-categories" in text


def test_the_commands_of_the_site_write_it(folder: Path) -> None:
    commands = [line for line in documented() if "--static" in line]
    assert len(commands) == 2
    for command in commands:
        done = typed(folder, *shlex.split(command)[2:])
        assert done.returncode == 0, done.stderr
        assert re.match(
            r"site: \d+ files, [\d,]+ bytes, 7 landmarks, 5 pictures; any web", done.stdout
        )
        assert (folder / "site/landmarks/train/0/1.html").is_file()
    assert not (folder / "site/files").exists()
    shutil.rmtree(folder / "site")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--root", "nowhere"], "must be a build, its annotations/ or a release"),
        (["--static", "site", "--port", "1"], "--port goes with the page"),
        (["--static", "site", "--no-open"], "--no-open goes with the page"),
        (["--static", "site", "--token", "x"], "--token goes with the page"),
        (["--static", "site", "--pictures", "-1"], "--pictures must be 0 or more"),
        (["--static", "build"], "must be a folder apart from the data set"),
        (["--pictures", "5"], "--pictures goes with --static"),
        (["--no-downloads"], "--no-downloads goes with --static"),
        (["--host", "0.0.0.0", "--no-open"], "choose a secret with --token"),  # noqa: S104 - refused
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(folder: Path, words: list[str], why: str) -> None:
    done = typed(folder, *words)
    assert done.returncode == 1
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (folder / "site").exists()


_WITHOUT = """
import sys

sys.modules["fastapi"] = None
from hgld.flows.cli.commands import main

sys.argv = ["hgld", "browse", "--root", sys.argv[1], "--no-open"]
main()
"""


def test_a_missing_package_is_named_with_what_installs_it(folder: Path) -> None:
    command = [sys.executable, "-c", _WITHOUT, str(folder / "build")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.search(r"needs the package 'fastapi': .*pip", done.stderr), done.stderr
