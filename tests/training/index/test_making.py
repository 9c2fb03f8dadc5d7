"""An index is made, made again after changes, damaged, and killed."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hgld.engine.progress import Advance
from hgld.engine.ray_pool import MapTables
from hgld.engine.stage import Share
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError, MissingInputError, WorkspaceBusyError
from hgld.tables import IMAGE_FILES
from hgld.training.index import making
from hgld.training.index.folder import (
    LISTING_SCHEMA,
    NOT_EMBEDDED,
    EmbeddedIndex,
    IndexConfig,
    PictureSource,
    embedded_index_damages,
    read_embedded_index,
)
from hgld.training.index.making import PictureEmbedder, make_index
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from tests.training.index.conftest import QUICK, draw_noise, write_tiny_run
from tests.worlds.builders import picture_row, table_of, write_stage
from tests.worlds.stopped import stopped_at


class Making:
    """Makes an index in a folder; knows which pictures were embedded for it."""

    def __init__(self, run: Path, out: Path, seen: list[str]) -> None:
        self.run, self.out, self.seen = run, out, seen

    def __call__(self, source: PictureSource, config: IndexConfig = QUICK) -> list[str]:
        """Returns the ids of the pictures that were embedded, after checking the index."""
        self.seen.clear()
        make_index(self.run, source, self.out, config)
        assert list(embedded_index_damages(self.out)) == []
        vectors = np.array([row["embedding"] for row in self.rows()], np.float32)
        np.testing.assert_array_equal(vectors.reshape(-1, 8), self.index.vectors())
        names = [row["image_id"] for row in (*self.rows(), *self.lost())]
        assert sorted(map(str, names)) == source.listing()["image_id"].to_pylist()
        return sorted(self.seen)

    def share(self, source: PictureSource, rank: int, world: int) -> list[str]:
        """Makes a share; returns the ids of the pictures that were embedded."""
        self.seen.clear()
        make_index(self.run, source, self.out, QUICK, share=Share(rank=rank, world=world))
        return list(self.seen)

    @property
    def index(self) -> EmbeddedIndex:
        return read_embedded_index(self.out)

    def shards(self) -> list[Path]:
        return sorted(self.out.glob("embeddings/*.parquet"))

    def rows(self) -> list[dict[str, object]]:
        return [row for one in self.shards() for row in pq.read_table(one).to_pylist()]

    def lost(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = pq.read_table(self.out / NOT_EMBEDDED.path).to_pylist()
        return rows


@pytest.fixture
def made(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    seen: list[str] = []
    embed = PictureEmbedder.__call__

    def seeing(self: PictureEmbedder, rows: pa.Table, advance: Advance | None = None) -> pa.Table:
        found = embed(self, rows, advance)
        seen.extend(rows["image_id"].to_pylist())
        return found

    monkeypatch.setattr(PictureEmbedder, "__call__", seeing)
    return Making(run, tmp_path / "out", seen)


def test_every_picture_gets_the_vector_that_embed_images_gives_it_whatever_its_proportions(
    run: Path, source: PictureSource, made: Making
) -> None:
    (source.folder / "a/bad.png").write_bytes(b"no picture")
    report = make_index(run, source, made.out, dataclasses.replace(QUICK, workers=1))
    assert (report.manifest.rows, report.manifest.problems) == (11, 1)
    names = [str(row["image_id"]) for row in made.rows()]
    assert sorted([*names, "a/bad.png"]) == source.listing()["image_id"].to_pylist()
    pictures = [source.folder / name for name in names]
    expected = embed_images(load_model(run), pictures, batch_size=3, device="cpu")
    torch.testing.assert_close(torch.from_numpy(made.index.vectors()), expected)
    assert [path.stem for path in made.shards()] == [f"0000{one}-of-00004" for one in range(4)]
    assert make_index(run, source, made.out, QUICK).skipped


def test_what_is_no_picture_is_a_row_that_says_why(source: PictureSource, made: Making) -> None:
    whole = (source.folder / "a/0.png").read_bytes()
    (source.folder / "a/cut.png").write_bytes(whole[: len(whole) // 2])
    (source.folder / "a/empty.jpg").write_bytes(b"")
    (source.folder / "b/gone.jpg").symlink_to("nowhere")
    made(source)
    assert len(made.index) == 10
    told = {row["image_id"]: str(row["error"]) for row in made.lost()}
    words = {"a/cut.png": "decoded", "a/empty.jpg": "JPEG", "b/gone.jpg": "No such file"}
    assert told.keys() == words.keys()
    assert all(word in told[name] for name, word in words.items())


def test_a_picture_of_a_split_that_differs_from_its_record_fails_until_it_does_not(
    workspace: Workspace, made: Making, tmp_path: Path
) -> None:
    rows = []
    for number in range(5):
        draw_noise(workspace.path(f"images/index/{number}.png"), number)
        rows.append(picture_row(workspace, str(number), f"images/index/{number}.png"))
    write_stage(workspace, [(IMAGE_FILES["index"], table_of(IMAGE_FILES["index"], rows))])
    source = PictureSource(folder=workspace.root, split="index")
    picture, other = (workspace.path(f"images/index/{number}.png") for number in (3, 4))
    content = picture.read_bytes()
    draw_noise(picture, 77)
    moved = other.rename(tmp_path / "moved.png")
    made(source)
    assert {row["image_id"]: row["status"] for row in made.lost()} == {"3": "failed", "4": "failed"}
    assert all("`hgld images --split index`" in str(row["error"]) for row in made.lost())
    assert made.index.manifest.failed == 2
    picture.write_bytes(content)
    moved.rename(other)
    assert made(source) == ["3", "4"]
    assert made(source) == []


def test_only_pictures_that_changed_are_embedded_again(
    source: PictureSource, made: Making, tmp_path: Path
) -> None:
    made(source)
    photos = source.folder
    changes: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: draw_noise(photos / "a/00.png", 50), ["a/00.png"]),
        (lambda: draw_noise(photos / "a/2.png", 51), ["a/2.png"]),
        (lambda: os.utime(photos / "a/2.png", ns=(1, 1)), []),
        ((photos / "a/0.png").unlink, []),
        (lambda: (photos / "a/4.png").rename(photos / "a/new.png"), ["a/new.png"]),
        (lambda: (photos / "a/2.png").write_bytes(b"no picture"), ["a/2.png"]),
    ]
    for change, embedded in changes:
        change()
        assert made(source) == embedded
    anew = Making(made.run, tmp_path / "anew", [])
    anew(source)
    keys = ("image_id", "path", "size_bytes", "modified_ns", "sha256", "recipe")
    assert [[row[key] for key in keys] for row in made.rows()] == [
        [row[key] for key in keys] for row in anew.rows()
    ]
    np.testing.assert_allclose(made.index.vectors(), anew.index.vectors(), atol=1e-6)


def test_another_number_of_shards_embeds_nothing(
    source: PictureSource, made: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(source)
    for gone, pictures, shards in (("a/0.png", 1, 16), ("a/2.png", 100, 1)):
        (source.folder / gone).unlink()
        monkeypatch.setattr(making, "SHARD_PICTURES", pictures)
        assert made(source) == []
        assert len(made.shards()) == shards


def test_a_killed_run_resumes_after_the_shards_that_it_made_and_the_old_index_stays_until_then(
    source: PictureSource, made: Making
) -> None:
    made(source)
    before = made.index
    write_tiny_run(made.run, seed=2)
    with stopped_at(PictureEmbedder, "__call__", 2):
        made(source)
    done = len(made.seen)
    assert 0 < done < 10
    assert made.index == before
    assert list(embedded_index_damages(made.out)) == []
    draw_noise(source.folder / "a/new.png", 50)  # pictures may change in between
    assert len(made(source)) == 10 - done + 1
    assert made.index.origin.model != before.origin.model


@pytest.mark.fault(
    182, "a process that makes a share of an index killed, its share lost or damaged"
)
def test_shares_of_processes_become_the_index_that_one_process_makes(
    source: PictureSource, made: Making, tmp_path: Path
) -> None:
    (source.folder / "a/bad.png").write_bytes(b"no picture")
    with stopped_at(PictureEmbedder, "__call__", 2):
        made.share(source, 0, 1)
    embedded = list(made.seen)
    for rank in (0, 1, 0):
        embedded += made.share(source, rank, 2)
    assert sorted({*embedded}) == source.listing()["image_id"].to_pylist()
    assert {*made.share(source, 0, 1)} == {"a/bad.png"}
    assert len([name for name in embedded if name != "a/bad.png"]) == 10  # none twice
    with pytest.raises(MissingInputError, match="holds no"):
        read_embedded_index(made.out)
    shares = {path.stat().st_ino for path in made.out.glob("embeddings/.next/*.parquet.*")}
    assert made(source) == ["a/bad.png"]
    assert {path.stat().st_ino for path in made.shards()} == shares  # and none is written anew
    alone = Making(made.run, tmp_path / "alone", [])
    alone(source)
    np.testing.assert_array_equal(alone.index.vectors(), made.index.vectors())
    assert alone.lost() == made.lost()


@pytest.mark.fault(
    182, "a process that makes a share of an index killed, its share lost or damaged"
)
def test_the_run_that_ends_an_index_makes_the_shares_that_nobody_made(
    source: PictureSource, made: Making
) -> None:
    made(source)
    draw_noise(source.folder / "a/new.png", 50)
    assert [name for rank in range(4) for name in made.share(source, rank, 4)] == ["a/new.png"]
    write_tiny_run(made.run, seed=2)
    shares = [made.share(source, rank, 4) for rank in range(3)]
    file = max(made.out.glob("embeddings/.next/*.parquet.*"), key=lambda path: path.stat().st_size)
    file.write_bytes(file.read_bytes()[:-1])
    kept = [one for rank, one in enumerate(shares) if rank != int(file.name[:5])]
    everything = {*source.listing()["image_id"].to_pylist()}
    assert {*made(source)} == everything.difference(*kept) < everything


def test_processes_make_different_shares_at_once_and_nothing_else(
    source: PictureSource, made: Making
) -> None:
    with Workspace(made.out).lock("0-of-2"):
        assert made.share(source, 1, 2)
        with pytest.raises(WorkspaceBusyError):
            made.share(source, 0, 2)
        with pytest.raises(WorkspaceBusyError):
            made(source)
    with Workspace(made.out).lock(), pytest.raises(WorkspaceBusyError):
        made.share(source, 0, 2)


def test_a_damaged_file_is_made_again(source: PictureSource, made: Making) -> None:
    made(source)
    rows = made.rows()
    shard, other, *_ = made.shards()
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert [path for path, _ in embedded_index_damages(made.out)] == [shard]
    assert len(made(source)) == pq.read_metadata(shard).num_rows
    array = made.out / "embeddings.npy"
    array.write_bytes(b"x" * array.stat().st_size)
    assert made(source) == []
    gone = pq.read_metadata(other).num_rows
    other.unlink()
    assert len(made(source)) == gone
    assert made.rows() == rows


def test_an_index_of_other_pictures_is_not_replaced(source: PictureSource, made: Making) -> None:
    made(source)
    other = PictureSource(folder=shutil.copytree(source.folder, made.out.with_name("other")))
    with pytest.raises(InputError, match="photos"):
        made(other)
    # The folder moved: copytree keeps the times.
    shutil.rmtree(source.folder)
    assert made(other) == []
    assert made.index.origin.source == str(other.folder)


def test_what_cannot_be_made_is_refused(
    source: PictureSource, made: Making, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    Workspace(tmp_path / "build").manifest_path("scrape").mkdir(parents=True)
    for out in ("file", "build"):
        with pytest.raises(InputError, match="--out"):
            make_index(made.run, source, tmp_path / out, QUICK)


def test_what_others_do_not_embed_as_they_should_is_noticed(
    source: PictureSource, made: Making
) -> None:
    def of_another_model(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        write_tiny_run(made.run, seed=2)
        return map(PictureEmbedder(made.run, source, QUICK), tables)

    wrong: list[tuple[MapTables, type[Exception], str]] = [
        (lambda tables: [one[::-1] for one in tables], ValueError, "each picture"),
        (of_another_model, HgldError, "trained again"),
    ]
    for embed, error, word in wrong:
        with pytest.raises(error, match=word):
            make_index(made.run, source, made.out, QUICK, embed=embed)


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
