"""Tables of one's own."""

from pathlib import Path

import numpy as np
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


def write(kind: str, folder: Path) -> object:
    table = pa.table(SHOP)
    frame = pd.DataFrame(SHOP)
    path = folder / f"shop.{kind}"
    match kind:
        case "parquet":
            pq.write_table(table, path)
        case "csv":
            frame.to_csv(path, index=False)
        case "dictionary":
            encoded = table["product"].dictionary_encode()
            return table.set_column(1, "product", encoded)
        case "pandas":
            return frame.astype({"product": "category"})
        case "polars":
            return pl.DataFrame(SHOP)
        case "categories":
            return pl.DataFrame(SHOP).with_columns(pl.col("product").cast(pl.Categorical))
        case _:
            return table
    return path


@pytest.mark.parametrize(
    "kind", ["parquet", "csv", "arrow", "dictionary", "pandas", "polars", "categories"]
)
def test_a_table_of_any_kind_gives_the_same_labels(kind: str, tmp_path: Path) -> None:
    images = hgld.load(write(kind, tmp_path), levels=LEVELS, image="picture").train
    assert images.labels().tolist() == LABELS
    assert images.names("product") == ("cup", "mug", "pan")
    assert images.image_ids() == SHOP["picture"]  # not 7
    assert images.of(product="pan").image_ids() == ["x/4.jpg"]


def test_numbers_are_labels_in_the_order_of_numbers() -> None:
    images = hgld.load(pa.table(SHOP), levels=("shelf",), image="picture").train
    assert images.labels()[:, 0].tolist() == [0, 1, 0, 2]
    assert images.names("shelf") == ("3", "20", "100")


def test_tables_by_split_share_their_ids() -> None:
    index = {"picture": ["q"], "product": ["axe"], "category": ["tools"], "shelf": [1]}
    data = hgld.load(
        {"train": pa.table(SHOP), "query": pa.table(index)}, levels=LEVELS, image="picture"
    )
    assert (
        data.query.names("product") == data.train.names("product") == ("axe", "cup", "mug", "pan")
    )
    assert data.query.labels().tolist() == [[0, 1]]
    assert data.train.labels()[:, 0].tolist() == [2, 1, 2, 3]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_column_of_splits_divides_a_file(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(SHOP | {"split": ["train", "query", "train", "val"]})
    path = tmp_path / f"shop.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    data = hgld.load(path, levels=LEVELS, image="picture")
    assert list(data.splits) == ["train", "test", "val"]
    assert data.train.image_ids() == ["10", "007"]
    assert np.array_equal(data.query.labels(), [LABELS[1]])


def test_labels_of_a_csv_file_are_texts_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("image_id,article,model,year\na,007,1.10,2020-01-01\nb,7,1.1,2020-01-01\n")
    images = hgld.load(path, levels=("article", "model", "year")).train
    assert images.names("article") == ("007", "7")
    assert images.names("model") == ("1.1", "1.10")
    assert images.names("year") == ("2020-01-01",)
    with pytest.raises(ValueError, match="did you mean '7'"):
        images.of(article=7)


def test_queries_under_two_names_are_refused_and_not_lost(tmp_path: Path) -> None:
    table = pa.table(SHOP)
    with pytest.raises(InputError, match="call all of them query"):
        hgld.load({"query": table, "test": table}, levels=LEVELS, image="picture")
    split = pa.array(["query", "test", "train", "train"])
    path = tmp_path / "shop.parquet"
    pq.write_table(table.append_column("split", split), path)
    with pytest.raises(InputError, match="call all of them query"):
        hgld.load(path, levels=LEVELS, image="picture")


def test_splits_may_be_numbers() -> None:
    folds = pa.table(SHOP).append_column("split", pa.array([1, 1, 2, 2]))
    data = hgld.load(folds, levels=LEVELS, image="picture")
    assert {name: split.image_ids() for name, split in data.splits.items()} == {
        "1": ["10", "2"],
        "2": ["007", "x/4.jpg"],
    }


def test_a_column_that_is_there_twice_is_refused() -> None:
    table = pa.table([["a"], ["mug"], ["pan"]], names=["image_id", "product", "product"])
    with pytest.raises(InputError, match="product"):
        hgld.load(table, levels=("product",))


def test_ids_of_images_are_texts_though_they_look_like_numbers(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("image_id,product\n007,mug\n0000000000000010,cup\n1e5,pan\n")
    ids = hgld.load(path, levels=("product",)).train.image_ids()
    assert ids == ["007", "0000000000000010", "1e5"]


@pytest.mark.parametrize("kind", ["csv", "pandas"])
def test_a_blank_label_is_refused_with_a_way_out(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"image_id": ["a", "b"], "product": ["mug", None]})
    source: object = frame
    if kind == "csv":
        source = tmp_path / "shop.csv"
        frame.to_csv(source, index=False)
    images = hgld.load(source, levels=("product",)).train
    with pytest.raises(ValueError, match="1 of 2"):
        images.labels()
    assert images.where(pa.compute.field("product").is_valid()).labels().tolist() == [[0]]


def test_columns_that_lack_are_named_early(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="landmark_id"):
        hgld.load(pa.table(SHOP))
    with pytest.raises(InputError, match="image_id"):
        hgld.load(pa.table(SHOP), levels=LEVELS)
    with pytest.raises(TypeError, match="int"):
        hgld.load(7)
    with pytest.raises(ValueError, match="levels"):
        hgld.load(pa.table(SHOP), levels=())
    (tmp_path / "x.csv").write_text('image_id,product\n"a,b\n')
    with pytest.raises(InputError, match=r"x\.csv"):
        hgld.load(tmp_path / "x.csv", levels=("product",))


def test_a_level_of_another_type_is_refused() -> None:
    table = pa.table({"image_id": ["a"], "product": [0.5]})
    with pytest.raises(InputError, match="double"):
        hgld.load(table, levels=("product",)).train.labels()
    tables = {"train": pa.table({"image_id": ["a"], "p": [1]})}
    tables["index"] = pa.table({"image_id": ["a"], "p": ["1"]})
    with pytest.raises(InputError, match="every split"):
        hgld.load(tables, levels=("p",)).train.labels()


def test_a_row_without_a_split_is_refused() -> None:
    table = pa.table({"image_id": ["a", "b"], "product": ["x", "y"], "split": ["train", None]})
    with pytest.raises(InputError, match="split"):
        hgld.load(table, levels=("product",))
