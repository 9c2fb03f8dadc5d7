"""A release with fills: the same as without, and more beside it, counted apart."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.annotations.release.config import ReleaseConfig
from hgld.annotations.release.released import read_release
from hgld.annotations.stage import AnnotateConfig
from hgld.engine.workspace import Workspace
from hgld.tables import LABEL_CHANGES
from tests.hgld.annotations.release.applied import apply_changes, by_key
from tests.hgld.annotations.release.worlds import decide, kept, release
from tests.hgld.annotations.world import FILL_ROWS, HERITAGE, write_fills, write_inputs
from tests.worlds.commands.once import made_once

TAKEN = AnnotateConfig(train="all", fills=True, images_per_shard=1)


@pytest.fixture(scope="session")
def filled_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with a first release that takes fills; nobody changes it."""

    def make(folder: Path) -> None:
        workspace = Workspace(folder / "build")
        write_inputs(workspace)
        write_fills(workspace)
        release(workspace, annotate=TAKEN)

    return made_once(tmp_path_factory, "release-filled", make) / "build"


@pytest.fixture
def filling(filled_build: Path, workspace: Workspace) -> Workspace:
    """The same, to go on with."""
    shutil.copytree(filled_build, workspace.root)
    return workspace


def newest(folder: Path) -> dict[str, Any]:
    """Returns what a release says of itself."""
    return dict(json.loads((folder / "releases.json").read_text(encoding="utf-8"))[0])


def test_both_are_counted(filling: Workspace) -> None:
    folder = filling.path("annotations")
    counts = newest(folder)["counts"]
    assert counts["images"] == {"train": 2, "index": 2, "test": 1}  # as without fills
    assert counts["filled"] == {"train": 2, "index": 0, "test": 0}
    assert counts["filled_by"] == {"reviewed": 1, "words+parents": 1}
    assert (counts["landmarks_with_label"], counts["landmarks_filled"]) == (4, 2)
    assert (counts["labels"], counts["credits_missing"]) == (3, 2)
    note = (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")
    assert "2 landmarks without a label of their classes" in note
    assert "`reviewed` 1, `words+parents` 1" in note
    for name in ("README.md", "DATASHEET.md"):
        text = (folder / name).read_text(encoding="utf-8")
        for count in ("1 of 7", "excluded images: 3", "`reviewed` 1, `words", "`filled`: 2"):
            assert count in text


def test_taking_fills_adds_and_leaves_every_other_label(published: Workspace, before: Path) -> None:
    without = (before / "README.md").read_text(encoding="utf-8")
    assert "No label is imputed" in without
    folder = release(published, ReleaseConfig(previous=before), TAKEN)
    said = newest(folder)
    assert said["version"] == "1.1.0"
    assert said["changes"]["landmarks"]["label_added"] == 2
    assert said["changes"]["landmarks"]["label_changed"] == 0
    assert said["changes"]["images"] == {
        "added": 0,
        "removed": 0,
        "moved": 2,
        "changed": 0,
        "unchanged": 8,
        "label_added": 0,  # to what is published
        "label_removed": 0,
        "label_changed": 0,
    }
    changes = pq.read_table(folder / "label_changes.parquet").cast(LABEL_CHANGES.schema)
    told = {row["image_id"]: row for row in changes.to_pylist() if row["kind"] == "image"}
    assert {name: row["why"] for name, row in told.items()} == {
        "a2": "ignored -> filled",
        "a3": "no_item -> filled",
    }
    assert {(row["table_before"], row["table_after"]) for row in told.values()} == {
        ("excluded", "filled")
    }
    whys = {row["landmark_id"]: row["why"] for row in changes.to_pylist() if not row["image_id"]}
    assert whys == {
        3: "decision reviewer method label relabelled reason evidence",
        4: "decision reviewer method label relabelled reason evidence",
    }
    _assert_leads_to(before, changes, folder)


def test_a_fill_that_is_taken_back_is_a_label_removed(filling: Workspace) -> None:
    before = kept(filling.path("annotations"), "before")
    write_fills(filling, [row for row in FILL_ROWS if row["landmark_id"] != 4])
    folder = release(filling, ReleaseConfig(previous=before), TAKEN)
    said = newest(folder)
    assert (said["version"], said["changes"]["landmarks"]["label_removed"]) == ("2.0.0", 1)
    _assert_leads_to(before, filling.read(LABEL_CHANGES), folder)


def test_a_fill_that_a_class_confirms_is_published(filling: Workspace) -> None:
    before = kept(filling.path("annotations"), "before")
    decide(filling, {HERITAGE: ("assigned", "park", "natural")})
    folder = release(filling, ReleaseConfig(previous=before), TAKEN)
    said = newest(folder)["changes"]["images"]
    assert (said["moved"], said["label_added"], said["label_removed"]) == (1, 1, 0)
    changes = filling.read(LABEL_CHANGES)
    (image,) = [row for row in changes.to_pylist() if row["image_id"] == "a2"]
    assert (image["why"], image["table_after"]) == ("filled -> labelled", "data")
    _assert_leads_to(before, changes, folder)


def _assert_leads_to(before: Path, changes: Any, folder: Path) -> None:  # noqa: ANN401 - a table
    """Compares the release before with its changes, and the release."""
    made, now = apply_changes(read_release(before), changes), read_release(folder)
    assert by_key(made.landmarks, "landmark_id").equals(by_key(now.landmarks, "landmark_id"))
    assert by_key(made.images, "image_id").equals(by_key(now.images, "image_id"))
