"""What a release says to people, and to programs that read its card."""

import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from hgld.annotations.release.facts import ReleaseConfig
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.release.worlds import described, release, rows_of, text_of
from tests.hgld.annotations.world import CHURCH, HERITAGE, MUSEUM, PARISH, change_taxonomy

NASTY = 'Labels: "of # places", 100% $x'


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Loads a folder as `datasets` does: one split, or all."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return partial(datasets.load_dataset, cache_dir=str(tmp_path / "cache"))


def front_matter(folder: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(text_of(folder, "README.md").split("---\n")[1]))


def test_each_table_of_the_folder_is_a_configuration_or_a_split(
    released_with_all: Path, load: Callable[..., Any]
) -> None:
    folder, rows = str(released_with_all), partial(rows_of, released_with_all)
    loaded, filled = load(folder), load(folder, "filled")
    assert list(loaded) == ["train", "index", "test"]
    for split in loaded:
        assert list(loaded[split]) == rows(f"data/{split}-*.parquet")
    assert loaded["train"][0]["provenance"]["reviewer"] == "ann"
    assert list(filled) == ["train"]
    assert list(filled["train"]) == rows("filled/train-*.parquet")
    for name in ("landmarks", "hierarchy", "overlap", "excluded", "bad", "credits"):
        assert list(load(folder, name, split="rows")) == rows(f"{name}*.parquet")


def test_any_text_of_the_settings_is_told_as_it_is(reviewed: Workspace) -> None:
    config = ReleaseConfig(
        title=NASTY,
        description=NASTY,
        creators=('Ann "A" Smith', "Bob: & Co"),
        url="https://example.org/?a=b#c",
        license="ODbL-1.0",
    )
    folder = release(reviewed, config)
    matter = front_matter(folder)
    assert matter["pretty_name"] == NASTY
    assert (matter["license"], matter["license_name"]) == ("other", "odbl-1.0")
    cited = yaml.safe_load(text_of(folder, "CITATION.cff"))
    assert cited["title"] == cited["abstract"] == NASTY
    assert tuple(one["name"] for one in cited["authors"]) == config.creators
    assert cited["url"] == config.url
    for name in ("README.md", "DATASHEET.md"):
        assert NASTY in text_of(folder, name)


def test_the_cards_tell_the_counts_and_leave_nothing_open(released: Path) -> None:
    assert front_matter(released)["license"] == "cc-by-4.0"
    for name in ("README.md", "DATASHEET.md"):
        for count in ("train: 2 images", "3 of 7", "excluded images: 5", "CC0"):
            assert count in text_of(released, name)
        assert not re.search(r"\$[a-z{]", text_of(released, name))
    assert "| country code | 0 | 0% | not_asked 7 |" in text_of(released, "README.md")


def test_a_program_that_decides_is_told_as_no_person(reviewed: Workspace) -> None:
    decided = {qid: {"reviewer": "hgld demo"} for qid in (CHURCH, PARISH, MUSEUM, HERITAGE)}
    change_taxonomy(reviewed, decided)
    folder = release(reviewed, ReleaseConfig(description="Drawings."))
    assert "people: 0" in text_of(folder, "README.md")
    agents = {one["sc:name"]: one["@type"] for one in described(folder)["prov:wasAttributedTo"]}
    assert agents == {"hgld demo": "prov:SoftwareAgent", "hgld": "prov:SoftwareAgent"}


def test_a_release_of_other_images_does_not_send_anybody_to_gldv2(reviewed: Workspace) -> None:
    folder = release(reviewed, ReleaseConfig(source="Birds of Peru", description="Of birds."))
    for name in ("README.md", "DATASHEET.md"):
        assert "Birds of Peru" in text_of(folder, name)
        for word in ("Google Landmarks", "google-landmark"):
            assert word not in text_of(folder, name)
    assert "google-landmark" not in text_of(folder, "croissant.json")


PATTERNS = {
    **{split: f"data/{split}-*.parquet" for split in ("train", "index", "test")},
    **{
        f"{name}_{split}": f"{name}/{split}-*.parquet"
        for name in ("filled", "partial")
        for split in ("train", "index", "test")
    },
    **{
        name: f"{name}*.parquet"
        for name in (
            *("landmarks", "levels", "hierarchy", "overlap"),
            *("excluded", "bad", "credits"),
        )
    },
}


def expected(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of each record set that has any, without nested columns."""
    tables = {record: rows_of(folder, pattern) for record, pattern in PATTERNS.items()}
    return {
        record: [
            {key: plain(value) for key, value in row.items() if not isinstance(value, list | dict)}
            for row in rows
        ]
        for record, rows in tables.items()
        if rows
    }


def plain(value: Any) -> Any:  # noqa: ANN401 - of any column
    """Returns a value of a table, or of the reader, in one form for both."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bytes):
        return value.decode()
    return value.isoformat() if hasattr(value, "isoformat") else value


@pytest.mark.filterwarnings("ignore")  # of rdflib and pandas, which the reader uses
def test_the_reader_reads_every_row_of_every_table(released_with_all: Path) -> None:
    import mlcroissant

    found = mlcroissant.Dataset(jsonld=str(released_with_all / "croissant.json"))
    rows = {
        record.id: [
            {key.partition("/")[2]: plain(value) for key, value in row.items()}
            for row in found.records(record.id)
        ]
        for record in found.metadata.record_sets
    }
    assert not found.metadata.ctx.issues.warnings
    wanted = expected(released_with_all)
    assert rows.keys() == wanted.keys()
    assert {"train", "filled_train", "partial_train", "bad", "credits"} < rows.keys()
    for record, those in wanted.items():
        assert rows[record] == those, record


def test_every_file_of_the_tables_is_there_with_its_digest(released: Path) -> None:
    files = [one for one in described(released)["distribution"] if one["@type"] == "cr:FileObject"]
    paths = [path for path in released.rglob("*") if path.suffix in {".parquet", ".csv"}]
    assert {one["contentUrl"]: (one["sha256"], one["contentSize"]) for one in files} == {
        path.relative_to(released).as_posix(): (file_digest(path), f"{path.stat().st_size} B")
        for path in paths
    }


def test_a_label_is_attributed_to_its_reviewer(released: Path) -> None:
    told = described(released)
    people = {one["sc:name"]: one["sc:description"] for one in told["prov:wasAttributedTo"]}
    assert list(people) == ["ann", "hgld"]
    assert " 3 landmarks" in people["ann"]
    assert "decided by: ann" in told["description"]
    (train,) = [one for one in told["recordSet"] if one["@id"] == "train"]
    (label,) = [one for one in train["field"] if one["name"] == "hierarchical_label"]
    annotation = label["annotation"]
    assert annotation["equivalentProperty"] == "prov:wasAttributedTo"
    assert annotation["source"]["extract"] == {"column": "reviewer"}
