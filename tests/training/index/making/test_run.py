"""What becomes of an index: made, made again after changes, damaged, and killed anywhere."""

import dataclasses
import functools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, WorkspaceBusyError
from hgld.tables import IMAGE_FILES
from hgld.training.index.folder import embedded_index_damages, read_embedded_index
from hgld.training.index.making.claims import sole_writer
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.run import IndexReport, run_index
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from tests.training.index.conftest import QUICK, draw_noise, write_tiny_run
from tests.worlds.builders import picture_row, table_of, write_stage
from tests.worlds.training_runs import Stopped


def rows_of(out: Path) -> pa.Table:
    """Returns the rows of an index, shard after shard."""
    return pa.concat_tables(
        pq.read_table(path, partitioning=None).replace_schema_metadata()
        for path in sorted(out.glob("embeddings-*.parquet"))
    )


def array_of(out: Path) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    array = np.load(out / "embeddings.npy", mmap_mode="r")
    assert isinstance(array, np.ndarray)
    return array


def require_sound(out: Path) -> None:
    """The array has what the rows have, the counts are right, and nothing else lies there."""
    rows, index = rows_of(out), read_embedded_index(out)
    vectors = [row for row in rows["embedding"].to_pylist() if row is not None]
    np.testing.assert_array_equal(np.array(vectors, index.numbers), array_of(out))
    assert len(set(rows["image_id"].to_pylist())) == len(rows) == index.counts()["pictures"]
    assert len(vectors) == len(index)
    assert list(embedded_index_damages(out)) == []
    names = {shard.name for shard in index.shards}
    assert {path.name for path in out.iterdir()} == names | {
        "embeddings.npy",
        "index.json",
        ".lock",
    }


def statuses_of(out: Path) -> dict[str, tuple[str, str | None]]:
    rows = rows_of(out).to_pylist()
    return {row["image_id"]: (row["status"], row["error"]) for row in rows}


