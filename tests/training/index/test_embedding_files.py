"""Embeddings of any program, read from files: what is taken, and what each mistake is told."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.errors import InputError
from hgld.training.index import embedding_files
from hgld.training.index.embedding_files import embeddings_digest, read_embeddings

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


@pytest.mark.parametrize("kind", [pa.large_list(pa.float32()), pa.list_(pa.float16(), 8)], ids=str)
def test_parquet_is_read_in_the_order_asked_for_whatever_its_own(
    tmp_path: Path, kind: pa.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_files, "_BLOCK", 7)
    order = np.random.default_rng(1).permutation(50)
    values = UNIT[order].astype(np.float16) if "half" in str(kind) else UNIT[order]
    path = parquet(tmp_path / "a.parquet", [IDS[one] for one in order], values, kind)
    found = read_embeddings(path, IDS[10:30], split="test")
    np.testing.assert_allclose(found.numpy(), UNIT[10:30], atol=1e-3)
    np.testing.assert_allclose(found.norm(dim=1).numpy(), 1, rtol=1e-6)


def test_an_array_has_its_ids_beside_it_as_an_editor_wrote_them(tmp_path: Path) -> None:
    path = array(tmp_path / "q.npy", IDS, VECTORS.astype(np.float64))
    before = embeddings_digest(path)
    ids = path.with_suffix(".txt")
    ids.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*IDS, "", ""]).encode())
    np.testing.assert_allclose(read_embeddings(path, IDS, split="test").numpy(), UNIT, atol=1e-6)
    assert embeddings_digest(path) != before
    ids.write_text("\n".join(IDS), encoding="utf-16")
    with pytest.raises(InputError, match="UTF-8"):
        read_embeddings(path, IDS, split="test")


def test_a_folder_is_all_its_parquet_files_and_rows_without_an_embedding_are_none(
    tmp_path: Path,
) -> None:
    parquet(tmp_path / "0.parquet", [*IDS[:20], "broken"], [*UNIT[:20], None])
    parquet(tmp_path / "1.parquet", IDS[20:], 10 * UNIT[20:])  # which is scaled
    (tmp_path / "index.json").write_text("{}")
    found = read_embeddings(tmp_path, IDS, split="index")
    np.testing.assert_allclose(found.numpy(), UNIT, atol=1e-6)
    with pytest.raises(InputError, match="none"):
        read_embeddings(tmp_path, ["broken"], split="index")


def changed(row: int, value: float) -> np.ndarray[Any, Any]:
    vectors: np.ndarray[Any, Any] = UNIT.copy()
    vectors[row] = value
    return vectors


@pytest.mark.parametrize(
    ("ids", "vectors", "word"),
    [
        (IDS[:-2], UNIT[:-2], "image48"),
        ([*IDS, IDS[3]], [*UNIT, UNIT[3]], "several"),
        ([f"a/{one}.jpg" for one in IDS], UNIT, "folder"),
        (IDS[::-1], UNIT, "none.*other side.*first"),  # the files are swapped
        ([], [], "rows"),
        (IDS, changed(4, np.nan), "image04"),
        (IDS, changed(4, 0), "image04"),
        (IDS, [*UNIT[:-1], UNIT[0][:2]], "image49"),
        (IDS, [*UNIT[:20], *UNIT[20:, :4]], "8 numbers"),  # of another block
        (IDS, [[None, 1.0], *[[1.0, 0.0]] * 49], "image00"),
        (IDS, [[]] * 50, "numbers"),
    ],
)
def test_what_cannot_be_measured_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ids: list[str],
    vectors: Iterable[object],
    word: str,
) -> None:
    monkeypatch.setattr(embedding_files, "_BLOCK", 10)
    path = parquet(tmp_path / "a.parquet", ids, vectors)
    wanted, other = (["x"], IDS) if "side" in word else (IDS, ["x"])
    with pytest.raises(InputError, match=word) as error:
        read_embeddings(path, wanted, split="test", other_ids=other)
    assert str(path) in str(error.value)


def test_files_of_other_columns_or_types_or_none_at_all_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", IDS, (100 * UNIT).astype(int), pa.list_(pa.int64()))
    pq.write_table(pa.table({"id": IDS}), tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"PAR1" * 50)
    for name, word in {"a": "floating-point", "b": "image_id", "c": "write"}.items():
        with pytest.raises(InputError, match=word):
            read_embeddings(tmp_path / f"{name}.parquet", IDS, split="test")


def test_arrays_that_are_not_rows_of_numbers_with_their_ids_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", UNIT)
    with pytest.raises(InputError, match=r"a\.txt"):
        embeddings_digest(tmp_path / "a.npy")
    array(tmp_path / "b.npy", IDS[:-1], UNIT)
    array(tmp_path / "c.npy", ["a"], UNIT[0])
    array(tmp_path / "d.npy", ["a"], (UNIT * 9).astype(int))
    array(tmp_path / "e.npy", IDS, UNIT.T)
    array(tmp_path / "f.npy", IDS, UNIT[:, :0])
    array(tmp_path / "g.npy", IDS, UNIT).write_bytes(b"")
    array(tmp_path / "h.npy", IDS, UNIT.astype(np.float64) * 1e300)
    words = {"a": r"a\.txt", "b": "49", "c": "floating-point", "d": "floating-point"}
    for name, word in (words | {"e": "turn", "f": "number", "g": "g.npy", "h": "finite"}).items():
        with pytest.raises(InputError, match=word):
            read_embeddings(tmp_path / f"{name}.npy", IDS, split="test")
