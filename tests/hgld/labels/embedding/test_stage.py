from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding.cache import CACHE_FOLDER
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


LABELS_AND_PHRASES = {label for classes in SCRAPED.values() for _, label in classes} | {*PHRASES}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbedConfig:
    monkeypatch.setattr(embed, "PART", PART)
    taxonomy = write_taxonomy(tmp_path / "taxonomy")
    return EmbedConfig(encoder="minilm", taxonomy=taxonomy)


@pytest.fixture
def scraped(workspace: Workspace) -> Workspace:
    write_scrape(workspace, class_rows(SCRAPED))
    return workspace


def digests(workspace: Workspace) -> dict[str, str]:
    return workspace.finished(EMBEDDINGS).outputs


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
    row = unique_classes(rows).to_pylist()
    expected = {"class_qid": "Q1", "class_label": "Castle", "label_language": None, "landmarks": 1}
    assert row == [expected]


def test_equal_labels_stay_apart_and_get_equal_vectors(
    config: EmbedConfig, scraped: Workspace, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, config)
    rows = {row["class_qid"]: row for row in scraped.read(EMBEDDINGS).to_pylist()}
    assert rows["Q9"]["embedding"] == rows["Q10"]["embedding"]
    assert encoder.encoded.count("A picture of a national park") == 1


def test_vectors_are_those_of_the_prompts_in_the_order_of_the_labels(
    config: EmbedConfig, scraped: Workspace, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, config)
    labels, rows = scraped.read(LABELS), scraped.read(EMBEDDINGS)
    assert rows["class_qid"] == labels["class_qid"]
    texts = [f"A picture of a {label}" for label in labels["class_label"].to_pylist()]
    assert "A picture of a bridge {stone}" in texts
    assert rows["text"].to_pylist() == texts
    vectors = np.array(rows["embedding"].to_pylist(), dtype=np.float32)
    np.testing.assert_array_equal(vectors, encoder.encode(texts))
    assert len(scraped.shards(EMBEDDINGS)) == 3


@pytest.mark.usefixtures("encoder")
def test_the_words_of_the_taxonomy_are_encoded_beside_the_labels(
    config: EmbedConfig, scraped: Workspace
) -> None:
    run_embed(scraped, config)
    rows = scraped.read(WORDS).to_pylist()
    assert [row["phrase"] for row in rows] == list(PHRASES)
    by_phrase = {row["phrase"]: row for row in rows}
    waterfall = by_phrase["waterfall"]
    assert waterfall["text"] == "A picture of a waterfall"
    assert waterfall["hierarchical_label"] == "cascade"
    assert (waterfall["kind"], waterfall["natural_or_human_made"]) == ("alias", "natural")
    labels = {row["text"]: row["embedding"] for row in scraped.read(EMBEDDINGS).to_pylist()}
    assert labels[waterfall["text"]] == waterfall["embedding"]


def test_a_second_run_is_skipped(
    config: EmbedConfig, scraped: Workspace, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, config)
    encoder.encoded.clear()
    assert run_embed(scraped, config).skipped
    assert not encoder.encoded


@pytest.mark.usefixtures("encoder")
def test_another_label_changes_the_digests(config: EmbedConfig, scraped: Workspace) -> None:
    run_embed(scraped, config)
    before = digests(scraped)
    write_scrape(scraped, class_rows(SCRAPED | {("index", 8): [("Q12280", "bridge")]}))
    assert not run_embed(scraped, config).skipped
    after = digests(scraped)
    assert after[EMBEDDINGS.path] != before[EMBEDDINGS.path]
    assert after[WORDS.path] == before[WORDS.path]


@pytest.mark.usefixtures("encoder")
def test_fewer_classes_leave_no_shard_of_the_old_ones(
    config: EmbedConfig, scraped: Workspace
) -> None:
    run_embed(scraped, config)
    write_scrape(scraped, class_rows({("train", 2): [("Q16970", "church building")]}))
    run_embed(scraped, config)
    assert scraped.read(EMBEDDINGS)["class_qid"].to_pylist() == ["Q16970"]
    assert len(scraped.shards(EMBEDDINGS)) == 1


def test_no_class_gives_no_rows_and_no_error(
    config: EmbedConfig, workspace: Workspace, encoder: TrigramEncoder
) -> None:
    write_scrape(workspace, table_of(CLASSES, []))
    run_embed(workspace, config)
    assert len(workspace.read(LABELS)) == len(workspace.read(EMBEDDINGS)) == 0
    assert len(encoder.encoded) == len(PHRASES)


def test_a_build_without_a_scrape_is_told_what_to_run(
    config: EmbedConfig, workspace: Workspace
) -> None:
    with pytest.raises(MissingInputError, match="hgld scrape"):
        run_embed(workspace, config)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"prompt": "a photo"}, "prompt"),
        ({"prompt": "{label} \udcff"}, "prompt"),
        ({"prompt": "{label}\0"}, "prompt"),
        ({"encoder": "word2vec"}, "encoder"),
    ],
)
def test_a_setting_that_no_run_could_use_is_named(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        EmbedConfig(**settings)


def test_a_run_stopped_midway_goes_on_and_ends_with_the_same_digests(
    config: EmbedConfig,
    scraped: Workspace,
    encoder: TrigramEncoder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    class Dying(TrigramEncoder):
        calls = 0

        def encode(self, texts: Sequence[str], on_batch: object = None) -> NDArray[np.float32]:
            self.calls += 1
            if self.calls == 3:  # two parts are kept
                raise KeyboardInterrupt
            return super().encode(texts, on_batch)

    with monkeypatch.context() as patch:
        patch.setattr(embed, "load_encoder", lambda _: Dying())
        with pytest.raises(KeyboardInterrupt):
            run_embed(scraped, config)
    assert scraped.manifest("embed") is None
    assert len(list(scraped.path(CACHE_FOLDER).glob("*.parquet"))) == 2

    run_embed(scraped, config)
    assert len(encoder.encoded) == len(LABELS_AND_PHRASES) - 2 * PART

    undisturbed = Workspace(tmp_path / "undisturbed")
    write_scrape(undisturbed, class_rows(SCRAPED))
    run_embed(undisturbed, config)
    assert digests(scraped) == digests(undisturbed)
