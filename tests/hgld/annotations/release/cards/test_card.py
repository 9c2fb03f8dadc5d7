import re
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from hgld.annotations.release.cards.statements import COLUMN_TEXTS
from hgld.annotations.release.config import ReleaseConfig
from hgld.engine.workspace import Workspace
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    CREDITS,
    EXCLUDED,
    HIERARCHY,
    LANDMARK_LABELS,
)
from tests.hgld.annotations.release.worlds import release
from tests.hgld.annotations.world import IMAGES, LANDMARKS, write_inputs
from tests.worlds.builders import write_metadata

NASTY = 'Labels: "of # places", 100% $x'


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def load(folder: Path, *arguments: str, **options: Any) -> Any:  # noqa: ANN401 - one split or all
    cache = str(folder.parent / "cache")
    return datasets.load_dataset(str(folder), *arguments, cache_dir=cache, **options)


def rows(pattern: str, folder: Path) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted(folder.glob(pattern))]
    return list(pa.concat_tables(tables, promote_options="permissive").to_pylist())


def front_matter(folder: Path) -> dict[str, Any]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text.split("---\n")[1]))


def test_the_folder_loads_as_a_data_set_of_three_splits(released: Path) -> None:
    loaded = load(released)
    assert list(loaded) == ["train", "index", "test"]
    for split in loaded:
        assert list(loaded[split]) == rows(f"data/{split}-*.parquet", released)
    assert [len(loaded[split]) for split in loaded] == [2, 2, 1]
    assert loaded["train"][0]["provenance"]["reviewer"] == "ann"


@pytest.mark.parametrize(
    ("config", "pattern"),
    [
        ("landmarks", "landmarks.parquet"),
        ("hierarchy", "hierarchy.parquet"),
        ("excluded", "excluded.parquet"),
        ("credits", "credits-*.parquet"),
    ],
)
def test_each_further_table_is_a_configuration(released: Path, config: str, pattern: str) -> None:
    assert list(load(released, config, split="rows")) == rows(pattern, released)


def test_filled_labels_are_a_configuration_with_splits_beside_the_default(
    released_with_fills: Path,
) -> None:
    loaded = load(released_with_fills, "filled")
    assert list(loaded) == ["train"]
    assert list(loaded["train"]) == rows("filled/train-*.parquet", released_with_fills)
    assert len(load(released_with_fills)["train"]) == 2  # as without
    card = (released_with_fills / "README.md").read_text(encoding="utf-8")
    assert "configurations: `filled` (its splits are those of the default), `landmarks`," in card
    assert len(load(released_with_fills, "credits", split="rows")) == 4


def test_the_card_names_the_tables_that_have_rows_and_no_others(
    released: Path, released_with_bad: Path
) -> None:
    there = "`landmarks`, `hierarchy`, `excluded`, `credits`. No sizes"
    assert there in (released / "README.md").read_text(encoding="utf-8")
    card = (released_with_bad / "README.md").read_text(encoding="utf-8")
    assert "`landmarks`, `hierarchy`, `excluded`, `bad`, `credits`. No sizes" in card
    (row,) = load(released_with_bad, "bad", split="rows")
    assert (row["image_id"], row["reason"]) == ("a0", "truncated")


def test_without_credits_the_card_names_none(reviewed: Workspace) -> None:
    write_metadata(reviewed, LANDMARKS, IMAGES)
    card = (release(reviewed) / "README.md").read_text(encoding="utf-8")
    assert "`landmarks`, `hierarchy`, `excluded`. No sizes" in card
    assert "each picture has a licence of its own." in card


def test_one_shard_loads_alone(released: Path) -> None:
    name = "data/train-00001-of-00002.parquet"
    alone = load(released, data_files={"train": name}, split="train")
    assert list(alone) == rows(name, released)
    for path in released.rglob("*.parquet"):
        if path != released / name and not path.name.startswith(("index-00001", "test")):
            path.unlink()
    loaded = load(released)  # as it is downloaded in part: no size is missed
    assert {split: len(loaded[split]) for split in loaded} == {"train": 1, "index": 1, "test": 1}


def test_the_front_matter_declares_patterns_and_no_sizes(released: Path) -> None:
    matter = front_matter(released)
    assert "dataset_info" not in matter
    assert matter["license"] == "cc-by-4.0"
    assert matter["size_categories"] == ["n<1K"]
    (default,) = [one for one in matter["configs"] if one.get("default")]
    assert default["data_files"] == [
        {"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "index", "test")
    ]


def test_a_split_without_images_is_not_declared(workspace: Workspace) -> None:
    write_inputs(
        workspace,
        [{"split": "train", "image_id": "a", "landmark_id": 1, "in_clean": True}],
    )
    folder = release(workspace)
    assert list(load(folder)) == ["train"]
    configs = [one["config_name"] for one in front_matter(folder)["configs"]]
    assert configs == ["default", "landmarks", "hierarchy", "credits"]
    assert len(load(folder, "landmarks", split="rows")) == 7


def test_any_text_of_the_settings_is_told_as_it_is(reviewed: Workspace) -> None:
    config = ReleaseConfig(
        title=NASTY,
        description=NASTY,
        creators=('Ann "A" Smith', "Bob: & Co"),
        publisher=NASTY,
        contact="mail@example.org",
        url="https://example.org/?a=b#c",
        license="ODbL-1.0",
    )
    folder = release(reviewed, config)
    matter = front_matter(folder)
    assert matter["pretty_name"] == NASTY
    assert (matter["license"], matter["license_name"]) == ("other", "odbl-1.0")
    cited = yaml.safe_load((folder / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["title"] == cited["abstract"] == NASTY
    assert [one["name"] for one in cited["authors"]] == ['Ann "A" Smith', "Bob: & Co"]
    assert cited["url"] == "https://example.org/?a=b#c"
    for name in ("README.md", "DATASHEET.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert NASTY in text
        assert "Questions and mistakes: mail@example.org." in text


def test_the_citation_has_what_its_format_asks_for(released: Path) -> None:
    cited = yaml.safe_load((released / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert (cited["type"], cited["version"], cited["license"]) == ("dataset", "1.0.0", "CC-BY-4.0")
    assert str(cited["date-released"]) == "2025-01-01"
    assert len(cited["references"]) == 3
    people = [one for paper in cited["references"] for one in paper["authors"]]
    assert all(set(one) == {"family-names", "given-names"} for one in people)


def test_the_cards_tell_the_counts_and_leave_nothing_open(released: Path) -> None:
    card, sheet = (
        (released / name).read_text(encoding="utf-8") for name in ("README.md", "DATASHEET.md")
    )
    for text in (card, sheet):
        assert "train: 2 images" in text
        assert "Landmarks without a label: 3 of 7; excluded images: 5 (ignored 1, no_cate" in text
        assert "a person's decision: 3 (persons: 1); that nobody has looked at: 1." in text
        assert "2025-01-01 to 2025-01-01" in text
        assert "CC0-1.0" in text
        assert not re.search(r"\$[a-z{]", text)
    for name in re.findall(r"^\| `(\w+)` \|", card, re.MULTILINE):
        assert name in ANNOTATIONS["train"].schema.names
    assert len(re.findall(r"^\*\*.+\?\*\*", sheet, re.MULTILINE)) > 15


def test_every_column_is_explained() -> None:
    tables = (ANNOTATIONS["train"], LANDMARK_LABELS, HIERARCHY, EXCLUDED, BAD_ANNOTATIONS, CREDITS)
    names = {name for table in tables for name in table.schema.names}
    assert names == set(COLUMN_TEXTS)
