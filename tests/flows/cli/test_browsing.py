import shlex
import shutil
from pathlib import Path

import pytest

from tests.hgld.pages.browse.world import released_alone, write_finished
from tests.worlds.commands.readme import ROOT, commands_on
from tests.worlds.commands.typed import only_line, said

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build and a release in it."""
    folder = tmp_path_factory.mktemp("typed")
    released_alone(write_finished(folder / "build"), folder / "release")
    return folder


def test_the_command_of_the_site_writes_it(folder: Path) -> None:
    [command] = [line for line in commands_on(ROOT / "docs/browse.md") if "--static" in line]
    said(*shlex.split(command)[1:], folder=folder)
    assert (folder / "site/landmarks/train/1.html").is_file()
    shutil.rmtree(folder / "site")


def test_what_cannot_be_done_is_told_in_a_line(folder: Path) -> None:
    for *words, word in (
        ("--root", "nowhere", "nowhere"),
        ("--static", "site", "--port", "1", "--port"),
        ("--static", "site", "--no-open", "--no-open"),
        ("--static", "site", "--token", "x", "--token"),
        ("--static", "build", "--static"),
        ("--host", "0.0.0.0", "--no-open", "--token"),  # noqa: S104 - refused
    ):
        assert word in only_line("browse", *words, folder=folder)
        assert not (folder / "site").exists()
