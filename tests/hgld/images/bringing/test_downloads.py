"""Tars that come too slowly, too large or not as announced: a row each, and mended by a rerun."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.http.patience import HttpPolicy
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from tests.hgld.images.test_stage_faults import failures, ids
from tests.worlds.gldv2.files import add_tar, image_id, images_tar
from tests.worlds.gldv2.folder_server import FolderServer

TAR = "train/images_001.tar"


@pytest.mark.parametrize(
    ("limit", "value"), [("slowest_bytes_per_s", 10_000_000), ("download_bytes", 20_000)]
)
def test_a_tar_beyond_a_limit_fails_alone_and_is_tried_again(
    workspace: Workspace,
    bucket_server: FolderServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
) -> None:
    quick = functools.partial(HttpPolicy, deadline_s=0.3)
    add_tar(bucket_server.folder, "train", 1, images_tar([2, 3], size=10_000))
    bucket_server.dripping = TAR if limit == "slowest_bytes_per_s" else ""
    config = ImagesConfig(base_url=bucket_server.url, train_tars=3)
    limited: dict[str, Any] = {"base_url": bucket_server.url, "train_tars": 3, limit: value}
    with monkeypatch.context() as patch:
        patch.setattr("hgld.images.config.HttpPolicy", quick)
        report = run_images(workspace, ImagesConfig(**limited), "train")
    assert bucket_server.hits[TAR] == 3
    assert report.manifest.failed == 1
    ((tar, error),) = failures(workspace)
    assert tar == "images_001.tar"
    assert limit in error
    assert ids(workspace) == [image_id(number) for number in (0, 1, 4, 5)]
    assert not list(workspace.path("images").glob(".*"))

    bucket_server.dripping = ""
    mended = run_images(workspace, config, "train")
    assert bucket_server.hits[TAR] == 4
    assert bucket_server.hits["train/images_000.tar"] == 1
    local = dataclasses.replace(config, base_url=str(bucket_server.folder))
    clean = run_images(Workspace(tmp_path / "clean"), local, "train")
    assert mended.manifest.outputs == clean.manifest.outputs
