"""The queries and index of a build as a task of MTEB; tests/servers has MTEB itself read it."""

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.benchmarks.retrieval import mteb_task
from hgld.benchmarks.retrieval.mteb_task import export_mteb
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.labels import query_and_index_images
from tests.worlds.benchmark_builds import write_build
from tests.worlds.commands.typed import only_line, said
from tests.worlds.plain.metrics import plain_shared


def grades_of(workspace: Workspace, least: int) -> list[tuple[str, str, int]]:
    queries, index = query_and_index_images(workspace)
    rows = []
    for query, mine in zip(queries.image_ids.to_pylist(), queries.labels.tolist(), strict=True):
        for image, other in zip(index.image_ids.to_pylist(), index.labels.tolist(), strict=True):
            shared = plain_shared(mine, other)
            if shared >= least:
                rows.append((query, image, 2**shared - 1))
    return rows


@pytest.mark.parametrize("least", [1, 3])
def test_grades_are_the_gains_of_ndcg_and_pictures_the_files_as_they_are(
    build: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    monkeypatch.setattr(mteb_task, "_A_FILE", 5)
    monkeypatch.setattr(mteb_task, "_AT_ONCE", 2)
    folder = tmp_path / "task"
    count = export_mteb(build, folder, shared_levels_from=least)
    expected = grades_of(build, least)
    assert {grade for _, _, grade in expected} == ({1, 3, 7} if least == 1 else {7})
    found = pq.read_table(folder / "qrels")
    assert list(zip(*found.to_pydict().values(), strict=True)) == expected
    assert count == len(expected)
    for name, images in zip(("queries", "corpus"), query_and_index_images(build), strict=True):
        assert len([*(folder / name).iterdir()]) == math.ceil(len(images) / 5)
        rows = pq.read_table(folder / name).to_pylist()
        assert [row["id"] for row in rows] == images.image_ids.to_pylist()
        for place, row in enumerate(rows):
            assert row["image"]["bytes"] == images.path(place).read_bytes()


def test_another_set_of_labels_is_another_revision(tmp_path: Path) -> None:
    texts = []
    for name, label in (("one", "lake"), ("same", "lake"), ("other", "bridge")):
        workspace = Workspace(tmp_path / name / "build")
        workspace.root.mkdir(parents=True)
        write_build(workspace, supercategory=label)
        export_mteb(workspace, tmp_path / name / "task")
        texts.append((tmp_path / name / "task/mteb_task.py").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_the_command_writes_a_new_folder_only(build: Workspace, tmp_path: Path) -> None:
    export = ("export", "--root", build.root)
    printed = said(*export, "--mteb", tmp_path / "task", "--shared-levels", "2")
    assert f"{len(grades_of(build, 2))} grades" in printed
    assert "task" in only_line(*export, "--mteb", tmp_path / "task")
    assert "--mteb" in only_line(*export, "--shared-levels", "2")


def test_what_cannot_be_exported_is_refused(build: Workspace, tmp_path: Path) -> None:
    for least in (0, 4):
        with pytest.raises(InputError, match="shared_levels"):
            export_mteb(build, tmp_path / "task", shared_levels_from=least)
    picture = query_and_index_images(build)[1].path(3)
    picture.write_bytes(bytes(picture.stat().st_size))
    with pytest.raises(DamagedError, match=picture.name):
        export_mteb(build, tmp_path / "task")
