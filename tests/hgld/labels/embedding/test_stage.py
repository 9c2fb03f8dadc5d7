import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding.cache import (
    CACHE_FOLDER,
    VectorCache,
    cache_damages,
    cache_key,
    from_lists,
)
from hgld.labels.embedding.stage import EmbedConfig, run_embed, unique_classes
from hgld.labels.embedding.words import taxonomy_words
from hgld.tables import CLASSES, EMBEDDINGS, LABELS, WORDS
from tests.worlds.builders import TrigramEncoder, class_rows, write_scrape
from tests.worlds.stopped import stopped_at
from tests.worlds.taxonomies import PHRASES, write_taxonomy

PART = 3
SCRAPED = {
    ("train", 1): [("Q16970", "church building"), ("Q9", "national park")],
    ("train", 2): [("Q16970", "church building")],
    ("index", 1): [("Q16970", "church building"), ("Q10", "national park")],
    ("index", 7): [("Q34038", "waterfall"), ("Q8502", "mountain"), ("Q23397", "lake")],
    ("index", 8): [("Q12280", "bridge {stone}")],
}
TEXTS = {label for classes in SCRAPED.values() for _, label in classes} | {*PHRASES}


@dataclass
class Build:
    """A build with a scrape."""

    workspace: Workspace
    config: EmbedConfig
    encoded: list[str]

    def embed(self, **changed: Any) -> StageReport:  # noqa: ANN401 - of the settings
        """Runs the stage, some settings changed; `encoded` has the texts of the last run."""
        self.encoded.clear()
        return run_embed(self.workspace, replace(self.config, **changed))


