import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.dataset import Dataset
from hgld.engine.placing import find_beside
from hgld.engine.stage import StageReport, StageWriter
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError
from hgld.metadata.stage import STAGE, MetadataConfig, run_metadata
from hgld.tables import IMAGES, LANDMARKS
from tests.worlds.gldv2.files import SOLUTION, TABLES, image
from tests.worlds.gldv2.folder_server import FolderServer, kill_when


def run(workspace: Workspace, base: Path | str) -> StageReport:
    return run_metadata(workspace, MetadataConfig(base_url=str(base)))


def rows(workspace: Workspace, split: str) -> list[tuple[object, ...]]:
    table = workspace.read(IMAGES).to_pylist()
    columns = ("image_id", "landmark_id", "in_clean", "usage")
    return [tuple(row[name] for name in columns) for row in table if row["split"] == split]


def test_another_address_that_fails_leaves_the_old_files(
    workspace: Workspace, tables: Path, tables_server: FolderServer
) -> None:
    first = run(workspace, tables)
    tables_server.statuses["test.csv"] = 404
    with pytest.raises(FetchError, match=r"test\.csv"):
        run(workspace, tables_server.url)
    assert tables_server.hits["test.csv"] == 1
    assert not list(workspace.path("metadata/csv").glob(".*"))
    assert run(workspace, tables).manifest == first.manifest


@pytest.mark.fault(134, "official CSV that contradicts itself or another")
@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("train.csv", "id,url\n", "landmark_id"),
        ("train.csv", f"id,landmark_id\n{image(1)},ten\n", r"train\.csv"),
        ("train.csv", f"id,landmark_id\n{image(1)},\n", "landmark_id"),
        (
            "train.csv",
            f"id,landmark_id\n{image(1)},1\n{image(1)},1\n",
            image(1),
        ),
        ("train.csv", "id,landmark_id\n../../etc,1\n", "../../etc"),
        (
            "train_clean.csv",
            f"landmark_id,images\n10,{image(1)} {image(9)}\n",
            image(9),
        ),
        (
            "train_clean.csv",
            f"landmark_id,images\n10,{image(1)}\n20,{image(1)}\n",
            image(1),
        ),
        (
            "train_label_to_category.csv",
            "landmark_id,category\n10,a\n10,b\n",
            "landmark_id 10 ",
        ),
        ("train_label_to_category.csv", "landmark_id,category\n10,a\n-2,b\n", "line 3"),
        ("train_label_to_category.csv", 'landmark_id,category\n10,"a\n20,b\n', "line 2"),
        (
            "index_label_to_category.csv",
            "landmark_id,category\n7,a\n7,b\n",
            "landmark_id 7 ",
        ),
        (
            "index_image_to_landmark.csv",
            f"id,landmark_id\n{image(11)},10\n{image(12)},30\n",
            image(13),
        ),
        ("test.csv", f"id\n{image(21)}\n", image(22)),
        ("test.csv", f"id\n{image(21)}\n{image(21)}\n", image(21)),
        (SOLUTION, f"id,images\n{image(21)},None\n", "Usage"),
    ],
)
def test_a_wrong_file_is_refused_and_loses_nothing(
    workspace: Workspace, tables: Path, name: str, text: str, word: str
) -> None:
    run(workspace, tables)
    before = rows(workspace, "test")
    (tables / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=word) as raised:
        run(workspace, tables)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)
    (tables / name).write_text(TABLES[name], encoding="utf-8")
    run(workspace, tables)
    assert rows(workspace, "test") == before


def test_a_missing_file_says_which(workspace: Workspace, tables: Path) -> None:
    (tables / "train_clean.csv").unlink()
    with pytest.raises(FetchError, match=r"train_clean\.csv"):
        run(workspace, tables)
    assert stage_status(workspace, STAGE).state == "missing"


def test_a_base_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="base_url"):
        MetadataConfig(base_url="s3://bucket")


class KilledError(BaseException):
    """As if the process had been killed there."""


def never(*_: object) -> bool:
    return False


