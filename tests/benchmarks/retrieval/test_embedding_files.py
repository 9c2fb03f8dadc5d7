"""Embeddings of any program, read from files: what is taken, and what each mistake is told."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hgld.benchmarks.retrieval import embedding_files
from hgld.benchmarks.retrieval.embedding_files import embeddings_digest, read_embeddings
from hgld.errors import InputError

IDS = [f"image{number:02d}" for number in range(50)]
VECTORS = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
UNIT = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)


def parquet(
    path: Path, ids: Sequence[str], vectors: Iterable[object], kind: pa.DataType | None = None
) -> Path:
    embedding = pa.array(list(vectors), kind or pa.list_(pa.float32()))
    pq.write_table(pa.table({"image_id": ids, "embedding": embedding}), path, row_group_size=16)
    return path


def array(path: Path, ids: Sequence[str], vectors: np.ndarray[Any, Any]) -> Path:
    np.save(path, vectors)
    path.with_suffix(".txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64(), 8),
        pa.large_list(pa.float32()),
        pa.list_(pa.float16(), 8),
    ],
    ids=str,
)
def test_parquet_is_read_in_the_order_asked_for_whatever_its_own(
    tmp_path: Path,
    kind: pa.DataType,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(embedding_files, "_BLOCK", 7)
    order = np.random.default_rng(1).permutation(50)
    values = UNIT[order].astype(np.float16) if "half" in str(kind) else UNIT[order]
    path = parquet(tmp_path / "a.parquet", [IDS[one] for one in order], values, kind)
    with caplog.at_level("INFO"):
        found = read_embeddings(path, IDS[10:30], split="test")
    np.testing.assert_allclose(found.numpy(), UNIT[10:30], atol=1e-3)
    np.testing.assert_allclose(found.norm(dim=1).numpy(), 1, rtol=1e-6)
    assert found.dtype == torch.float32
    assert "a.parquet: 30 rows are of other images than those of test" in caplog.text
    assert "not of unit length" not in caplog.text


def test_an_array_has_its_ids_beside_it(tmp_path: Path) -> None:
    path = array(tmp_path / "q.npy", IDS, VECTORS.astype(np.float64))
    found = read_embeddings(path, IDS, split="test")
    np.testing.assert_allclose(found.numpy(), UNIT, atol=1e-6)
    before = embeddings_digest(path)
    array(path, IDS[::-1], VECTORS.astype(np.float64))
    assert embeddings_digest(path) != before


def test_a_folder_is_all_its_parquet_files_and_rows_without_an_embedding_are_none(
    tmp_path: Path,
) -> None:
    parquet(tmp_path / "0.parquet", [*IDS[:20], "broken"], [*UNIT[:20], None])
    parquet(tmp_path / "1.parquet", IDS[20:], UNIT[20:])
    (tmp_path / "index.json").write_text("{}")
    found = read_embeddings(tmp_path, IDS, split="index")
    np.testing.assert_allclose(found.numpy(), UNIT, atol=1e-6)
    with pytest.raises(InputError, match=r"lacks 1 of the 1 images|has none of the 1 images"):
        read_embeddings(tmp_path, ["broken"], split="index")


def test_vectors_of_other_lengths_are_scaled_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    longer = UNIT.copy()
    longer[:3] *= 10
    found = read_embeddings(parquet(tmp_path / "a.parquet", IDS, longer), IDS, split="test")
    np.testing.assert_allclose(found.numpy(), UNIT, atol=1e-6)
    assert "a.parquet: 3 of 50 embeddings were not of unit length, and are scaled" in caplog.text


def changed(row: int, value: float) -> np.ndarray[Any, Any]:
    vectors: np.ndarray[Any, Any] = UNIT.copy()
    vectors[row] = value
    return vectors


@pytest.mark.parametrize(
    ("ids", "vectors", "text"),
    [
        (IDS[:-2], UNIT[:-2], "lacks 2 of the 50 images of test: image48, image49; embed these"),
        ([*IDS, IDS[3]], [*UNIT, UNIT[3]], "one row for each image of test, and has several for 1"),
        ([f"x{one}" for one in IDS], UNIT, "none of the 50 images of test: its first id is 'ximag"),
        ([], [], "has none of the 50 images of test: it has no rows"),
        (IDS, changed(4, np.nan), "must be finite, and 1 of 50 are not: image04; look for a"),
        (IDS, changed(4, np.inf), "must be finite, and 1 of 50 are not: image04; look for a"),
        (IDS, changed(4, 0), "must be other than zero, and 1 of 50 are not: image04"),
        (
            IDS,
            [*UNIT[:-1], UNIT[0][:2]],
            "must have 8 numbers, as the first has, got 2 for image",
        ),
        (IDS, [[None, 1.0], *[[1.0, 0.0]] * 49], "must be whole, and that of image image00 lacks"),
        (IDS, [[]] * 50, "must have at least 1 numbers"),
    ],
)
def test_what_cannot_be_measured_is_named(
    tmp_path: Path, ids: list[str], vectors: Iterable[object], text: str
) -> None:
    path = parquet(tmp_path / "a.parquet", ids, vectors)
    with pytest.raises(InputError, match=re.escape(text)) as error:
        read_embeddings(path, IDS, split="test")
    assert str(path) in str(error.value)


def test_files_that_are_none_say_what_is_wanted(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "a.parquet", IDS, (100 * UNIT).astype(int), pa.list_(pa.int64()))
    with pytest.raises(InputError, match="must be a list of floating-point numbers, got list<"):
        read_embeddings(whole, IDS, split="test")
    pq.write_table(pa.table({"id": IDS}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match="must have columns image_id and embedding, got id; ren"):
        read_embeddings(tmp_path / "b.parquet", IDS, split="test")
    for start, text in (
        (b"x", "c.parquet must be a parquet file, a folder of such files, or an .npy, and begins"),
        (b"", "c.parquet must be a parquet file, a folder of such files, or an .npy, and begins"),
        (b"PAR1", "write them once more, with numpy.save or pyarrow.parquet.write_table"),
    ):
        (tmp_path / "c.parquet").write_bytes(start * 50)
        with pytest.raises(InputError, match=re.escape(text)):
            read_embeddings(tmp_path / "c.parquet", IDS, split="test")
    np.save(tmp_path / "d.npy", UNIT)
    with pytest.raises(InputError, match=r"needs the image ids of its rows in d.txt beside it"):
        read_embeddings(tmp_path / "d.npy", IDS, split="test")
    with pytest.raises(InputError, match=r"cannot read embeddings .*d.txt: No such file"):
        embeddings_digest(tmp_path / "d.npy")
    array(tmp_path / "d.npy", IDS[:-1], UNIT)
    with pytest.raises(InputError, match=r"must have a line for each of the 50 rows .*, got 49"):
        read_embeddings(tmp_path / "d.npy", IDS, split="test")
    for wrong in (UNIT[0], (UNIT * 9).astype(int)):
        array(tmp_path / "e.npy", ["a"], wrong)
        with pytest.raises(InputError, match=r"e.npy must hold floating-point numbers \(N, D\), g"):
            read_embeddings(tmp_path / "e.npy", IDS, split="test")
    array(tmp_path / "f.npy", IDS, UNIT.T)
    with pytest.raises(InputError, match="or turn the array: it has a column an id"):
        read_embeddings(tmp_path / "f.npy", IDS, split="test")
    array(tmp_path / "g.npy", IDS, UNIT[:, :0])
    with pytest.raises(InputError, match=r"must have at least 1 number, got \(50, 0\); write what"):
        read_embeddings(tmp_path / "g.npy", IDS, split="test")
    for content in (b"", (tmp_path / "d.npy").read_bytes()[:-9]):
        (tmp_path / "d.npy").write_bytes(content)
        with pytest.raises(InputError, match=r"cannot read embeddings .*d.npy: .*; write them onc"):
            read_embeddings(tmp_path / "d.npy", IDS, split="test")


def test_ids_that_an_editor_wrote_are_read_and_others_are_refused(tmp_path: Path) -> None:
    path = array(tmp_path / "q.npy", IDS, UNIT)
    ids = path.with_suffix(".txt")
    ids.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*IDS, "", ""]).encode())
    np.testing.assert_allclose(read_embeddings(path, IDS, split="test").numpy(), UNIT, atol=1e-6)
    ids.write_text("\n".join(["image_id", *IDS]))
    with pytest.raises(InputError, match=r"got 51; write the id of each row, .* without a heading"):
        read_embeddings(path, IDS, split="test")
    ids.write_text("\n".join(IDS), encoding="utf-16")
    with pytest.raises(InputError, match=r"q.txt must be a text in UTF-8, got"):
        read_embeddings(path, IDS, split="test")


def test_swapped_files_are_told_from_files_of_other_ids(tmp_path: Path) -> None:
    index = [f"index{number}" for number in range(50)]
    path = parquet(tmp_path / "a.parquet", index, UNIT)
    text = "but images of the other side, such as 'index0'; give the queries' file first"
    with pytest.raises(InputError, match=text):
        read_embeddings(path, IDS, split="test", other_ids=index)
    paths = parquet(tmp_path / "b.parquet", [f"a/{one}.jpg" for one in IDS], UNIT)
    text = r"its first id is 'a/image00.jpg', where ids such as 'image00' are wanted; .* folder or"
    with pytest.raises(InputError, match=text):
        read_embeddings(paths, IDS, split="test", other_ids=index)


def test_numbers_beyond_float32_are_refused_and_equal_embeddings_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = array(tmp_path / "q.npy", IDS, UNIT.astype(np.float64) * 1e300)
    with pytest.raises(InputError, match="must be finite, and 50 of 50 are not"):
        read_embeddings(path, IDS, split="test")
    array(path, IDS, UNIT)
    read_embeddings(path, IDS, split="test")
    assert "are the same" not in caplog.text
    array(path, IDS, np.repeat(UNIT[:1], 50, axis=0))
    read_embeddings(path, IDS, split="test")
    assert "all 50 embeddings are the same" in caplog.text


def test_blocks_of_other_widths_are_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_files, "_BLOCK", 10)
    path = parquet(tmp_path / "a.parquet", IDS, [*UNIT[:20], *UNIT[20:, :4]])
    with pytest.raises(InputError, match="must have 8 numbers, as the first has, got 4 for image"):
        read_embeddings(path, IDS, split="test")
