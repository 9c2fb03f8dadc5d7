import dataclasses
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import ANNOTATIONS, FILLED
from hgld.training.index.finding import looking
from hgld.training.index.finding.hierarchy import LEVEL_TITLES, labels_of
from hgld.training.index.finding.looking import nearest_in, search_pictures
from hgld.training.index.folder import EmbeddedIndex, read_embedded_index
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.run import run_index
from hgld.training.index.search import top_k
from tests.training.index.conftest import QUICK, write_tiny_run
from tests.worlds.benchmark_builds import write_build
from tests.worlds.builders import table_of, write_stage


@pytest.fixture
def index(run: Path, source: PictureSource, tmp_path: Path) -> EmbeddedIndex:
    return run_index(run, source, tmp_path / "out", QUICK).index


@pytest.fixture
def built(workspace: Workspace, run: Path) -> EmbeddedIndex:
    """An index of the twelve index images of a build, three of each of four landmarks."""
    write_build(workspace)
    source = PictureSource(folder=workspace.root, split="index")
    return run_index(run, source, workspace.path("runs/a/index-index"), QUICK).index


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_the_array_is_searched_part_by_part_as_if_it_were_one(
    index: EmbeddedIndex, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_CHUNK_BYTES", rows * index.dimensions * 4)
    mapped: list[int] = []
    vectors = EmbeddedIndex.vectors

    def watched(
        self: EmbeddedIndex, start: int, stop: int
    ) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        mapped.append(stop - start)
        return vectors(self, start, stop)

    monkeypatch.setattr(EmbeddedIndex, "vectors", watched)
    queries = torch.nn.functional.normalize(torch.randn(5, 8), dim=1)
    found = nearest_in(index, queries, 4)
    expected = top_k(queries, torch.from_numpy(np.load(index.folder / "embeddings.npy")), 4)
    assert torch.equal(found.indices, expected.indices)
    torch.testing.assert_close(found.values, expected.values)
    assert sum(mapped) == 10
    assert max(mapped) <= rows


def test_equal_pictures_are_in_the_order_of_the_index(
    index: EmbeddedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.load(index.folder / "embeddings.npy", mmap_mode="r+")
    array[7] = array[2]
    array.flush()
    monkeypatch.setattr(looking, "_CHUNK_BYTES", 3 * index.dimensions * 4)
    found = nearest_in(index, torch.from_numpy(np.array(array[2:3])), 2)
    assert found.indices.tolist() == [[2, 7]]


def test_a_picture_of_the_index_is_nearest_to_itself(run: Path, index: EmbeddedIndex) -> None:
    pictures = [index.source / "b/3.png", index.source / "a/8.png"]
    searches = search_pictures(index, pictures, 3, run=run, root=Path("none"), device="cpu")
    assert [one.query for one in searches] == pictures
    for one in searches:
        assert one.found[0].file == one.query
        assert one.found[0].similarity == pytest.approx(1, abs=1e-5)
        assert [found.rank for found in one.found] == [1, 2, 3]
        assert all(found.labels is None for found in one.found)
        assert one.commonest() == []


def test_more_than_there_are_finds_all(run: Path, index: EmbeddedIndex) -> None:
    (one,) = search_pictures(index, [index.source / "a/0.png"], 99, run=run, root=Path("none"))
    assert len({found.image_id for found in one.found}) == 10


def test_pictures_of_a_build_have_their_labels(
    run: Path, workspace: Workspace, built: EmbeddedIndex
) -> None:
    query = workspace.path("images/test/t1101.jpg")
    (one,) = search_pictures(built, [query], 12, run=run, root=workspace.root, device="cpu")
    assert one.query_labels is not None
    assert one.query_labels.names == ("Bridge of the Gods", "bridge", "human-made")
    for found in one.found:
        assert found.file == workspace.path(f"images/index/{found.image_id}.jpg")
        assert found.labels is not None
        landmark = int(found.image_id[1:3])
        assert found.labels.landmark_id == landmark
        expected = {11: "same landmark", 12: "same super-category", 31: ""}
        human_made = "both natural, or both human-made"
        assert found.labels.shared_with(one.query_labels) == expected.get(landmark, human_made)
    assert one.commonest()[1:] == [
        (LEVEL_TITLES[1], "bridge", 6),
        (LEVEL_TITLES[2], "human-made", 9),
    ]


def test_a_file_is_known_by_the_image_id_in_its_name_alone(
    workspace: Workspace, built: EmbeddedIndex
) -> None:
    found = labels_of(workspace, ["x/y/i2101.png", "t1200.jpg", "i2101b.jpg", "holiday.jpg"])
    assert built.split == "index"
    assert {name: labels.names[0] for name, labels in found.items()} == {
        "x/y/i2101.png": "Eltz",
        "t1200.jpg": "Crespi d'Adda",
    }


def test_a_landmark_without_a_category_goes_by_its_id(
    workspace: Workspace, built: EmbeddedIndex
) -> None:
    found = labels_of(workspace, ["i3100", "t3200"], "")
    assert built.split == "index"
    assert [one.names[0] for one in found.values()] == ["landmark 31", "landmark 32"]


def test_a_picture_whose_label_no_class_gives_has_it_too(
    workspace: Workspace, built: EmbeddedIndex
) -> None:
    rows = {
        split: workspace.read(dataset) for split, dataset in ANNOTATIONS.items() if split != "train"
    }
    index = rows["index"].to_pylist()
    tables = [(ANNOTATIONS["index"], index[1:]), (FILLED["index"], index[:1])]
    write_stage(
        workspace,
        [
            (ANNOTATIONS["test"], rows["test"]),
            *((dataset, table_of(dataset, each)) for dataset, each in tables),
        ],
    )
    names = [row["image_id"] for row in index[:2]]
    assert list(labels_of(workspace, names, built.split)) == names[::-1]


def test_landmarks_of_train_are_others_than_those_of_the_index(
    workspace: Workspace, built: EmbeddedIndex
) -> None:
    one = labels_of(workspace, ["i1100"], built.split)["i1100"]
    assert one.shared_with(one) == "same landmark"
    assert one.shared_with(dataclasses.replace(one, split="test")) == "same landmark"
    assert one.shared_with(dataclasses.replace(one, split="train")) == "same super-category"


def test_annotations_that_are_damaged_are_left_out(
    workspace: Workspace, built: EmbeddedIndex
) -> None:
    (shard,) = workspace.shards(ANNOTATIONS["index"])
    shard.write_bytes(b"x" + shard.read_bytes()[1:])
    assert labels_of(workspace, ["i1100"], built.split) == {}


def test_another_model_than_the_indexs_is_refused(index: EmbeddedIndex, tmp_path: Path) -> None:
    other = write_tiny_run(tmp_path / "other", seed=2)
    with pytest.raises(InputError, match="another model"):
        search_pictures(index, [index.source / "a/0.png"], 1, run=other, root=Path("none"))


@pytest.mark.parametrize(
    ("name", "k", "word"), [("a/0.png", 0, "-k"), ("none.png", 1, r"none\.png")]
)
def test_what_cannot_be_searched_is_refused(
    run: Path, index: EmbeddedIndex, name: str, k: int, word: str
) -> None:
    with pytest.raises(InputError, match=word):
        search_pictures(index, [index.source / name], k, run=run, root=Path("none"))


def test_an_array_that_is_damaged_says_what_to_run(run: Path, index: EmbeddedIndex) -> None:
    path = index.folder / "embeddings.npy"
    content = path.read_bytes()
    again = f"--out {index.folder}"
    query = [index.source / "a/0.png"]
    path.write_bytes(content[:-32] + np.full(8, np.nan, np.float32).tobytes())
    with pytest.raises(DamagedError, match=again):
        search_pictures(index, query, 1, run=run, root=Path("none"))
    path.write_bytes(content[:-4])
    with pytest.raises(DamagedError, match=again):
        search_pictures(index, query, 1, run=run, root=Path("none"))
    path.unlink()
    with pytest.raises(DamagedError, match=r"embeddings\.npy"):
        search_pictures(index, query, 1, run=run, root=Path("none"))


def test_what_to_run_again_makes_the_same_index(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    config = dataclasses.replace(QUICK, numbers="float16", precision="bfloat16")
    index = run_index(run, source, tmp_path / "my out", config).index
    program, command, *words = shlex.split(index.again().removeprefix("run ").strip("`"))
    assert (program, command) == ("hgld", "index")
    assert words == [
        *("--images", str(source.folder), "--run", str(run), "--out", str(tmp_path / "my out")),
        *("--precision", "bfloat16", "--numbers", "float16"),
    ]


def test_a_shard_that_is_damaged_says_what_to_run(index: EmbeddedIndex) -> None:
    (index.folder / index.shards[1].name).write_bytes(b"no parquet")
    assert read_embedded_index(index.folder) == index
    assert index.picture_at(0) == ("a/0.png", "a/0.png")
    with pytest.raises(DamagedError, match=r"00001-of-00003\.parquet"):
        index.picture_at(5)
    with pytest.raises(ValueError, match="position"):
        index.picture_at(10)
