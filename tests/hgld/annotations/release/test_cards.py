import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from hgld.annotations.release.facts import ReleaseConfig
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, TAXONOMY
from tests.hgld.annotations.release.worlds import release
from tests.worlds.builders import table_of, write_stage

NASTY = 'Labels: "of # places", 100% $x'


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Loads a folder as `datasets` does: one split, or all."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return partial(datasets.load_dataset, cache_dir=str(tmp_path / "cache"))


def rows(pattern: str, folder: Path) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted(folder.glob(pattern))]
    return list(pa.concat_tables(tables, promote_options="permissive").to_pylist())


def front_matter(folder: Path) -> dict[str, Any]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text.split("---\n")[1]))


def test_each_table_of_the_folder_is_a_configuration_or_a_split(
    released_with_all: Path, load: Callable[..., Any]
) -> None:
    folder = str(released_with_all)
    loaded = load(folder)
    assert list(loaded) == ["train", "index", "test"]
    for split in loaded:
        assert list(loaded[split]) == rows(f"data/{split}-*.parquet", released_with_all)
    assert loaded["train"][0]["provenance"]["reviewer"] == "ann"
    filled = load(folder, "filled")
    assert list(filled) == ["train"]
    assert list(filled["train"]) == rows("filled/train-*.parquet", released_with_all)
    for name in ("landmarks", "hierarchy", "excluded", "bad"):
        assert list(load(folder, name, split="rows")) == rows(f"{name}.parquet", released_with_all)
    credited = list(load(folder, "credits", split="rows"))
    assert credited == rows("credits-*.parquet", released_with_all)


def test_the_front_matter_declares_patterns_and_no_sizes(released: Path) -> None:
    matter = front_matter(released)
    assert "dataset_info" not in matter
    assert matter["license"] == "cc-by-4.0"
    (default,) = [one for one in matter["configs"] if one.get("default")]
    assert default["data_files"] == [
        {"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "index", "test")
    ]


def test_any_text_of_the_settings_is_told_as_it_is(reviewed: Workspace) -> None:
    config = ReleaseConfig(
        title=NASTY,
        description=NASTY,
        creators=('Ann "A" Smith', "Bob: & Co"),
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
        assert "mail@example.org" in text


def test_the_citation_has_what_its_format_asks_for(released: Path) -> None:
    cited = yaml.safe_load((released / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert (cited["type"], cited["version"], cited["license"]) == ("dataset", "1.0.0", "CC-BY-4.0")
    assert str(cited["date-released"]) == "2025-01-01"
    people = [one for paper in cited["references"] for one in paper["authors"]]
    assert all(set(one) == {"family-names", "given-names"} for one in people)


def test_the_cards_tell_the_counts_and_leave_nothing_open(released: Path) -> None:
    card, sheet = (
        (released / name).read_text(encoding="utf-8") for name in ("README.md", "DATASHEET.md")
    )
    for text in (card, sheet):
        for count in (
            r"train: 2 images",
            r"3 of 7",
            r"excluded images: 5",
            r"3 from a person's decision",
            "CC0",
        ):
            assert re.search(count, text), count
        assert not re.search(r"\$[a-z{]", text)
    columns = set(re.findall(r"^\| `(\w+)` \|", card, re.MULTILINE))
    assert columns
    assert columns <= set(ANNOTATIONS["train"].schema.names)


def test_the_first_screen_says_what_it_holds_and_that_a_program_is_no_person(
    reviewed: Workspace,
) -> None:
    taxonomy = reviewed.read(TAXONOMY).to_pylist()
    for row in taxonomy:
        row["reviewer"] = row["reviewer"] and "hgld demo"
    write_stage(reviewed, [(TAXONOMY, table_of(TAXONOMY, taxonomy))])
    folder = release(reviewed, ReleaseConfig(description="Drawings."))
    described = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    screens = [described["description"]]
    for name in ("README.md", "DATASHEET.md"):
        text = (folder / name).read_text(encoding="utf-8")
        screens.append(text.partition("\n# ")[2].partition("\n## ")[0] or text[:800])
    for screen in screens:
        for words in (
            "Drawings.",
            "5 images of 4 landmarks",
            "`hgld demo`",
            "10 images",
            "5,012,248",
        ):
            assert words in screen
        assert "person" not in screen
    assert list(described)[:3] == ["@type", "name", "description"]
    agents = {one["sc:name"]: one["@type"] for one in described["prov:wasAttributedTo"]}
    assert agents == {"hgld demo": "prov:SoftwareAgent", "hgld": "prov:SoftwareAgent"}
    assert "persons: 0" in (folder / "README.md").read_text(encoding="utf-8")
