import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.state.source import browsed_folder


def test_a_build_its_annotations_and_a_release_are_found(
    finished: Workspace, alone: Path, tmp_path: Path
) -> None:
    folder = finished.path("annotations")
    for root in (finished.root, folder):
        found = browsed_folder(root)
        assert found.folder == folder
        assert found.workspace is not None
        assert found.workspace.root.resolve() == finished.root.resolve()
    pulled = Path(shutil.copytree(alone, tmp_path / "pulled/annotations"))  # is no build
    for root in (alone, pulled, pulled.parent):
        assert browsed_folder(root).workspace is None


def test_a_folder_without_a_data_set_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="--root"):
            browsed_folder(root)


@pytest.mark.parametrize("name", ["landmarks.parquet", "data/train-00000-of-00001.parquet"])
def test_a_damaged_table_is_told_by_its_name(build: Workspace, name: str) -> None:
    path = build.path("annotations") / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises((DamagedError, InputError), match=str(build.root)):
        Exhibit(build.root)