def run_killed(
    workspace: Workspace,
    base: Path | str,
    method: Callable[..., Any],
    *,
    before: Callable[..., bool] = never,
    after: Callable[..., bool] = never,
) -> None:
    """Runs the stage until it calls a method with some arguments; it ends before or after that."""

    def dying(*arguments: object) -> object:
        if before(*arguments):
            raise KilledError
        result = method(*arguments)
        if after(*arguments):
            raise KilledError
        return result

    owner = {Path.replace: Path, StageWriter.write: StageWriter}[method]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method.__name__, dying)
        with pytest.raises(KilledError):
            run(workspace, base)


_RUN = """
import sys
from pathlib import Path
from hgld.engine.workspace import Workspace
from hgld.metadata.stage import MetadataConfig, run_metadata
run_metadata(Workspace(Path(sys.argv[1])), MetadataConfig(base_url=sys.argv[2]))
"""


@pytest.mark.fault(135, "metadata killed in a download")
def test_a_run_killed_in_a_download_resumes_to_the_same_digest(
    workspace: Workspace, tables_server: FolderServer, tmp_path: Path
) -> None:
    clean = run(Workspace(tmp_path / "clean"), tables_server.folder)
    # Long enough to drip for ten seconds. The URL is read over, and changes no row.
    padded = TABLES["train.csv"].replace("http://x/3", "http://x/" + "3" * 900_000)
    (tables_server.folder / "train.csv").write_text(padded, encoding="utf-8")
    tables_server.dripping = "train.csv"
    folder = workspace.path("metadata/csv")
    command = [sys.executable, "-c", _RUN, str(workspace.root), tables_server.url]
    process = subprocess.Popen(command)
    kill_when(
        process, lambda: tables_server.has_dripped.is_set() and any(folder.glob(".train.csv.*"))
    )
    assert not (folder / "train.csv").exists()
    assert list(folder.glob(".train.csv.*"))
    assert workspace.manifest("metadata") is None

    tables_server.dripping = ""
    resumed = run(workspace, tables_server.url)
    assert resumed.manifest.outputs == clean.manifest.outputs
    assert tables_server.hits["train_label_to_category.csv"] == 1  # had come before the kill
    assert tables_server.hits["train.csv"] == 2
    assert not list(folder.glob(".*"))


def test_what_a_killed_run_left_is_cleared(workspace: Workspace, tables: Path) -> None:
    run(workspace, tables)
    leftover = workspace.path("metadata/csv/.train.csv.tmp")
    leftover.write_text("half of a file of another address")
    assert run(workspace, tables).skipped
    assert not leftover.exists()


@pytest.mark.fault(136, "metadata killed while it replaces files")
def test_a_run_killed_while_it_replaces_files_never_mixes_two_addresses(
    workspace: Workspace, tables: Path, tmp_path: Path
) -> None:
    clean = run(workspace, tables)
    other = tmp_path / "other"
    other.mkdir()
    for name, text in TABLES.items():
        (other / name).write_text(text.replace("http://c/", "http://other/"), encoding="utf-8")
    folder = workspace.path("metadata/csv")
    renamed: list[Path] = []

    def is_sixth(_: Path, target: Path) -> bool:
        if target.parent == folder and target.name != "FILES.json":
            renamed.append(target)
        return len(renamed) == 6

    run_killed(workspace, other, Path.replace, before=is_sixth)
    texts = {
        split: (folder / f"{split}_label_to_category.csv").read_text()
        for split in ("train", "index")
    }
    assert "http://c/" in texts["train"]
    assert "http://other/" in texts["index"]

    assert run(workspace, tables).manifest.outputs == clean.manifest.outputs
    expected = run(Workspace(tmp_path / "fresh"), other)
    assert run(workspace, other).manifest.outputs == expected.manifest.outputs


@pytest.mark.fault(137, "metadata killed between two shards")
def test_a_run_killed_between_two_shards_resumes_to_the_same_digest(
    workspace: Workspace, tables: Path, tmp_path: Path
) -> None:
    clean = run(Workspace(tmp_path / "clean"), tables)
    written: list[str] = []

    def is_fourth(_: StageWriter, dataset: Dataset, shard: str, __: object) -> bool:
        written.append(f"{dataset.path}/{shard}")
        return len(written) == 4

    run_killed(workspace, tables, StageWriter.write, before=is_fourth)
    assert len(find_beside(workspace, [LANDMARKS])) == 2
    assert len(find_beside(workspace, [IMAGES])) == 1
    assert stage_status(workspace, STAGE).state == "incomplete"
    assert run(workspace, tables).manifest.outputs == clean.manifest.outputs
