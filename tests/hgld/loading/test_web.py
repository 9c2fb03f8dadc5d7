"""A release that is read where it lies, by HTTP Range; the server counts what it sends."""

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest

import hgld
from hgld.engine.dataset import write_shard
from hgld.errors import FetchError, InputError, NotFoundError
from hgld.http.download import open_source
from hgld.loading.web import WebFile
from hgld.tables import ANNOTATIONS, HIERARCHY, LANDMARK_LABELS
from tests.hgld.loading.world import write_sums
from tests.worlds.builders import table_of
from tests.worlds.gldv2.range_server import RangeServer, serve_ranges

IMAGES, LABELS, LANDMARKS, SHARDS = 240_000, 78, 12_000, 2
SHARD = "annotations/data/train-00000-of-00002.parquet"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotations of a quarter as many images as the published ones, under as many labels."""
    rows = []
    for number in range(LANDMARKS):
        label = min(number, LANDMARKS - 1 - number) * 2 * LABELS // LANDMARKS
        classes = [{"class_qid": f"Q{label}", "class_label": f"kind {label} of building"}]
        rows.append(
            {
                "image_id": "",
                "landmark_id": number,
                "supercategory": f"kind {label} of building",
                "hierarchical_label": f"label {label:02d}",
                "natural_or_human_made": "human-made" if label % 4 else "natural",
                "category": f"http://commons.wikimedia.org/wiki/Category:Building_{number}",
                "qid": f"Q{number * 7919}",
                "class_qids": f"Q{label}",
                "class_labels": f"kind {label} of building",
                "classes": classes,
                "provenance": {"status": "ok", "revision_id": number * 31, "decision": "assigned"},
                "revision_id": number * 31,
                "decision": "assigned",
                "reviewer": "ann",
            }
        )
    table = table_of(ANNOTATIONS["train"], rows)
    table = table.sort_by([("hierarchical_label", "ascending"), ("landmark_id", "ascending")])
    table = table.take(np.arange(IMAGES) * LANDMARKS // IMAGES)
    ids = random.Random(0).randbytes(8 * IMAGES).hex()
    names = pa.array([ids[place : place + 16] for place in range(0, len(ids), 16)])
    table = table.set_column(0, table.schema.field(0), names)
    folder = tmp_path_factory.mktemp("large")
    labels = sorted({str(row["hierarchical_label"]) for row in rows})
    tree = [{"hierarchical_label": one, "natural_or_human_made": "natural"} for one in labels]
    numbers = [one.name for one in HIERARCHY.schema if pa.types.is_integer(one.type)]
    fill: dict[str, object] = {"slug": ""} | dict.fromkeys(numbers, 0)
    (folder / "annotations/data").mkdir(parents=True)
    write_shard(
        table_of(HIERARCHY, [fill | one for one in tree]),
        folder / HIERARCHY.path,
    )
    whole = [
        one | {"split": "train", "rule": "only_label", "candidates": [], "method": "class"}
        for one in rows
    ]
    write_shard(table_of(LANDMARK_LABELS, whole), folder / LANDMARK_LABELS.path)
    for number in range(SHARDS):
        path = folder / f"annotations/data/train-{number:05d}-of-{SHARDS:05d}.parquet"
        part = table.slice(number * IMAGES // SHARDS, IMAGES // SHARDS)
        write_shard(part, path, ANNOTATIONS["train"].layout)
    write_sums(folder / "annotations")
    return folder / "annotations"


@pytest.fixture
def large_server(large: Path) -> Iterator[RangeServer]:
    with serve_ranges(large) as server:
        yield server


def test_one_super_category_costs_less_than_a_tenth_of_the_bytes(
    large: Path, large_server: RangeServer
) -> None:
    total = sum(path.stat().st_size for path in large.rglob("data/*.parquet"))
    wanted = hgld.load(large).train.of(hierarchical_label="label 40")
    rows = hgld.load(large_server.url).train.of(hierarchical_label="label 40").to_arrow()
    assert rows.equals(wanted.to_arrow())  # every column
    assert len(rows) > IMAGES / LABELS / 2
    assert sum(large_server.requests.values()) < 20
    share = sum(large_server.sent.values()) / total
    assert share < 0.1

    # ... and all of it costs all of it: the server counts
    large_server.sent.clear()
    assert len(hgld.load(large_server.url).train.to_arrow()) == IMAGES
    assert sum(large_server.sent.values()) > 0.95 * total


def test_one_landmark_costs_less_than_a_tenth_too_although_labels_come_first(
    large: Path, large_server: RangeServer
) -> None:
    total = sum(path.stat().st_size for path in large.rglob("data/*.parquet"))
    rows = hgld.load(large_server.url).train.of(landmark_id=6_789).to_arrow()
    assert rows["landmark_id"].to_pylist() == [6_789] * (IMAGES // LANDMARKS)
    sent = sum(size for name, size in large_server.sent.items() if "data/" in name)
    assert sent < 0.1 * total


def test_columns_that_are_not_wanted_do_not_come(large: Path, large_server: RangeServer) -> None:
    total = sum(path.stat().st_size for path in large.rglob("data/*.parquet"))
    train = hgld.load(large_server.url).train
    assert len(train.to_arrow(["landmark_id", "hierarchical_label"])) == IMAGES
    assert sum(large_server.sent.values()) < 0.1 * total


def test_threads_may_read_one_split(served: RangeServer) -> None:
    train = hgld.load(f"{served.url}/annotations").train
    expected = train.to_arrow()
    with ThreadPoolExecutor(4) as threads:
        tables = list(threads.map(lambda _: train.to_arrow(), range(20)))
    assert all(table.equals(expected) for table in tables)


def test_any_part_of_a_file_is_that_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hgld.loading.web._PIECE_BYTES", 30_000)
    content = random.Random(1).randbytes(200_000)
    (tmp_path / "file").write_bytes(content)
    chance = random.Random(2)
    with serve_ranges(tmp_path) as server, open_source(server.url) as source:
        file = WebFile(source, "file")
        for _ in range(50):
            start, length = chance.randrange(200_000), chance.randrange(1, 50_000)
            file.seek(start)
            assert file.read(length) == content[start : start + length]
        file.seek(-10, 2)
        assert (file.read(), file.tell()) == (content[-10:], len(content))


def test_a_server_that_is_busy_or_breaks_is_asked_again(
    served: RangeServer, waits: list[float]
) -> None:
    served.statuses[SHARD] = [503, 429, 500]
    served.cuts[SHARD] = 1
    assert len(hgld.load(f"{served.url}/annotations").train) == 17
    assert served.statuses[SHARD] == []
    assert len(waits) == 4


def test_a_server_without_ranges_is_told_from_one_with_and_sends_little(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(20_000_000))
    with serve_ranges(tmp_path) as server, open_source(server.url) as source:
        server.knows_ranges = False
        with pytest.raises(FetchError, match="whole"):
            WebFile(source, "file").read(10)
        assert server.sent["file"] == 0  # hung up on


def test_a_file_that_is_missing_or_empty_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with serve_ranges(tmp_path) as server, open_source(server.url) as source:
        with pytest.raises(NotFoundError, match="404"):
            WebFile(source, "gone")
        with pytest.raises(FetchError, match="empty"):
            WebFile(source, "empty")


def test_damage_at_the_other_end_names_the_address(built: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built / "annotations", tmp_path / "annotations"))
    path = folder / "data/train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    address = f"/data/{path.name} must be a parquet file"
    with serve_ranges(folder) as server, pytest.raises(InputError, match=address):
        len(hgld.load(server.url).train)


def test_a_login_is_shown_nowhere(served: RangeServer) -> None:
    address = served.url.replace("http://", "http://ann:secret@")
    assert len(hgld.load(f"{address}/annotations").train) == 17
    with pytest.raises(NotFoundError, match="nowhere") as caught:
        hgld.load(f"{address}/nowhere")
    assert "secret" not in str(caught.value)


def test_any_address_that_fsspec_knows_is_read(built: Path) -> None:
    there = fsspec.filesystem("memory")
    there.put(str(built / "annotations"), "/release", recursive=True)
    data = hgld.load("memory://release")
    assert data.train.to_arrow().equals(hgld.load(built).train.to_arrow())
    assert data.index.labels().tolist() == hgld.load(built).index.labels().tolist()
    with pytest.raises(NotFoundError, match="memory://nowhere"):
        hgld.load("memory://nowhere")
    with pytest.raises(InputError, match="gopher"):
        hgld.load("gopher://example.org/hgld")
