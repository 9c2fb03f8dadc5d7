import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.state.source import ReleaseCard, browsed_folder


def test_a_build_its_annotations_and_a_release_are_found(finished: Workspace, alone: Path) -> None:
    folder = finished.path("annotations")
    for root in (finished.root, folder):
        found = browsed_folder(root)
        assert found.folder == folder
        assert found.workspace is not None
        assert found.workspace.root.resolve() == finished.root.resolve()
    found = browsed_folder(alone)
    assert (found.folder, found.workspace) == (alone, None)


def test_a_release_in_a_folder_annotations_is_no_build(alone: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(alone, tmp_path / "pulled/annotations"))
    for root in (tmp_path / "pulled", copy):
        assert browsed_folder(root).workspace is None


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_a_data_set_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="--root"):
        browsed_folder(tmp_path / name)


@pytest.mark.parametrize("name", ["landmarks.parquet", "data/train-00000-of-00001.parquet"])
def test_a_damaged_table_is_told_by_its_name(build: Workspace, name: str) -> None:
    path = build.path("annotations") / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises((DamagedError, InputError), match=str(build.root)):
        Exhibit(build.root)


def test_the_release_says_its_title_and_licence_and_none_is_needed(build: Workspace) -> None:
    card = browsed_folder(build.root).card()
    assert card.title == "H-GLDv2 labels"
    assert card.license.startswith("https://creativecommons.org/")
    assert "The hgld maintainers" in card.citation
    path = build.path("annotations/croissant.json")
    for content in ("{", "[]", '{"name": 5, "license": null}', '{"name": "  "}'):
        path.write_text(content)
        assert browsed_folder(build.root).card() == ReleaseCard()
    path.unlink()
    assert Exhibit(build.root).frame.title == "Hierarchical landmark labels"
