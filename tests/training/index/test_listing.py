import os
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.tables import IMAGE_FILES
from hgld.training.index.listing import LISTING_SCHEMA, PictureSource
from tests.training.index.conftest import draw_noise
from tests.worlds.builders import picture_row, table_of, write_stage


def listed(folder: Path) -> dict[str, str | None]:
    """Returns image id to error."""
    table = PictureSource(folder=folder).listing()
    assert table.schema.equals(LISTING_SCHEMA)
    return dict(zip(*(table[name].to_pylist() for name in ("image_id", "error")), strict=True))


def test_pictures_are_found_by_their_suffix_however_deep_and_in_order(tmp_path: Path) -> None:
    hidden = (".a.jpg", ".cache/b.jpg", "a/._c.jpg")
    names = ("z.JPG", "a/b/c.jpeg", "a/1.webp", "a.tiff", "notes.txt", "jpg", "b.jpg/in.gif")
    for name in (*names, *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert list(listed(tmp_path)) == ["a.tiff", "a/1.webp", "a/b/c.jpeg", "b.jpg/in.gif", "z.JPG"]


def test_links_are_followed_and_one_that_leads_back_ends(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    draw_noise(elsewhere / "one.png", 1)
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "there").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert listed(folder) == {
        "gone.png": "cannot be read: No such file or directory",
        "there/one.png": None,
    }


def test_a_name_that_is_no_text_is_a_row_that_says_so(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"")
    assert listed(tmp_path) == {"\\udcff.jpg": "has a name that is not UTF-8; rename it"}


def test_a_folder_without_pictures_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture"):
        PictureSource(folder=tmp_path).listing()
    with pytest.raises(InputError, match="--images"):
        PictureSource(folder=tmp_path / "none").listing()


def test_a_split_is_listed_as_it_was_recorded(workspace: Workspace) -> None:
    draw_noise(workspace.path("images/index/b.png"), 1)
    dataset = IMAGE_FILES["index"]
    rows: list[dict[str, object]] = [
        picture_row(workspace, "b", "images/index/b.png"),
        {"image_id": "a", "tar": "a.tar", "status": "bad", "error": "cannot be decoded"},
        {"image_id": "c", "tar": "a.tar", "status": "gone"},
        {"image_id": "", "tar": "b.tar", "status": "ok"},
    ]
    write_stage(workspace, [(dataset, table_of(dataset, rows))])
    found = PictureSource(folder=workspace.root, split="index").listing().to_pylist()
    assert [(row["image_id"], row["error"]) for row in found] == [
        ("a", "cannot be decoded"),
        ("b", None),
        ("c", "gone"),
    ]
    assert found[1]["sha256"] == rows[0]["sha256"]
    assert found[1]["modified_ns"] is None


def test_a_split_that_was_not_fetched_names_the_command(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="--split test"):
        PictureSource(folder=workspace.root, split="test").listing()
