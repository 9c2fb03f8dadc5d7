from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding.cache import CACHE_FOLDER, from_lists
from hgld.labels.embedding.stage import EmbedConfig, run_embed, unique_classes
from hgld.tables import CLASSES, EMBEDDINGS, LABELS, WORDS
from tests.worlds.builders import TrigramEncoder, class_rows, table_of, write_scrape
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


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbedConfig:
    monkeypatch.setattr(embed, "PART", PART)
    taxonomy = write_taxonomy(tmp_path / "taxonomy")
    return EmbedConfig(encoder="minilm", taxonomy=taxonomy)


@pytest.fixture
def scraped(workspace: Workspace) -> Workspace:
    write_scrape(workspace, class_rows(SCRAPED))
    return workspace


def test_classes_are_counted_once_a_landmark_and_sorted_by_number() -> None:
    classes = class_rows(SCRAPED)
    table = unique_classes(pa.concat_tables([classes, classes]))
    qids = ["Q9", "Q10", "Q8502", "Q12280", "Q16970", "Q23397", "Q34038"]
    assert table["class_qid"].to_pylist() == qids
    # train 1 and index 1 are two landmarks
    assert table["landmarks"].to_pylist() == [1, 1, 1, 1, 3, 1, 1]


def test_a_class_seen_under_two_labels_keeps_the_first_whole() -> None:
    rows = class_rows({("train", 1): [("Q1", "Zamek"), ("Q1", "Castle")]})
    rows = rows.set_column(5, CLASSES.schema.field("label_language"), [["en", None]])
    (row,) = unique_classes(rows).to_pylist()
    assert (row["class_label"], row["label_language"], row["landmarks"]) == ("Castle", None, 1)


def test_vectors_are_of_prompts(
    config: EmbedConfig, scraped: Workspace, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, config)
    labels, rows = scraped.read(LABELS), scraped.read(EMBEDDINGS)
    assert rows["class_qid"] == labels["class_qid"]
    texts = [f"A picture of a {label}" for label in labels["class_label"].to_pylist()]
    assert "A picture of a bridge {stone}" in texts
    assert rows["text"].to_pylist() == texts
    vectors = from_lists(rows["embedding"])
    # Two classes are called national park: they stay apart, and have one vector.
    assert encoder.encoded.count("A picture of a national park") == 1
    np.testing.assert_array_equal(vectors, encoder.encode(texts))
    assert len(scraped.shards(EMBEDDINGS)) == 3
    # The words of the taxonomy are encoded beside the labels.
    words = {row["phrase"]: row for row in scraped.read(WORDS).to_pylist()}
    assert list(words) == list(PHRASES)
    waterfall = words["waterfall"]
    assert (waterfall["hierarchical_label"], waterfall["kind"]) == ("cascade", "alias")
    assert waterfall["natural_or_human_made"] == "natural"
    assert waterfall["embedding"] == vectors[texts.index(waterfall["text"])].tolist()


def test_no_class_gives_no_rows_and_no_scrape_is_told_what_to_run(
    config: EmbedConfig, workspace: Workspace, encoder: TrigramEncoder
) -> None:
    with pytest.raises(MissingInputError, match="hgld scrape"):
        run_embed(workspace, config)
    write_scrape(workspace, table_of(CLASSES, []))
    run_embed(workspace, config)
    assert len(workspace.read(LABELS)) == len(workspace.read(EMBEDDINGS)) == 0
    assert len(encoder.encoded) == len(PHRASES)


@pytest.mark.parametrize("prompt", ["a photo", "{label} \udcff", "{label}\0"])
def test_a_prompt_that_no_run_could_use_is_named(prompt: str) -> None:
    with pytest.raises(ValueError, match="prompt"):
        EmbedConfig(prompt=prompt)


