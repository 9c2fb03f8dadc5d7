"""Tables of one's own."""

from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hgld
from hgld.errors import InputError

SHOP = {
    "picture": ["10", "2", "007", "x/4.jpg"],
    "product": ["mug", "cup", "mug", "pan"],
    "category": ["ware", "ware", "ware", "pots, pans"],
    "shelf": [3, 20, 3, 100],
}
LEVELS = ("product", "category")
LABELS = [[1, 1], [0, 1], [1, 1], [2, 0]]


def sources(folder: Path) -> dict[str, object]:
    """Returns the shop as everything that may be loaded."""
    table, frame, mine = pa.table(SHOP), pd.DataFrame(SHOP), pl.DataFrame(SHOP)
    pq.write_table(table, folder / "shop.parquet")
    frame.to_csv(folder / "shop.csv", index=False)
    return {
        "a parquet file": folder / "shop.parquet",
        "a CSV file": folder / "shop.csv",
        "Arrow": table,
        "Arrow, a dictionary": table.set_column(1, "product", table["product"].dictionary_encode()),
        "pandas": frame.astype({"product": "category"}),
        "polars": mine,
        "polars, categories": mine.with_columns(pl.col("product").cast(pl.Categorical)),
    }


def test_a_table_of_any_kind_gives_the_same_labels(tmp_path: Path) -> None:
    for kind, source in sources(tmp_path).items():
        images = hgld.load(source, levels=LEVELS, image="picture").train
        assert images.labels().tolist() == LABELS, kind
        assert images.names("product") == ("cup", "mug", "pan"), kind
        assert images.image_ids() == SHOP["picture"], kind  # not 7
        assert images.of(product="pan").image_ids() == ["x/4.jpg"], kind


def test_numbers_are_labels_in_the_order_of_numbers() -> None:
    images = hgld.load(pa.table(SHOP), levels=("shelf",), image="picture").train
    assert images.labels()[:, 0].tolist() == [0, 1, 0, 2]
    assert images.names("shelf") == ("3", "20", "100")


def test_tables_by_split_share_their_ids() -> None:
    index = {"picture": ["q"], "product": ["axe"], "category": ["tools"], "shelf": [1]}
    tables = {"train": pa.table(SHOP), "query": pa.table(index)}
    data = hgld.load(tables, levels=LEVELS, image="picture")
    names = ("axe", "cup", "mug", "pan")
    assert data.query.names("product") == data.train.names("product") == names
    assert data.query.labels().tolist() == [[0, 1]]
    assert data.train.labels()[:, 0].tolist() == [2, 1, 2, 3]


@pytest.mark.parametrize("column", [["train", "query", "train", "val"], [1, 2, 1, 3]])
def test_a_column_of_splits_divides_a_table(column: list[object]) -> None:
    data = hgld.load(pd.DataFrame(SHOP | {"split": column}), levels=LEVELS, image="picture")
    first, second, third = data.splits.values()
    assert list(data.splits) in (["train", "test", "val"], ["1", "2", "3"])
    assert first.image_ids() == ["10", "007"]
    assert second.labels().tolist() == [LABELS[1]]
    assert len(third) == 1


def test_labels_of_a_csv_file_are_texts_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("image_id,article,model,year\n1e5,007,1.10,2020-01-01\n010,7,1.1,2020-01-01\n")
    images = hgld.load(path, levels=("article", "model", "year")).train
    assert images.image_ids() == ["1e5", "010"]
    assert images.names("article") == ("007", "7")
    assert images.names("model") == ("1.1", "1.10")
    assert images.names("year") == ("2020-01-01",)


def test_a_blank_label_is_refused_with_a_way_out_unless_a_finer_one_is_known(
    tmp_path: Path,
) -> None:
    (tmp_path / "shop.csv").write_text("image_id,product,category\na,mug,crockery\nb,nail,\n")
    images = hgld.load(tmp_path / "shop.csv", levels=LEVELS).train
    assert images.labels().tolist() == [[0, 0], [1, -1]]
    with pytest.raises(ValueError, match=r"category.*1 of 2|1 of 2.*category"):
        images.labels(["category"])
    known = images.where(pa.compute.field("category").is_valid())
    assert known.labels(["category"]).tolist() == [[0]]


def table(**columns: list[object]) -> pa.Table:
    return pa.table({"image_id": ["a", "b"], "p": ["x", "y"]} | columns)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (pa.table(SHOP), "image_id"),
        ({}, "one table"),
        (pa.table([["a"], ["x"], ["y"]], names=["image_id", "p", "p"]), "one column p"),
        (table(split=["train", None]), "split"),
        (table(split=["test", "query"]), "use only query"),
        ({"query": table(), "test": table()}, "use only query"),
        (table(p=[0.5, 1.5]), "double"),
        ({"train": table(), "index": table(p=[1, 2])}, "every split"),
    ],
)
def test_a_table_that_says_no_labels_is_refused(source: object, word: str) -> None:
    with pytest.raises(InputError, match=word):
        hgld.load(source, levels=("p",)).train.labels()
