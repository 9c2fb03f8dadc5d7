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


def test_links_are_followed_and_what_cannot_be_named_or_read_is_a_row(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "photos"
    draw_noise(elsewhere / "one.png", 1)
    folder.mkdir()
    (folder / "there").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg")).write_bytes(b"")
    assert listed(folder) == {
        "\\udcff.jpg": "has a name that is not UTF-8; rename it",
        "gone.png": "cannot be read: No such file or directory",
        "there/one.png": None,
    }


def test_a_folder_without_pictures_or_none_is_refused(tmp_path: Path) -> None:
    for folder, word in ((tmp_path, "no picture"), (tmp_path / "none", "--images")):
        with pytest.raises(InputError, match=word):
            PictureSource(folder=folder).listing()


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
    told = [(row["image_id"], row["error"], row["sha256"]) for row in found]
    assert told == [
        ("a", "cannot be decoded", None),
        ("b", None, rows[0]["sha256"]),
        ("c", "gone", None),
    ]
    with pytest.raises(MissingInputError, match="--split test"):
        PictureSource(folder=workspace.root, split="test").listing()
