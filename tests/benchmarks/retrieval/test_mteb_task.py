"""The queries and index of a build as a task of MTEB; tests/servers has MTEB itself read it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from hgld.benchmarks.retrieval import mteb_task
from hgld.benchmarks.retrieval.mteb_task import export_mteb
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.labels import query_and_index_images
from tests.worlds.benchmark_builds import write_build
from tests.worlds.commands.typed import only_line, said
from tests.worlds.plain.metrics import plain_shared

Load = Callable[[Path, str], Any]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Reads one of the tables as MTEB does."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    def load(folder: Path, name: str) -> Any:  # noqa: ANN401 - of no types
        return datasets.load_dataset(
            str(folder), name, split="test", cache_dir=str(tmp_path / "cache")
        )

    return load


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
def test_each_table_is_read_as_it_was_meant(
    build: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: Load, least: int
) -> None:
    monkeypatch.setattr(mteb_task, "_A_FILE", 5)
    monkeypatch.setattr(mteb_task, "_AT_ONCE", 2)
    folder = tmp_path / "task"
    count = export_mteb(build, folder, shared_levels_from=least)
    expected = grades_of(build, least)
    assert {grade for _, _, grade in expected} == ({1, 3, 7} if least == 1 else {7})
    found = loaded(folder, "qrels")
    assert [(row["query-id"], row["corpus-id"], row["score"]) for row in found] == expected
    assert count == len(expected)
    for name, images in zip(("queries", "corpus"), query_and_index_images(build), strict=True):
        files = sorted((folder / name).iterdir())
        assert len(files) == math.ceil(len(images) / 5)
        table = loaded(folder, name)
        assert table["id"][:] == images.image_ids.to_pylist()
        assert table[0]["image"].size == (48, 40)
        raw = table.cast_column("image", datasets.Image(decode=False))
        assert raw[-1]["image"]["bytes"] == images.path(len(images) - 1).read_bytes()


def test_another_set_of_labels_is_another_revision(tmp_path: Path) -> None:
    texts = []
    for name, label in (("one", "lake"), ("same", "lake"), ("other", "bridge")):
        workspace = Workspace(tmp_path / name / "build")
        workspace.root.mkdir(parents=True)
        write_build(workspace, supercategory=label)
        export_mteb(workspace, tmp_path / name / "task")
        texts.append((tmp_path / name / "task/mteb_task.py").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_the_command_writes_a_new_folder_only_and_refuses_what_has_no_effect(
    build: Workspace,
) -> None:
    export = ("export", "--root", build.root)
    printed = said(*export, "--mteb", build.root.parent / "task", "--shared-levels", "2")
    assert f"{len(grades_of(build, 2))} grades" in printed
    assert "task" in only_line(*export, "--mteb", build.root.parent / "task")
    assert "--mteb" in only_line(*export, "--shared-levels", "2")


def test_what_cannot_be_exported_is_refused(build: Workspace, tmp_path: Path) -> None:
    for least in (0, 4):
        with pytest.raises(InputError, match="shared_levels"):
            export_mteb(build, tmp_path / "task", shared_levels_from=least)
    picture = query_and_index_images(build)[1].path(3)
    picture.write_bytes(bytes(picture.stat().st_size))
    with pytest.raises(DamagedError, match=picture.name):
        export_mteb(build, tmp_path / "task")
