import shutil
from pathlib import Path

import pytest

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.pages.browse.folder import browsed_folder
from hgld.pages.browse.pages import BrowsePages


def test_a_build_its_annotations_and_a_release_are_found_and_nothing_else(
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
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="--root"):
            browsed_folder(root)


@pytest.mark.parametrize("name", ["landmarks.parquet", "data/train-00000-of-00001.parquet"])
def test_a_damaged_table_is_named(build: Workspace, name: str) -> None:
    path = build.path("annotations") / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises((DamagedError, InputError), match=str(build.root)):
        BrowsePages(build.root)


def test_every_file_is_listed_with_its_size_and_checksum(finished: Workspace) -> None:
    folder = finished.path("annotations")
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
    listed = browsed_folder(folder).files()
    assert listed.keys() == {*paths, "SHA256SUMS"}
    for name, path in paths.items():
        assert (listed[name].size, listed[name].sha256) == (path.stat().st_size, file_digest(path))


def test_hidden_files_links_that_lead_out_and_pages_are_not_listed(build: Workspace) -> None:
    folder = build.path("annotations")
    (build.root / "secret.csv").write_text("secret")
    (folder / "link.csv").symlink_to(build.root / "secret.csv")
    (folder / "gone.csv").symlink_to(build.root / "nothing")
    (folder / ".hidden.csv").write_text("hidden")
    (folder / "evil.html").write_text("<script>alert(1)</script>")
    (folder / "inside.csv").symlink_to(folder / "releases.json")
    (folder / "SHA256SUMS").write_text("no checksums\n")  # is no list
    listed = browsed_folder(folder).files()
    assert not listed.keys() & {"link.csv", "gone.csv", ".hidden.csv", "evil.html"}
    assert listed["inside.csv"].sha256 == ""
