from pathlib import Path

import pytest

from hgld.errors import InputError, WorkspaceBusyError
from hgld.pages.browse.site.place import SITE_MARKER, marker_text, placing_site


def write(folder: Path, text: str) -> None:
    (folder / "page.html").write_text(text)
    (folder / SITE_MARKER).write_text(marker_text("1.0.0", 2))


def stopped(out: Path) -> None:
    """Writes half a site."""
    with placing_site(out) as folder:
        assert list(folder.iterdir()) == []
        write(folder, "half")
        raise KeyError("stopped")


def test_the_old_site_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "site"
    with placing_site(out) as folder:
        write(folder, "one")
        assert not out.exists()
    with placing_site(out) as folder:
        write(folder, "two")
        assert (out / "page.html").read_text() == "one"
    assert (out / "page.html").read_text() == "two"
    assert {path.name for path in tmp_path.iterdir()} == {"site", ".site.lock"}


def test_what_fails_leaves_the_old_site_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "site"
    with placing_site(out) as folder:
        write(folder, "one")
    with pytest.raises(KeyError, match="stopped"):
        stopped(out)
    with pytest.raises(InputError, match="No space left"), placing_site(out):
        raise OSError(28, "No space left on device")
    assert (out / "page.html").read_text() == "one"
    assert {path.name for path in tmp_path.iterdir()} == {"site", ".site.lock"}


def test_what_a_killed_run_has_left_is_mended(tmp_path: Path) -> None:
    """Killed between the two names: the old site is under its other name, the new one is whole."""
    out = tmp_path / "site"
    for name, text in ((".site.old", "one"), (".site.new", "half")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, text)
    with pytest.raises(KeyError, match="stopped"):
        stopped(out)
    assert (out / "page.html").read_text() == "one"


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    out = tmp_path / "site"
    with placing_site(out) as folder:
        write(folder, "one")
        with pytest.raises(WorkspaceBusyError, match="site"), placing_site(out):
            pass
    assert (out / "page.html").read_text() == "one"


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="--static"), placing_site(tmp_path / "file/site"):
        pass
