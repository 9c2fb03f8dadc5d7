"""Pictures from their addresses: politely, each failure with its reason, only failures again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

import hgld
from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.images.tars import image_path
from hgld.images.urls import THUMBNAIL_WIDTHS, addresses_of
from hgld.tables import BAD_IMAGES
from tests.hgld.images.runs import records
from tests.worlds.clock import Clock
from tests.worlds.gldv2 import files
from tests.worlds.gldv2.folder_server import FolderServer, serve
from tests.worlds.pictures import drawing, encoded

JPEG = encoded(drawing(), "JPEG")
CSV = "metadata/csv/train.csv"
PAUSE_S = "hgld.images.stage.PAUSE_S"
FILES = "https://upload.wikimedia.org/wikipedia/commons"


def image_id(number: int) -> str:
    """Returns ids of which no two are in one shard, so that several threads have work."""
    return files.image_id(16 * number)


def path_of(number: int) -> str:
    return f"wikipedia/commons/a/ab/Picture_{number}.jpg"


def put(server: FolderServer, path: str, content: bytes) -> None:
    (server.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (server.folder / path).write_bytes(content)


@pytest.fixture
def published(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FolderServer]:
    """A server with eight pictures at the paths that Wikimedia has; train.csv has the addresses."""
    monkeypatch.setattr(PAUSE_S, 1e-6)
    path = workspace.path(CSV)
    path.parent.mkdir(parents=True)
    with serve(tmp_path / "commons") as server:
        rows = [f"{image_id(n)},{server.url}/{path_of(n)},{n // 2}\n" for n in range(8)]
        path.write_text("".join(["id,url,landmark_id\n", *rows]))
        for number in range(8):
            put(server, path_of(number), JPEG)
        yield server


def settings(workspace: Workspace, count: int, **more: object) -> ImagesConfig:
    """Returns settings that ask for the first pictures."""
    only = workspace.path("only.txt")
    only.write_text("".join(f"{image_id(number)}\n" for number in range(count)))
    values: dict[str, object] = {"only": only, "split": "train"}
    values |= {"url_hosts": ("127.0.0.1",), "from_": "urls", **more}
    return ImagesConfig(**values)  # type: ignore[arg-type]


def run(workspace: Workspace, count: int = 6, contact: str = "", **more: object) -> StageReport:
    return run_images(workspace, settings(workspace, count, **more), "train", contact=contact)


def rows(workspace: Workspace) -> dict[str, dict[str, object]]:
    """Returns every record by its id, also of a stage that is incomplete."""
    return {str(row["image_id"]): row for row in records(workspace)}


def hits(server: FolderServer, count: int) -> list[int]:
    return [server.hits[path_of(number)] for number in range(count)]


def test_each_picture_is_asked_for_once_and_recorded_with_its_address(
    workspace: Workspace, published: FolderServer
) -> None:
    report = run(workspace, contact="me@example.org")
    assert (report.manifest.failed, report.manifest.problems) == (0, 0)
    library = f"python-requests/{requests.__version__}"
    assert published.agents == {f"hgld/{hgld.__version__} (me@example.org) {library}"}
    assert published.hits == {path_of(number): 1 for number in range(6)}
    row = rows(workspace)[image_id(3)]
    assert row["tar"] == f"{published.url}/{path_of(3)}"
    assert row["tar_md5"] is None
    assert workspace.path(image_path("train", image_id(3))).read_bytes() == JPEG
    assert run(workspace, 8).manifest.rows == 8
    assert set(published.hits.values()) == {1}  # and only the other two were fetched


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "--url-hosts"),
        ({"only": None}, "--only"),
        ({"url_hosts": ("upload.wikimedia.org",)}, "--contact"),
    ],
    ids=["a server that is not named", "all pictures", "without a contact"],
)
def test_what_is_not_fetched_that_way_is_asked_of_nobody(
    workspace: Workspace, published: FolderServer, more: dict[str, object], word: str
) -> None:
    path = workspace.path(CSV)
    path.write_text(path.read_text().replace(published.url, "http://upload.wikimedia.org"))
    with pytest.raises(InputError, match=word):
        run(workspace, **more)  # type: ignore[arg-type]


@pytest.mark.fault(82, "picture that its server has no more, or not yet")
def test_each_failure_has_its_reason_and_only_failures_are_tried_again(
    workspace: Workspace, published: FolderServer, waits: list[float]
) -> None:
    (published.folder / path_of(0)).unlink()
    put(published, path_of(1), b"<!DOCTYPE html><title>sorry</title>")
    published.statuses.update({path_of(2): 403, path_of(3): 503})
    published.cut_once.add(path_of(4))  # mended by asking again
    published.redirects[path_of(5)] = "http://other.example/"
    report = run(workspace, 7)  # of number 6 there is no trouble
    assert report.manifest.failed == 3
    found = rows(workspace)
    statuses = [found[image_id(number)]["status"] for number in range(7)]
    assert statuses == ["gone", "bad", "failed", "failed", "ok", "failed", "ok"]
    for number, word in ((0, "404"), (1, "JPEG"), (2, "403"), (3, "503"), (5, "other.example")):
        assert word in str(found[image_id(number)]["error"])
    assert len(waits) == 4 + 1
    assert hits(published, 7) == [1, 1, 1, 5, 2, 1, 1]

    published.statuses.clear()
    published.redirects.clear()
    again = run(workspace, 7)
    assert again.manifest.failed == 0
    assert hits(published, 7) == [1, 1, 2, 6, 2, 2, 1]
    listed = {row["image_id"] for row in workspace.read(BAD_IMAGES["train"]).to_pylist()}
    assert listed == {image_id(0), image_id(1)}


def test_two_requests_to_a_host_are_a_pause_apart(
    workspace: Workspace, published: FolderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("hgld.http.session.time", clock)
    monkeypatch.setattr(PAUSE_S, 10.0)
    run(workspace, 5)
    assert published.hits.total() == 5
    assert clock.now_s == pytest.approx(4 * 10.0)


@pytest.mark.parametrize(
    ("url", "longest_side", "width"),
    [
        *((f"{FILES}/6/6b/A_%28b%29.JPG", *sides) for sides in ((20, 20), (21, 40), (3840, 3840))),
        (f"{FILES}/6/6b/A.jpg".replace("https:", "http:"), 512, 960),
        *((f"{FILES}/6/6b/A.jpg", side, 0) for side in (0, 3841)),
        (f"{FILES}/6/6b/A.tif", 500, 0),
        ("https://example.org/A.jpg", 500, 0),
    ],
)
def test_a_thumbnail_has_the_next_standard_width_where_there_is_one(
    url: str, longest_side: int, width: int
) -> None:
    *thumbnails, original = addresses_of(url, longest_side)
    assert original == url.replace("http:", "https:")
    path, _, name = original.removeprefix(FILES).rpartition("/")
    assert thumbnails == ([f"{FILES}/thumb{path}/{name}/{width}px-{name}"] if width else [])


def test_a_smaller_picture_comes_as_a_thumbnail_or_where_there_is_none_as_it_is(
    workspace: Workspace, published: FolderServer
) -> None:
    thumbnail = f"wikipedia/commons/thumb/a/ab/Picture_0.jpg/{THUMBNAIL_WIDTHS[4]}px-Picture_0.jpg"
    put(published, thumbnail, encoded(Image.new("RGB", (250, 500), "teal"), "JPEG"))
    put(published, path_of(1), encoded(Image.new("RGB", (180, 90), "teal"), "JPEG"))
    run(workspace, 2, longest_side=240)
    assert hits(published, 2) == [0, 1]  # after its thumbnail was not there
    assert rows(workspace)[image_id(0)]["tar"] == f"{published.url}/{thumbnail}"
    for number, size in enumerate([(120, 240), (180, 90)]):
        with Image.open(workspace.path(image_path("train", image_id(number)))) as image:
            assert image.size == size