@pytest.fixture
def build(
    workspace: Workspace, encoder: TrigramEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Build:
    monkeypatch.setattr(embed, "PART", PART)
    write_scrape(workspace, class_rows(SCRAPED))
    taxonomy = write_taxonomy(tmp_path / "taxonomy")
    return Build(workspace, EmbedConfig(encoder="minilm", taxonomy=taxonomy), encoder.encoded)


def test_classes_are_counted_once_a_landmark_and_sorted_by_number() -> None:
    classes = class_rows(SCRAPED)
    table = unique_classes(pa.concat_tables([classes, classes]))
    qids = ["Q9", "Q10", "Q8502", "Q12280", "Q16970", "Q23397", "Q34038"]
    assert table["class_qid"].to_pylist() == qids
    # train 1 and index 1 are two landmarks
    assert table["landmarks"].to_pylist() == [1, 1, 1, 1, 3, 1, 1]
    # Of two labels of a class the first is kept whole.
    rows = class_rows({("train", 1): [("Q1", "Zamek"), ("Q1", "Castle")]})
    rows = rows.set_column(5, CLASSES.schema.field("label_language"), [["en", None]])
    (row,) = unique_classes(rows).to_pylist()
    assert (row["class_label"], row["label_language"], row["landmarks"]) == ("Castle", None, 1)


def test_vectors_are_of_prompts(build: Build) -> None:
    build.embed()
    labels, rows = build.workspace.read(LABELS), build.workspace.read(EMBEDDINGS)
    assert rows["class_qid"] == labels["class_qid"]
    texts = [f"A picture of a {label}" for label in labels["class_label"].to_pylist()]
    assert "A picture of a bridge {stone}" in texts
    assert rows["text"].to_pylist() == texts
    vectors = from_lists(rows["embedding"])
    # Two classes are called national park: they stay apart, and have one vector.
    assert build.encoded.count("A picture of a national park") == 1
    np.testing.assert_array_equal(vectors, TrigramEncoder().encode(texts))
    assert len(build.workspace.shards(EMBEDDINGS)) == 3
    # The words of the taxonomy are encoded beside the labels.
    words = {row["phrase"]: row for row in build.workspace.read(WORDS).to_pylist()}
    assert list(words) == list(PHRASES)
    waterfall = words["waterfall"]
    assert (waterfall["hierarchical_label"], waterfall["kind"]) == ("cascade", "alias")
    assert waterfall["natural_or_human_made"] == "natural"
    assert waterfall["embedding"] == vectors[texts.index(waterfall["text"])].tolist()


def test_a_prompt_that_no_run_could_use_is_named() -> None:
    for prompt in ("a photo", "{label} \udcff", "{label}\0"):
        with pytest.raises(ValueError, match="prompt"):
            EmbedConfig(prompt=prompt)


def test_a_run_stopped_midway_goes_on_and_ends_with_the_same_digests(
    build: Build, encoder: TrigramEncoder
) -> None:
    with stopped_at(encoder, "encode", 3):
        build.embed()
    assert len([*build.workspace.path(CACHE_FOLDER).glob("*.parquet")]) == 2  # parts are kept
    resumed = build.embed().manifest
    assert len(build.encoded) == len(TEXTS) - 2 * PART
    shutil.rmtree(build.workspace.root)
    write_scrape(build.workspace, class_rows(SCRAPED))
    assert build.embed().manifest.outputs == resumed.outputs  # undisturbed


# What a run encodes, given the runs before it; the digests do not tell.


def test_only_new_labels_and_words_are_encoded_and_a_prompt_of_before_costs_nothing(
    build: Build, tmp_path: Path
) -> None:
    first = build.embed().manifest
    moved = write_taxonomy(tmp_path / "moved")
    assert build.embed(taxonomy=moved).skipped  # wherever it lies
    write_scrape(build.workspace, class_rows(SCRAPED | {("index", 9): [("Q34442", "road")]}))
    write_taxonomy(moved, aliases="hierarchical_label,language,alias\nspan,en,viaduct\n")
    now = build.embed(taxonomy=moved).manifest
    assert build.encoded == ["A picture of a road", "A picture of a viaduct"]
    assert now.settings["taxonomy"] != first.settings["taxonomy"]
    phrases = build.workspace.read(WORDS)["phrase"].to_pylist()
    assert phrases == ["cascade", "mere / tarn", "span", "viaduct"]
    build.embed(prompt="a photo of {label}")
    assert "a photo of lake" in build.encoded
    assert build.embed(taxonomy=moved).manifest.outputs == now.outputs
    assert build.encoded == []


@pytest.mark.fault(61, "other encoder weights")
def test_other_weights_or_another_model_encode_again(build: Build, tmp_path: Path) -> None:
    weights, copy = tmp_path / "a.pt", tmp_path / "b.pt"
    weights.write_bytes(b"first")
    copy.write_bytes(b"first")
    build.config = replace(build.config, encoder="open_clip", weights=str(weights))
    for model in ("ViT-L-14", "ViT-B-32"):
        build.embed(model=model)
        assert len(build.encoded) == len(TEXTS)
    build.embed(weights=str(copy))
    assert build.encoded == []  # the same weights in another place
    weights.write_bytes(b"second")
    build.embed()
    assert len(build.encoded) == len(TEXTS)


def test_vectors_of_no_unit_norm_are_refused(
    build: Build, encoder: TrigramEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = np.full((PART, 64), np.nan, dtype=np.float32)
    monkeypatch.setattr(encoder, "encode", lambda *_: damaged)
    with pytest.raises(InputError, match="unit norm"):
        build.embed()
    assert not build.workspace.path(CACHE_FOLDER).exists()


def test_a_damaged_file_is_named_and_removed_unread_and_the_others_count(
    workspace: Workspace,
) -> None:
    cache = VectorCache(workspace.path(CACHE_FOLDER), cache_key({"prompt": "{label}"}))
    cache.add(["lake"], np.array([[0.6, 0.8]], np.float32))
    (path,) = cache.folder.iterdir()
    cache.add(["hill"], np.array([[0.8, 0.6]], np.float32))
    assert list(cache_damages(workspace)) == []
    pq.write_table(pa.table({"label": ["lake"], "embedding": [[1.0, 0.0]]}), path)
    assert [name for name, _ in cache_damages(workspace)] == [f"labels/cache/{path.name}"]
    assert list(cache.read(["lake", "hill"])) == ["hill"]
    assert not path.exists()


def test_distilled_words_count_for_super_categories_that_one_has(tmp_path: Path) -> None:
    one = "hierarchical_label,natural_or_human_made,description\nlake,natural,Lakes\n"
    aliases = "hierarchical_label,language,alias\n"
    folder = write_taxonomy(tmp_path, supercategories=one, aliases=aliases)
    words = taxonomy_words(folder).to_pylist()
    assert {word["hierarchical_label"] for word in words} == {"lake"}
    assert {word["kind"] for word in words} >= {"name", "wordnet"}
