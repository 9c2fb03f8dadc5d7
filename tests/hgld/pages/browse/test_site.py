import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, WorkspaceBusyError
from hgld.pages.browse import pages
from hgld.pages.browse import site as module
from hgld.pages.browse.site import placing_site, write_site
from tests.hgld.annotations.release.worlds import tree
from tests.worlds.pages.reading import PageReader

_OUTSIDE = re.compile(
    r"https://(commons\.wikimedia|www\.wikidata|creativecommons)\.org/|https://c\.example/"
)


def broken_links(folder: Path) -> list[str]:
    """Returns what pages of a site link to or load that is not there, or is elsewhere."""
    folder = folder.resolve()
    pages = {path: PageReader(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in [*page.loaded, *(one for one in page.links if not _OUTSIDE.match(one))]:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            is_there = target.is_relative_to(folder) and target.is_file()
            is_named = not parts.fragment or parts.fragment in pages[target].ids
            if parts.scheme or link.startswith("/") or not is_there or not is_named:
                broken.append(f"{path.name}: {link}")
    return broken


def test_every_link_leads_to_a_file_of_the_site_and_the_same_build_gives_the_same_bytes(
    finished: Workspace, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    report = write_site(finished.root, site)
    assert broken_links(site) == []
    files = tree(site)
    assert tree(site / "files") == tree(finished.path("annotations"))
    pictures = sum(name.endswith(".jpg") for name in files)
    assert report == (len(files), sum(map(len, files.values())), 7, pictures)
    assert pictures == 5
    policy = b"Policy\" content=\"default-src 'none'; script-src 'self'; style-src 'self'; img-src"
    for name in files:
        assert (policy in files[name]) == name.endswith(".html")
    write_site(finished.root, site)
    assert tree(site) == files


def test_pictures_are_bounded(
    finished: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PICTURES", 3)
    report = write_site(finished.root, tmp_path / "site")
    assert report.pictures == 3
    home = (tmp_path / "site/index.html").read_text("utf-8")
    assert home.count("<img ") == 3  # every label has its first one first
    assert broken_links(tmp_path / "site") == []


@pytest.mark.parametrize(("is_alone", "pictures", "shown"), [(True, 0, 0), (False, 4, 1)])
def test_a_picture_that_is_damaged_or_missing_is_told_in_words(
    alone: Path, build: Workspace, tmp_path: Path, is_alone: bool, pictures: int, shown: int
) -> None:
    build.path("images/train/a1.jpg").write_bytes(b"\xff\xd8 altered")
    report = write_site(alone if is_alone else build.root, tmp_path / "site")
    assert report.pictures == pictures
    assert broken_links(tmp_path / "site") == []
    landmark = (tmp_path / "site/landmarks/train/1.html").read_text("utf-8")
    assert landmark.count("<img ") == shown
    assert "Ann" in landmark  # who made it


def test_many_landmarks_share_pages_and_each_is_named_in_its_page(
    finished: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OWN_PAGES", 3)
    monkeypatch.setattr(pages, "TOGETHER", 2)
    monkeypatch.setattr(pages, "ROWS", 1)
    folder = tmp_path / "site"
    write_site(finished.root, folder)
    assert broken_links(folder) == []
    assert len(list(folder.glob("landmarks/*/*.html"))) == 6
    assert {one.name for one in folder.glob("labels/church/*")} == {
        "index.html",
        "2.html",
        "map.html",
    }
    assert len(list(folder.glob("countries/no-country/*.html"))) == 6
    assert '"landmarks/church/index.html#train-1"' in (folder / "search/w-c.js").read_text("utf-8")


def test_a_folder_with_something_else_in_it_is_refused(finished: Workspace, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    inside = finished.path("annotations/site")
    for out in (mine, tmp_path / "file", inside, finished.root, finished.root.parent):
        with pytest.raises(InputError, match=out.name):
            write_site(finished.root, out)
    assert (mine / "thesis.txt").read_text() == "years of work"
    write_site(finished.root, tmp_path / "site")
    with pytest.raises(InputError, match="apart"):  # the only copy of the data set may be there
        write_site(tmp_path / "site/files", tmp_path / "site")


def write(folder: Path, text: str) -> None:
    assert list(folder.iterdir()) == []
    (folder / "page.html").write_text(text)


def test_the_old_site_stays_until_the_new_one_is_whole_and_two_at_once_do_not_meet(
    tmp_path: Path,
) -> None:
    out = tmp_path / "site"
    with placing_site(out) as folder:
        write(folder, "one")
        assert not out.exists()
    with placing_site(out) as folder:
        write(folder, "two")
        assert (out / "page.html").read_text() == "one"
        with pytest.raises(WorkspaceBusyError, match="site"), placing_site(out):
            pass
    assert (out / "page.html").read_text() == "two"


def fill_the_disk(out: Path) -> None:
    with placing_site(out) as folder:
        write(folder, "half")
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_fails_or_was_killed_between_two_names_leaves_the_old_site_as_it_was(
    tmp_path: Path, is_killed: bool
) -> None:
    old = tmp_path / (".site.old" if is_killed else "site")
    old.mkdir()
    write(old, "one")
    (tmp_path / ".site.new").mkdir()
    write(tmp_path / ".site.new", "half")
    with pytest.raises(InputError, match="No space"):
        fill_the_disk(tmp_path / "site")
    assert (tmp_path / "site/page.html").read_text() == "one"
    assert {path.name for path in tmp_path.iterdir()} == {"site", ".site.lock"}
