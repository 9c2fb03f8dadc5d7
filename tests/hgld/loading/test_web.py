"""A release that is read where it lies, by HTTP Range; the server counts what it sends."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pytest

import hgld
from hgld.engine.dataset import write_shard
from hgld.errors import FetchError, InputError, NotFoundError
from hgld.http.download import open_source
from hgld.loading.labelled import LabelledSplit
from hgld.loading.web import WebFile
from hgld.tables import ANNOTATIONS
from tests.worlds.builders import write_sums
from tests.worlds.gldv2.folder_server import serve

IMAGES, LABELS, LANDMARKS, SHARDS = 240_000, 78, 12_000, 2
LAYOUT = ANNOTATIONS["train"].layout


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotations of a quarter as many images as the published ones, under as many labels."""
    numbers = np.arange(LANDMARKS)
    names = [f"label {number % LABELS:02}" for number in numbers]
    landmarks = pa.table({"landmark_id": numbers, "hierarchical_label": names})
    of_all = {"split": "train", "method": "class", "natural_or_human_made": "natural"}
    for name, text in of_all.items():
        landmarks = landmarks.append_column(name, pa.repeat(text, LANDMARKS))
    # Every row group has low and high landmarks, as the layout sorts them.
    ranked = landmarks.sort_by([(name, "ascending") for name in LAYOUT.sorted_by[:2]])
    images = ranked.take(np.arange(IMAGES) * LANDMARKS // IMAGES)
    ids = random.Random(0).randbytes(8 * IMAGES).hex()
    names = [ids[place : place + 16] for place in range(0, len(ids), 16)]
    images = images.append_column("image_id", pa.array(names))
    folder = tmp_path_factory.mktemp("large") / "annotations"
    (folder / "data").mkdir(parents=True)
    for name in ("hierarchy", "landmarks"):
        write_shard(landmarks, folder / f"{name}.parquet")
    for number in range(SHARDS):
        path = folder / f"data/train-{number:05d}-of-{SHARDS:05d}.parquet"
        part = images.slice(number * IMAGES // SHARDS, IMAGES // SHARDS)
        write_shard(part, path, LAYOUT)
    write_sums(folder)
    return folder


def test_a_part_of_a_release_costs_a_part_of_its_bytes(large: Path) -> None:
    total = sum(path.stat().st_size for path in large.rglob("data/*.parquet"))
    with serve(large) as server:

        def share(split: LabelledSplit, columns: list[str] | None = None) -> float:
            server.sent.clear()
            split.to_arrow(columns)
            return sum(size for name, size in server.sent.items() if "data/" in name) / total

        train = hgld.load(server.url).train
        sources = (train, hgld.load(large).train)
        chosen, there = (one.of(hierarchical_label="label 40") for one in sources)
        assert len(chosen) > IMAGES / LABELS / 2
        assert chosen.to_arrow().equals(there.to_arrow())
        assert server.hits.total() < 20
        assert share(chosen) < 0.1
        landmark = train.of(landmark_id=6_789)  # although labels come first
        assert len(landmark) == IMAGES // LANDMARKS
        assert share(landmark) < 0.1
        assert share(train, ["landmark_id", "hierarchical_label"]) < 0.1
        assert share(train) > 0.95  # the server counts


def test_any_part_of_a_file_is_that_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hgld.loading.web._PIECE_BYTES", 30_000)
    content = random.Random(1).randbytes(200_000)
    (tmp_path / "file").write_bytes(content)
    chance = random.Random(2)
    with serve(tmp_path) as server, open_source(server.url) as source:
        file = WebFile(source, "file")
        for _ in range(50):
            start, length = chance.randrange(200_000), chance.randrange(1, 50_000)
            file.seek(start)
            assert file.read(length) == content[start : start + length]
        file.seek(-10, 2)
        assert file.read() == content[-10:]


def test_a_server_without_ranges_is_told_from_one_with_and_sends_little(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(20_000_000))
    with serve(tmp_path) as server, open_source(server.url) as source:
        server.without_ranges = True
        with pytest.raises(FetchError, match="whole"):
            WebFile(source, "file").read(10)
        assert server.sent["file"] == 0  # hung up on


def test_any_store_that_pyarrow_knows_is_read(built: Path) -> None:
    pafs.copy_files(str(built / "annotations"), "fsspec+memory://release")
    data = hgld.load("fsspec+memory://release")
    assert data.train.to_arrow().equals(hgld.load(built).train.to_arrow())
    with pytest.raises(NotFoundError, match="memory://nowhere"):
        hgld.load("fsspec+memory://nowhere")
    with pytest.raises(InputError, match="s4://release"):
        hgld.load("s4://release")
