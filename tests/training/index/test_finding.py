import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.metrics import similarity
from hgld.tables import ANNOTATIONS
from hgld.training.index import search as search_module
from hgld.training.index.folder import EmbeddedIndex, PictureSource, read_embedded_index
from hgld.training.index.making import make_index
from hgld.training.index.search import LEVEL_TITLES, search_page, search_pictures, top_k
from tests.training.index.conftest import QUICK, write_tiny_run
from tests.worlds.benchmark_builds import HOSTILE, LANDMARKS, write_build
from tests.worlds.plain.metric_cases import random_case


@pytest.fixture
def index(run: Path, source: PictureSource, tmp_path: Path) -> EmbeddedIndex:
    make_index(run, source, tmp_path / "out", QUICK)
    return read_embedded_index(tmp_path / "out")


@pytest.fixture
def build(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A build with index images of four landmarks, three each; a super-category is an attack."""
    monkeypatch.setitem(LANDMARKS, 21, (HOSTILE, "human-made", LANDMARKS[21][2]))
    write_build(workspace)
    return workspace


@pytest.mark.parametrize("rows", [1, 3, 100])
@pytest.mark.parametrize("numbers", ["float32", "float16"])  # the latter in an older index
def test_the_array_is_searched_part_by_part_as_if_it_were_whole(
    index: EmbeddedIndex, rows: int, numbers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = index.vectors().astype(numbers)
    array[7] = array[2]  # of equal ones the first comes first
    np.save(index.folder / "embeddings.npy", array)
    index = dataclasses.replace(index, origin=dataclasses.replace(index.origin, numbers=numbers))
    monkeypatch.setattr(search_module, "_CHUNK_BYTES", rows * array[0].nbytes)
    queries = torch.nn.functional.normalize(torch.randn(5, 8), dim=1)
    queries[0] = torch.from_numpy(array[2])
    found = search_module.nearest_in(index, queries, 4)
    expected = top_k(queries, torch.from_numpy(array), 4)
    assert torch.equal(found.indices, expected.indices)
    torch.testing.assert_close(found.values, expected.values)
    assert found.indices[0, :2].tolist() == [2, 7]


def test_pictures_of_a_build_have_their_labels_and_a_page_that_asks_nobody(
    run: Path, build: Workspace
) -> None:
    make_index(run, PictureSource(folder=build.root, split="index"), build.path("index"), QUICK)
    index = read_embedded_index(build.path("index"))
    queries = [build.path(f"images/{name}.jpg") for name in ("test/t1101", "index/i2100")]
    searches = search_pictures(index, queries, 99, run=run, root=build.root, device="cpu")
    assert searches[1].found[0].file == queries[1]
    assert searches[1].found[0].similarity == pytest.approx(1, abs=1e-5)
    build.path("images/index/i1100.jpg").unlink()
    one = searches[0]
    assert one.query_labels is not None
    assert one.query_labels.names == ("Bridge of the Gods", "bridge", "human-made")
    assert [found.rank for found in one.found] == [*range(1, 13)]
    for found in one.found:
        assert found.file == build.path(f"images/index/{found.image_id}.jpg")
        assert found.labels is not None
        landmark = int(found.image_id[1:3])
        assert found.labels.landmark_id == landmark
        shared = {11: "same landmark", 12: "same super-category", 31: ""}
        human_made = "both natural, or both human-made"
        assert found.labels.shared_with(one.query_labels) == shared.get(landmark, human_made)
    assert one.commonest()[1:] == [
        (LEVEL_TITLES[1], "bridge", 6),
        (LEVEL_TITLES[2], "human-made", 9),
    ]
    text = search_page(index, searches)
    ranks = [int(rank) for rank in re.findall(r'class="rank"><b>(\d+)</b>', text)]
    assert ranks == [*range(1, 13), *range(1, 13)]
    assert text.count("data:image/jpeg;base64,") == 2 + 2 * 11  # one is gone
    assert "<script" not in text
    addresses = re.findall(r'(?:src|href|srcset)="([^"]*)', text)
    assert {address.partition(",")[0] for address in addresses} == {"data:image/jpeg;base64"}


def test_a_file_is_known_by_the_image_id_in_its_name(build: Workspace) -> None:
    names = ["x/y/i2101.png", "t1200.jpg", "i2101b.jpg", "holiday.jpg", "i3100", "t3200"]
    found = search_module.labels_of(build.root, names)
    assert {name: labels.names[0] for name, labels in found.items()} == {
        "x/y/i2101.png": "Eltz",
        "t1200.jpg": "Crespi d'Adda",
        "i3100": "landmark 31",
        "t3200": "landmark 32",
    }
    # Landmarks of train are others than those of the index.
    one = found["i3100"]
    assert one.shared_with(dataclasses.replace(one, split="test")) == "same landmark"
    assert one.shared_with(dataclasses.replace(one, split="train")) == "same super-category"
    for shard in build.shards(ANNOTATIONS["index"]):
        shard.write_bytes(b"x" * 99)
    assert search_module.labels_of(build.root, ["i1100"], "index") == {}


def test_what_cannot_be_searched_is_refused(
    run: Path, index: EmbeddedIndex, tmp_path: Path
) -> None:
    picture = Path(index.origin.source) / "a/0.png"
    other = write_tiny_run(tmp_path / "other", seed=2)
    for query, k, model, word in (
        (picture, 0, run, "-k"),
        (picture.with_name("none.png"), 1, run, r"none\.png"),
        (picture, 1, other, "another model"),
    ):
        with pytest.raises(InputError, match=word):
            search_pictures(index, [query], k, run=model, root=Path("none"))


def test_a_damaged_file_is_named_with_the_command_that_mends_it(index: EmbeddedIndex) -> None:
    again, path = f"--out {index.folder}", index.folder / "embeddings.npy"
    array = np.array(index.vectors())
    array[-1] = np.nan
    for wrong in (array, array[:-1], array.astype("float16"), array[:, :7]):
        np.save(path, wrong)
        with pytest.raises(DamagedError, match=again):
            search_module.nearest_in(index, torch.ones(1, 8), 1)
    *_, last = sorted(index.folder.glob("embeddings/*.parquet"))
    last.write_bytes(b"no parquet")
    with pytest.raises(DamagedError, match=last.name):
        index.pictures_at([0])


def test_an_index_that_is_being_replaced_is_not_read(index: EmbeddedIndex) -> None:
    manifest = index.folder / "stages/index.json"
    (manifest.parent / ".next").mkdir(exist_ok=True)
    (manifest.parent / ".next/index.json").write_bytes(manifest.read_bytes())
    with pytest.raises(DamagedError, match="hgld index"):
        read_embedded_index(index.folder)


@pytest.mark.parametrize("columns", [7, 8_192])  # of a block
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(("queries", "k"), [(0, 2), (1, 1), (3, 2_999), (257, 50)])
def test_finds_what_sorting_the_whole_index_finds(
    monkeypatch: pytest.MonkeyPatch, queries: int, k: int, dtype: torch.dtype, columns: int
) -> None:
    for module in (similarity, search_module):
        monkeypatch.setattr(module, "BLOCK_COLUMNS", columns)
    query, _, index, _ = random_case(queries, 3_000)  # of whole numbers: many are equal
    own = torch.arange(queries)[1::2]  # every second query is an item, and not among its own
    query[own] = index[9 * own]
    ids = [9 * place if place % 2 else -1 - place for place in range(queries)]
    expected = query @ index.T
    expected[own, 9 * own] = -torch.inf
    values, order = expected.sort(dim=1, descending=True, stable=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = top_k(
            query.to(dtype).requires_grad_(),
            index.to(dtype),
            k,
            query_ids=ids,
            index_ids=range(3_000),
        )
    assert torch.equal(found.indices, order[:, :k])
    assert torch.equal(found.values, values[:, :k])
    assert not found.values.requires_grad


def test_refuses_what_cannot_be() -> None:
    query, index, ids = torch.ones(1, 2), torch.ones(3, 2), ["a", "b", "c"]
    for k in (0, 4):
        with pytest.raises(ValueError, match="k must"):
            top_k(query, index, k)
    with pytest.raises(ValueError, match="k must"):  # the query itself is not found
        top_k(query, index, 3, query_ids=["b"], index_ids=ids)
    with pytest.raises(ValueError, match="same D"):
        top_k(query, torch.ones(3, 3), 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_the_same() -> None:
    query, _, index, _ = random_case(300, 10_000)
    expected = top_k(query, index, 20)
    for place in ("cpu", "cuda"):  # where the index is
        found = top_k(query.cuda(), index.to(place), 20)
        assert torch.equal(found.indices.cpu(), expected.indices)