def test_a_run_stopped_midway_goes_on_and_ends_with_the_same_digests(
    config: EmbedConfig, scraped: Workspace, encoder: TrigramEncoder
) -> None:
    class Dying(TrigramEncoder):
        calls = 0

        def encode(self, texts: Sequence[str], on_batch: object = None) -> NDArray[np.float32]:
            self.calls += 1
            if self.calls == 3:  # two parts are kept
                raise KeyboardInterrupt
            return super().encode(texts, on_batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "load_encoder", lambda _: Dying())
        with pytest.raises(KeyboardInterrupt):
            run_embed(scraped, config)
    assert scraped.manifest("embed") is None
    assert len(list(scraped.path(CACHE_FOLDER).glob("*.parquet"))) == 2
    resumed = run_embed(scraped, config).manifest
    assert len(encoder.encoded) == len(TEXTS) - 2 * PART
    undisturbed = Workspace(scraped.root.with_name("undisturbed"))
    write_scrape(undisturbed, class_rows(SCRAPED))
    assert run_embed(undisturbed, config).manifest.outputs == resumed.outputs


# What a run encodes, given the runs before it; the digests do not tell.


def test_only_a_new_label_is_encoded_and_a_changed_prompt_and_back_costs_nothing(
    scraped: Workspace, config: EmbedConfig, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, config)
    encoder.encoded.clear()
    write_scrape(scraped, class_rows(SCRAPED | {("index", 9): [("Q34442", "road")]}))
    first = run_embed(scraped, config).manifest.outputs
    assert encoder.encoded == ["A picture of a road"]
    run_embed(scraped, replace(config, prompt="a photo of {label}"))
    assert "a photo of lake" in encoder.encoded
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(embed, "load_encoder")
        again = run_embed(scraped, config)
    assert not again.skipped
    assert again.manifest.outputs == first


def test_other_weights_or_another_model_encode_again_and_another_place_does_not(
    scraped: Workspace, config: EmbedConfig, encoder: TrigramEncoder, tmp_path: Path
) -> None:
    weights, copy = tmp_path / "a.pt", tmp_path / "b.pt"
    for path in (weights, copy):
        path.write_bytes(b"first")
    config = replace(config, encoder="open_clip", weights=str(weights))

    def encoded(changed: EmbedConfig) -> int:
        encoder.encoded.clear()
        assert not run_embed(scraped, changed).skipped
        return len(encoder.encoded)

    assert encoded(config) == len(TEXTS)
    assert encoded(replace(config, model="ViT-B-32")) == len(TEXTS)
    assert encoded(replace(config, weights=str(copy))) == 0
    weights.write_bytes(b"second")
    assert encoded(config) == len(TEXTS)


def test_an_encoder_that_gives_no_unit_vectors_is_refused_and_nothing_is_kept(
    scraped: Workspace, config: EmbedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Damaged(TrigramEncoder):
        def encode(self, texts: Sequence[str], on_batch: object = None) -> NDArray[np.float32]:
            vectors = super().encode(texts, on_batch)
            vectors[1] = np.nan
            return vectors

    monkeypatch.setattr(embed, "load_encoder", lambda _: Damaged())
    with pytest.raises(InputError, match="unit norm"):
        run_embed(scraped, config)
    assert not scraped.path(CACHE_FOLDER).exists()


def test_another_taxonomy_encodes_its_new_words_alone_wherever_it_lies(
    scraped: Workspace, config: EmbedConfig, encoder: TrigramEncoder, tmp_path: Path
) -> None:
    first = run_embed(scraped, config).manifest
    encoder.encoded.clear()
    moved = replace(config, taxonomy=write_taxonomy(tmp_path / "moved"))
    assert run_embed(scraped, moved).skipped
    aliases = "hierarchical_label,language,alias\nspan,en,viaduct\n"
    changed = replace(config, taxonomy=write_taxonomy(tmp_path / "moved", aliases=aliases))
    report = run_embed(scraped, changed)
    assert encoder.encoded == ["A picture of a viaduct"]
    assert report.manifest.settings["taxonomy"] != first.settings["taxonomy"]
    phrases = scraped.read(WORDS)["phrase"].to_pylist()
    assert phrases == ["cascade", "mere / tarn", "span", "viaduct"]
