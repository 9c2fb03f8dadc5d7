import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hgld.pages.browse.world import released_alone, write_finished
from tests.worlds.commands.typed import run_typed

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")

ROOT = Path(__file__).resolve().parents[3]


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


def test_the_commands_of_the_site_write_it(folder: Path) -> None:
    commands = [line for line in documented() if "--static" in line]
    assert len(commands) == 2
    for command in commands:
        done = typed(folder, *shlex.split(command)[2:])
        assert done.returncode == 0, done.stderr
        assert (folder / "site/landmarks/train/0/1.html").is_file()
    assert not (folder / "site/files").exists()
    shutil.rmtree(folder / "site")


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["--root", "nowhere"], "nowhere"),
        (["--static", "site", "--port", "1"], "--port"),
        (["--static", "site", "--no-open"], "--no-open"),
        (["--static", "site", "--token", "x"], "--token"),
        (["--static", "site", "--pictures", "-1"], "--pictures"),
        (["--static", "build"], "--static"),
        (["--pictures", "5"], "--static"),
        (["--no-downloads"], "--static"),
        (["--host", "0.0.0.0", "--no-open"], "--token"),  # noqa: S104 - refused
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(folder: Path, words: list[str], word: str) -> None:
    done = typed(folder, *words)
    assert done.returncode == 1
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (folder / "site").exists()