def test_every_picture_gets_the_vector_that_embed_images_gives_it(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    report = run_index(run, source, tmp_path / "out", QUICK)
    assert report.embedded == 10
    require_sound(tmp_path / "out")
    names = rows_of(tmp_path / "out")["image_id"].to_pylist()
    assert names == sorted(
        str(path.relative_to(source.folder)) for path in source.folder.glob("*/*")
    )
    expected = embed_images(
        load_model(run), [source.folder / name for name in names], batch_size=3, device="cpu"
    )
    torch.testing.assert_close(torch.tensor(array_of(tmp_path / "out")), expected)
    assert [path.name for path in sorted((tmp_path / "out").glob("*.parquet"))] == [
        f"embeddings-0000{number}-of-00003.parquet" for number in range(3)
    ]


def test_half_precision_halves_what_is_kept(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    run_index(run, source, tmp_path / "whole", QUICK)
    half = dataclasses.replace(QUICK, numbers="float16", shards=2)
    run_index(run, source, tmp_path / "half", half)
    require_sound(tmp_path / "half")
    found = array_of(tmp_path / "half")
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, array_of(tmp_path / "whole"), atol=1e-3)
    assert len(list((tmp_path / "half").glob("*.parquet"))) == 2


def test_what_is_no_picture_is_a_row_that_says_why(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    whole = (source.folder / "a/0.png").read_bytes()
    (source.folder / "a/cut.png").write_bytes(whole[: len(whole) // 2])
    (source.folder / "a/empty.jpg").write_bytes(b"")
    (source.folder / "b/gone.jpg").symlink_to(tmp_path / "nowhere")
    report = run_index(run, source, tmp_path / "out", dataclasses.replace(QUICK, workers=1))
    assert (report.embedded, report.index.counts()["bad"]) == (10, 3)
    require_sound(tmp_path / "out")
    lost = {name: one for name, one in statuses_of(tmp_path / "out").items() if one[0] != "ok"}
    assert lost.keys() == {"a/cut.png", "a/empty.jpg", "b/gone.jpg"}
    assert {status for status, _ in lost.values()} == {"bad"}
    assert "cannot be decoded" in str(lost["a/cut.png"][1])
    assert "is not a JPEG, PNG" in str(lost["a/empty.jpg"][1])
    assert lost["b/gone.jpg"][1] == "cannot be read: No such file or directory"


def test_a_folder_of_bad_pictures_alone_is_an_index_of_none(run: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(b"no picture")
    report = run_index(run, PictureSource(folder=tmp_path / "photos"), tmp_path / "out", QUICK)
    assert report.index.counts() == {"pictures": 1, "ok": 0, "bad": 1, "failed": 0}
    assert array_of(tmp_path / "out").shape == (0, 8)


def split_build(workspace: Workspace) -> PictureSource:
    """Fills a build with five index images."""
    rows = []
    for number in range(5):
        path = f"images/index/{number}.png"
        draw_noise(workspace.path(path), number)
        rows.append(picture_row(workspace, str(number), path))
    dataset = IMAGE_FILES["index"]
    write_stage(workspace, [(dataset, table_of(dataset, rows))])
    return PictureSource(folder=workspace.root, split="index")


def test_a_picture_of_a_split_that_is_not_as_recorded_fails_until_it_is(
    run: Path, workspace: Workspace, tmp_path: Path
) -> None:
    source = split_build(workspace)
    picture, other = (workspace.path(f"images/index/{number}.png") for number in (3, 4))
    content = picture.read_bytes()
    draw_noise(picture, 77)
    moved = other.rename(tmp_path / "moved.png")
    report = run_index(run, source, tmp_path / "out", QUICK)
    assert report.index.counts() == {"pictures": 5, "ok": 3, "bad": 0, "failed": 2}
    assert report.index.failed == 2
    statuses = statuses_of(tmp_path / "out")
    assert statuses["3"][0] == statuses["4"][0] == "failed"
    assert picture.name in str(statuses["3"][1])
    assert "run `hgld images --split index` with --root" in str(statuses["4"][1])
    # Mended, they alone are embedded.
    picture.write_bytes(content)
    moved.rename(other)
    report = run_index(run, source, tmp_path / "out", QUICK)
    assert (report.embedded, report.index.failed) == (2, 0)
    require_sound(tmp_path / "out")
    assert run_index(run, source, tmp_path / "out", QUICK).embedded == 0


Change = Callable[[Path], None]


def _add(photos: Path) -> None:
    draw_noise(photos / "a/00.png", 50)


def _change(photos: Path) -> None:
    draw_noise(photos / "a/2.png", 51)


def _touch(photos: Path) -> None:
    os.utime(photos / "a/2.png", ns=(1, 1))


def _remove(photos: Path) -> None:
    (photos / "a/0.png").unlink()


def _rename(photos: Path) -> None:
    (photos / "a/4.png").rename(photos / "a/new.png")


def _spoil(photos: Path) -> None:
    (photos / "a/2.png").write_bytes(b"no picture")


def test_after_each_change_of_a_picture_that_one_alone_is_embedded_again(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_index(run, source, out, QUICK)
    changes: list[tuple[Change, int]] = [
        *[(_add, 1), (_change, 1), (_touch, 0), (_remove, 0), (_rename, 1), (_spoil, 0)]
    ]
    for change, embedded in changes:
        change(source.folder)
        assert run_index(run, source, out, QUICK).embedded == embedded, change
        require_sound(out)
    run_index(run, source, tmp_path / "anew", QUICK)
    assert (
        rows_of(out)
        .drop_columns("embedding")
        .equals(rows_of(tmp_path / "anew").drop_columns("embedding"))
    )
    np.testing.assert_allclose(array_of(out), array_of(tmp_path / "anew"), atol=1e-6)
    assert run_index(run, source, out, QUICK).embedded == 0


def test_other_shards_of_the_same_pictures_embed_nothing(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    run_index(run, source, tmp_path, QUICK)
    before = array_of(tmp_path).copy()
    report = run_index(run, source, tmp_path, dataclasses.replace(QUICK, shards=2))
    assert report.embedded == 0
    assert len(report.index.shards) == 2
    np.testing.assert_array_equal(array_of(tmp_path), before)
    assert list(embedded_index_damages(tmp_path)) == []
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_another_model_embeds_all_again_and_the_old_index_stands_until_then(
    run: Path, source: PictureSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    before = run_index(run, source, out, QUICK).index
    write_tiny_run(run, seed=2)
    monkeypatch.setattr("hgld.training.index.making.run.place_index", _stopped)
    with pytest.raises(InterruptedError):
        run_index(run, source, out, QUICK)
    assert read_embedded_index(out) == before
    assert list(embedded_index_damages(out)) == []
    monkeypatch.undo()
    report = run_index(run, source, out, QUICK)
    assert report.index.model != before.model
    assert report.embedded == 0  # the run before had embedded them
    require_sound(out)


def _stopped(*_: object) -> IndexReport:
    raise InterruptedError


def test_a_damaged_file_is_made_again_and_nothing_else(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_index(run, source, out, QUICK)
    rows, array = rows_of(out), array_of(out).copy()
    shard = out / "embeddings-00001-of-00003.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert [path for path, _ in embedded_index_damages(out)] == [shard]
    assert run_index(run, source, out, QUICK).embedded == 4
    (out / "embeddings.npy").write_bytes(b"x" * (out / "embeddings.npy").stat().st_size)
    assert run_index(run, source, out, QUICK).embedded == 0
    (out / "embeddings-00002-of-00003.parquet").unlink()
    (out / "index.json").write_text("{")
    assert run_index(run, source, out, QUICK).embedded == 2
    require_sound(out)
    assert rows_of(out).equals(rows)
    np.testing.assert_array_equal(array_of(out), array)


def test_shards_under_each_others_names_are_put_right(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    run_index(run, source, tmp_path, QUICK)
    rows = rows_of(tmp_path)
    one, other, *_ = sorted(tmp_path.glob("*.parquet"))
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    (tmp_path / "index.json").unlink()
    assert run_index(run, source, tmp_path, QUICK).embedded == 0
    assert rows_of(tmp_path).equals(rows)


TWO_SHARDS = dataclasses.replace(QUICK, shard_images=6)


@pytest.fixture
def read_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the model read once, and not again by each of dozens of runs."""
    model = load_model(run)
    monkeypatch.setattr("hgld.training.index.making.run.load_model", lambda _: model)


def stopped_at(count: int, work: Callable[[], object]) -> bool:
    """Does work that stops, as a kill does, before its n-th change of a name; says whether."""
    left = count

    def before(name: str) -> Callable[..., None]:
        change = getattr(os, name)

        def changes(*paths: str | Path, **settings: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Stopped
            if left > 0:  # what is left is undone by nobody
                change(*paths, **settings)

        return changes

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "remove", "unlink", "rmdir"):
            patch.setattr(os, name, before(name))
        try:
            work()
        except Stopped:
            return True
    return False


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("first", [False, True])
def test_a_run_that_stops_at_any_change_of_a_name_goes_on_and_embeds_nothing_twice(
    run: Path, source: PictureSource, tmp_path: Path, first: bool
) -> None:
    before = tmp_path / "before"
    if not first:  # an index that is made again after a change
        run_index(run, source, before, TWO_SHARDS)
        draw_noise(source.folder / "a/00.png", 50)  # moves every later picture to another place
    run_index(run, source, tmp_path / "whole", TWO_SHARDS)
    rows, array = rows_of(tmp_path / "whole"), array_of(tmp_path / "whole")
    stops, going_on = 0, set[int]()
    while True:
        out = tmp_path / f"stopped-{stops}"
        if not first:
            shutil.copytree(before, out)
        if not stopped_at(stops + 1, functools.partial(run_index, run, source, out, TWO_SHARDS)):
            break
        stops += 2
        if (out / "index.json").exists():
            assert list(embedded_index_damages(out)) == []
        embedded = run_index(run, source, out, TWO_SHARDS).embedded
        going_on.add(embedded)
        require_sound(out)
        assert rows_of(out).drop_columns("embedding").equals(rows.drop_columns("embedding"))
        np.testing.assert_allclose(array_of(out), array, atol=1e-6)
        shutil.rmtree(out)
    assert stops >= 8
    assert going_on == ({10, 4, 0} if first else {1, 0})


def test_two_commands_do_not_make_one_index(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    with (
        sole_writer(tmp_path / "out"),
        pytest.raises(WorkspaceBusyError, match=str(os.getpid())),
    ):
        run_index(run, source, tmp_path / "out", QUICK)


def test_another_folder_is_not_put_in_the_place_of_an_index(
    run: Path, source: PictureSource, tmp_path: Path
) -> None:
    run_index(run, source, tmp_path / "out", QUICK)
    other = PictureSource(folder=shutil.copytree(source.folder, tmp_path / "other"))
    with pytest.raises(InputError, match="photos"):
        run_index(run, other, tmp_path / "out", QUICK)
    # Where the folder has moved it is the same one; copytree keeps when files were changed.
    shutil.rmtree(source.folder)
    assert run_index(run, other, tmp_path / "out", QUICK).embedded == 0
    assert read_embedded_index(tmp_path / "out").source == other.folder
    require_sound(tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda out, _: out.write_text(""), "--out"),
        (lambda out, _: (out.mkdir(), (out / "index.json").write_text('{"format": 9}')), "later"),
        (lambda _, run: (run / "model.safetensors").unlink(), "model"),
        (lambda _, run: (run / "model.safetensors").write_bytes(b"x"), "model"),
    ],
)
def test_what_cannot_be_is_refused_before_a_picture_is_read(
    run: Path,
    source: PictureSource,
    tmp_path: Path,
    change: Callable[[Path, Path], object],
    word: str,
) -> None:
    change(tmp_path / "out", run)
    with pytest.raises((InputError, DamagedError), match=word):
        run_index(run, source, tmp_path / "out", QUICK)


def test_index_json_says_what_it_is(run: Path, source: PictureSource, tmp_path: Path) -> None:
    run_index(run, source, tmp_path, QUICK)
    told = json.loads((tmp_path / "index.json").read_text())
    assert (told["format"], told["N"], told["D"], told["image_size"]) == (1, 10, 8, 32)
    assert told["counts"] == {"pictures": 10, "ok": 10, "bad": 0, "failed": 0}
    assert told["source"] == {"folder": str(source.folder), "split": ""}
    assert told["model"]["run"] == str(run)
    assert [shard["rows"] for shard in told["shards"]] == [4, 4, 2]
