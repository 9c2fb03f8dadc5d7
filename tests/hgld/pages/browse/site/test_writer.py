import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.browse.addresses import LiveAddresses
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.pages import PageWriter
from hgld.pages.browse.site import writer
from hgld.pages.browse.site.writer import SiteConfig, SiteReport, write_site
from tests.hgld.pages.browse.site.reading import PageReader, broken_links, tree_of


def words_of_page(text: str) -> str:
    """Returns what is read on a page."""
    body = re.sub(r"<head>.*?</head>|<noscript>.*?</noscript>|<[^>]+>", " ", text, flags=re.S)
    return " ".join(body.split())


@pytest.fixture(scope="module")
def site(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    write_site(finished.root, folder, SiteConfig())
    return folder


def test_every_link_is_relative_and_leads_to_a_file_of_the_site(site: Path) -> None:
    assert len(list(site.glob("landmarks/**/[0-9]*.html"))) == 7
    assert broken_links(site) == []


def test_pages_say_what_those_of_the_server_say(site: Path, finished: Workspace) -> None:
    pages, to = PageWriter(Exhibit(finished.root)), LiveAddresses("x")
    live = {
        "index.html": pages.home(to),
        "labels/church/index.html": pages.group(to, "church"),
        "labels/no-label-no-item/index.html": pages.group(to, "no-label-no-item"),
        "landmarks/train/0/1.html": pages.landmark(to, "train", 1),
        "landmarks/train/0/5.html": pages.landmark(to, "train", 5),
        "changes/index.html": pages.changes(to),
        "downloads.html": pages.downloads(to),
    }
    for name, text in live.items():
        assert text is not None
        assert words_of_page((site / name).read_text("utf-8")) == words_of_page(text), name


def test_every_page_refuses_what_is_not_of_the_site(site: Path) -> None:
    for path in site.rglob("*.html"):
        (policy,) = [
            tag["content"] or ""
            for name, tag in PageReader(path.read_text("utf-8")).tags
            if name == "meta" and tag.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy


def test_downloads_are_the_files_of_the_release(site: Path, finished: Workspace) -> None:
    assert tree_of(site / "files") == tree_of(finished.path("annotations"))


def test_the_same_build_gives_the_same_bytes_and_tells_what_lies_there(
    site: Path, finished: Workspace, tmp_path: Path
) -> None:
    report = write_site(finished.root, tmp_path / "site", SiteConfig())
    files = tree_of(tmp_path / "site")
    assert files == tree_of(site)
    assert isinstance(report, SiteReport)
    assert (report.files, report.bytes) == (len(files), sum(map(len, files.values())))
    assert (report.landmarks, report.pictures) == (7, 5)
    assert sum(name.endswith(".jpg") for name in files) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [".site.lock", "site"]


def test_pictures_are_bounded_and_every_label_has_its_first_one_first(
    finished: Workspace, tmp_path: Path
) -> None:
    report = write_site(finished.root, tmp_path / "site", SiteConfig(pictures=3, downloads=False))
    assert report.pictures == 3
    home = (tmp_path / "site/index.html").read_text("utf-8")
    assert home.count("<img ") == 3
    assert not (tmp_path / "site/files").exists()
    assert "<a download" not in (tmp_path / "site/downloads.html").read_text("utf-8")
    assert broken_links(tmp_path / "site") == []


def test_without_pictures_images_are_told_in_words(alone: Path, tmp_path: Path) -> None:
    report = write_site(alone, tmp_path / "site", SiteConfig())
    assert report.pictures == 0
    assert broken_links(tmp_path / "site") == []
    landmark = (tmp_path / "site/landmarks/train/0/1.html").read_text("utf-8")
    assert "<img" not in landmark
    assert "CC-BY-SA-3.0-DE" in landmark


def test_many_landmarks_share_pages_and_each_is_named_in_its_page(
    finished: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "OWN_PAGES", 3)
    monkeypatch.setattr(writer, "_TOGETHER", 1 + 1)
    write_site(finished.root, tmp_path / "site", SiteConfig())
    folder = tmp_path / "site"
    assert broken_links(folder) == []
    assert len(list(folder.glob("landmarks/*/*.html"))) == 6
    church = PageReader((folder / "landmarks/church/index.html").read_text("utf-8"))
    assert {"train-1", "train-2"} <= set(church.ids)
    table = json.loads((folder / "search/1.json").read_text("utf-8"))
    assert "landmarks/church/index.html#train-1" in {row[0] for row in table["r"]}


def test_a_damaged_picture_is_left_out_and_nothing_else(build: Workspace, tmp_path: Path) -> None:
    build.path("images/train/a1.jpg").write_bytes(b"\xff\xd8 altered")
    report = write_site(build.root, tmp_path / "site", SiteConfig())
    assert report.pictures == 4
    assert broken_links(tmp_path / "site") == []
    landmark = (tmp_path / "site/landmarks/train/0/1.html").read_text("utf-8")
    assert landmark.count("<img ") == 1
    assert "Ann" in landmark  # who made it is told all the same


def test_an_empty_data_set_is_a_site_too(build: Workspace, tmp_path: Path) -> None:
    folder = build.path("annotations")
    shutil.rmtree(folder / "data")
    for path in folder.glob("*.parquet"):
        pq.write_table(pq.read_schema(path).empty_table(), path)
    report = write_site(build.root, tmp_path / "site", SiteConfig())
    assert report.landmarks == 0
    assert broken_links(tmp_path / "site") == []
    home = (tmp_path / "site/index.html").read_text("utf-8")
    assert 'id="map"' not in home


def test_pictures_below_none_are_refused() -> None:
    with pytest.raises(ValueError, match="--pictures"):
        SiteConfig(pictures=-1)


def test_every_landmark_is_found_in_the_index_by_each_of_its_words(
    site: Path, exhibit: Exhibit
) -> None:
    table = json.loads((site / "search/index.json").read_text("utf-8"))
    assert {row[1] for row in table["labels"]} >= {"church", "lake", "museum"}
    files = {
        key: json.loads((site / f"search/{key}.json").read_text())
        for key in table["leaves"]
        if key.isascii()
    }
    for row in exhibit.landmarks.table.to_pylist():
        word = str(row["landmark_id"])
        shard = files[word[0]]
        total, places = shard["w"][word]
        assert total == len(places)
        address = f"landmarks/{row['split']}/0/{word}.html"
        assert address in {shard["r"][place][0] for place in places}
        assert (site / address).is_file()


def test_a_site_with_a_folder_of_another_kind_is_refused(
    finished: Workspace, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    annotations = finished.path("annotations")
    folders = (annotations / "site", finished.root, finished.root.parent)
    for out in (mine, tmp_path / "file", *folders):
        with pytest.raises(InputError, match=out.name):
            write_site(finished.root, out, SiteConfig())
    assert (mine / "thesis.txt").read_text() == "years of work"
