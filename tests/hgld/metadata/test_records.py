"""The official files at rest: what changed is named, and fetched again."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError
from hgld.metadata.files import FILES, FOLDER, RECORD, csv_damages
from tests.hgld.metadata.test_stage import run, run_killed
from tests.worlds.gldv2.files import TABLES
from tests.worlds.gldv2.folder_server import FolderServer

NAME = "train.csv"
PATH = f"{FOLDER}/{NAME}"
RIGHT = TABLES[NAME].encode()
ERROR_PAGE = b"<!DOCTYPE html>\n<html><body>Log in to the network first</body></html>\n"


def flip(path: Path, at: int = 100) -> None:
    """Flips one bit of a file, in the middle of what it says."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@pytest.mark.fault(44, "official CSV altered at rest")
@pytest.mark.fault(45, "official CSV gone")
@pytest.mark.parametrize(
    "content", [RIGHT.swapcase(), RIGHT[:-5], b"", None], ids=["altered", "cut", "empty", "gone"]
)
def test_a_file_that_is_not_as_it_came_is_named_and_fetched_again(
    workspace: Workspace, tables_server: FolderServer, content: bytes | None
) -> None:
    assert csv_damages(workspace) == []  # there are no files yet
    clean = run(workspace, tables_server.url)
    assert csv_damages(workspace) == []
    path = workspace.path(PATH)
    path.unlink() if content is None else path.write_bytes(content)
    assert [damage.path for damage in csv_damages(workspace)] == [PATH]
    assert run(workspace, tables_server.url).manifest.outputs == clean.manifest.outputs
    assert tables_server.hits == Counter({**dict.fromkeys(FILES, 1), NAME: 2})
    assert path.read_bytes() == RIGHT
    assert csv_damages(workspace) == []


@pytest.mark.parametrize("damaged", [PATH, RECORD])
def test_what_cannot_be_checked_or_had_again_is_said_and_nothing_is_lost(
    workspace: Workspace, tables_server: FolderServer, damaged: str
) -> None:
    clean = run(workspace, tables_server.url)
    flip(workspace.path(damaged))
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    tables_server.close()
    for _ in range(2):
        with pytest.raises(FetchError, match=NAME if damaged == PATH else r"FILES\.json"):
            run(workspace, tables_server.url)
        assert before == {path: path.read_bytes() for path in before}
    # Mended by hand, as the error says, nobody is asked.
    path = workspace.path(damaged)
    path.write_bytes(RIGHT) if damaged == PATH else path.unlink()
    assert run(workspace, tables_server.url).manifest == clean.manifest
    assert csv_damages(workspace) == []


@pytest.mark.fault(46, "error page in place of a CSV")
def test_a_page_that_comes_for_a_file_is_not_kept(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    (tables_server.folder / NAME).write_bytes(ERROR_PAGE)
    with pytest.raises(InputError, match="<!DOCTYPE html>"):
        run(workspace, tables_server.url)
    assert tables_server.hits[NAME] == 1
    assert not workspace.path(PATH).exists()
    (tables_server.folder / NAME).write_bytes(RIGHT)
    run(workspace, tables_server.url)
    assert workspace.path(PATH).read_bytes() == RIGHT
    assert csv_damages(workspace) == []


def test_files_put_there_by_hand_are_taken_and_written_down(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    shutil.copytree(tables_server.folder, workspace.path(FOLDER))
    assert csv_damages(workspace) == []
    run(workspace, tables_server.url)
    assert tables_server.hits.total() == 0
    flip(workspace.path(PATH))
    assert [damage.path for damage in csv_damages(workspace)] == [PATH]
    assert run(workspace, tables_server.url).skipped
    assert tables_server.hits == {NAME: 1}
    assert workspace.path(PATH).read_bytes() == RIGHT


@pytest.mark.fault(47, "record of the official CSVs damaged")
def test_files_that_cannot_be_checked_are_all_fetched_again(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    clean = run(workspace, tables_server.url)
    record = workspace.path(RECORD)
    right = record.read_bytes()
    flip(record)
    flip(workspace.path(PATH))
    assert [damage.path for damage in csv_damages(workspace)] == [RECORD]
    assert run(workspace, tables_server.url).manifest == clean.manifest
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 2))
    assert workspace.path(PATH).read_bytes() == RIGHT
    assert record.read_bytes() == right


@pytest.mark.parametrize("is_damaged", [True, False], ids=["again", "at first"])
def test_a_run_killed_before_it_wrote_a_file_down_takes_the_file_as_whole(
    workspace: Workspace, tables_server: FolderServer, is_damaged: bool
) -> None:
    if is_damaged:
        run(workspace, tables_server.url)
        flip(workspace.path(PATH))
    run_killed(workspace, tables_server.url, lambda target: target.name == NAME)
    assert workspace.path(PATH).read_bytes() == RIGHT
    asked = tables_server.hits[NAME]
    run(workspace, tables_server.url)
    assert tables_server.hits[NAME] == asked == 1 + is_damaged
    assert csv_damages(workspace) == []
