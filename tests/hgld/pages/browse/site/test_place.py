from pathlib import Path

import pytest

from hgld.errors import InputError, WorkspaceBusyError
from hgld.pages.browse.site.place import SITE_MARKER, marker_text, placing_site


def write(folder: Path, text: str) -> None:
    (folder / "page.html").write_text(text)
    (folder / SITE_MARKER).write_text(marker_text("1.0.0", 2))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A site."""
    with placing_site(tmp_path / "site") as folder:
        write(folder, "one")
        assert not (tmp_path / "site").exists()
    return tmp_path / "site"


def test_the_old_site_stands_until_the_new_one_is_whole_and_two_at_once_do_not_meet(
    out: Path,
) -> None:
    with placing_site(out) as folder:
        write(folder, "two")
        assert (out / "page.html").read_text() == "one"
        with pytest.raises(WorkspaceBusyError, match="site"), placing_site(out):
            pass
    assert (out / "page.html").read_text() == "two"
    assert {path.name for path in out.parent.iterdir()} == {"site", ".site.lock"}


def fill_the_disk(out: Path) -> None:
    with placing_site(out) as folder:
        assert list(folder.iterdir()) == []
        write(folder, "half")
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_fails_or_was_killed_between_two_names_leaves_the_old_site_as_it_was(
    out: Path, is_killed: bool
) -> None:
    if is_killed:
        out.rename(out.parent / ".site.old")
        (out.parent / ".site.new").mkdir()
        write(out.parent / ".site.new", "half")
    with pytest.raises(InputError, match="No space left"):
        fill_the_disk(out)
    assert (out / "page.html").read_text() == "one"
    assert {path.name for path in out.parent.iterdir()} == {"site", ".site.lock"}
