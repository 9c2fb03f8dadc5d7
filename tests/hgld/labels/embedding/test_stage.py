import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.labels.embedding.stage import EXAMPLE_WORDS, EmbedConfig, run_embed, unique_classes
from hgld.tables import CLASSES, EMBEDDINGS, EXAMPLES, LABELS
from tests.worlds.builders import TrigramEncoder, class_rows, table_of, write_scrape

CONFIG = EmbedConfig(encoder="minilm", labels_per_shard=3)
WORDS = len(EXAMPLE_WORDS["natural"]) + len(EXAMPLE_WORDS["human-made"])
SCRAPED = {
    ("train", 1): [("Q16970", "church building"), ("Q9", "national park")],
    ("train", 2): [("Q16970", "church building")],
    ("index", 1): [("Q16970", "church building"), ("Q10", "national park")],
    ("index", 7): [("Q34038", "waterfall"), ("Q8502", "mountain"), ("Q23397", "lake")],
    ("index", 8): [("Q12280", "bridge {stone}")],
}


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
    scraped: Workspace, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, CONFIG)
    rows = {row["class_qid"]: row for row in scraped.read(EMBEDDINGS).to_pylist()}
    assert rows["Q9"]["embedding"] == rows["Q10"]["embedding"]
    assert encoder.encoded.count("A picture of a national park") == 2  # and once as an example


def test_vectors_are_those_of_the_prompts_in_the_order_of_the_labels(
    scraped: Workspace, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, CONFIG)
    labels, rows = scraped.read(LABELS), scraped.read(EMBEDDINGS)
    assert rows["class_qid"] == labels["class_qid"]
    texts = [f"A picture of a {label}" for label in labels["class_label"].to_pylist()]
    assert "A picture of a bridge {stone}" in texts
    assert rows["text"].to_pylist() == texts
    vectors = np.array(rows["embedding"].to_pylist(), dtype=np.float32)
    np.testing.assert_array_equal(vectors, encoder.encode(texts))
    assert len(scraped.shards(EMBEDDINGS)) == 3


@pytest.mark.usefixtures("encoder")
def test_the_example_words_are_encoded_beside_the_labels(scraped: Workspace) -> None:
    run_embed(scraped, CONFIG)
    rows = scraped.read(EXAMPLES).to_pylist()
    assert len(rows) == WORDS
    sides = {row["text"]: row["natural_or_human_made"] for row in rows}
    assert sides["A picture of a waterfall"] == "natural"
    assert sides["A picture of a church"] == "human-made"


def test_a_second_run_is_skipped(scraped: Workspace, encoder: TrigramEncoder) -> None:
    run_embed(scraped, CONFIG)
    encoder.encoded.clear()
    assert run_embed(scraped, CONFIG).skipped
    assert not encoder.encoded


def test_another_prompt_encodes_again(scraped: Workspace, encoder: TrigramEncoder) -> None:
    run_embed(scraped, CONFIG)
    encoder.encoded.clear()
    prompt = EmbedConfig(encoder="minilm", labels_per_shard=3, prompt="{label}")
    assert not run_embed(scraped, prompt).skipped
    assert "lake" in encoder.encoded


@pytest.mark.usefixtures("encoder")
def test_another_label_changes_the_digests(scraped: Workspace) -> None:
    run_embed(scraped, CONFIG)
    before = digests(scraped)
    write_scrape(scraped, class_rows(SCRAPED | {("index", 8): [("Q12280", "bridge")]}))
    assert not run_embed(scraped, CONFIG).skipped
    after = digests(scraped)
    assert after[EMBEDDINGS.path] != before[EMBEDDINGS.path]
    assert after[EXAMPLES.path] == before[EXAMPLES.path]


@pytest.mark.usefixtures("encoder")
def test_fewer_classes_leave_no_shard_of_the_old_ones(scraped: Workspace) -> None:
    run_embed(scraped, CONFIG)
    write_scrape(scraped, class_rows({("train", 2): [("Q16970", "church building")]}))
    run_embed(scraped, CONFIG)
    assert scraped.read(EMBEDDINGS)["class_qid"].to_pylist() == ["Q16970"]
    assert len(scraped.shards(EMBEDDINGS)) == 1


def test_no_class_gives_no_rows_and_no_error(workspace: Workspace, encoder: TrigramEncoder) -> None:
    write_scrape(workspace, table_of(CLASSES, []))
    run_embed(workspace, CONFIG)
    assert len(workspace.read(LABELS)) == len(workspace.read(EMBEDDINGS)) == 0
    assert len(encoder.encoded) == WORDS


def test_changed_weights_in_the_same_file_run_again(
    scraped: Workspace, encoder: TrigramEncoder, tmp_path: Path
) -> None:
    weights = tmp_path / "clip.pt"
    weights.write_bytes(b"first")
    config = EmbedConfig(weights=str(weights))
    run_embed(scraped, config)
    assert run_embed(scraped, config).skipped
    weights.write_bytes(b"second")
    assert not run_embed(scraped, config).skipped
    assert len(encoder.encoded) == 2 * (WORDS + 6)  # six different labels


def test_a_build_without_a_scrape_is_told_what_to_run(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match="run `hgld scrape`"):
        run_embed(workspace, CONFIG)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"prompt must contain \{label\}, got 'a photo'"):
        EmbedConfig(prompt="a photo")
    for count in (0, 10**30):
        words = f"labels_per_shard must be from 1 to 1,000,000, got {count}"
        with pytest.raises(ValueError, match=words):
            EmbedConfig(labels_per_shard=count)
    for prompt in ("{label} \udcff", "{label}\0"):
        with pytest.raises(ValueError, match="prompt must be text in Unicode without NUL"):
            EmbedConfig(prompt=prompt)


_KILLED = """
import os, signal, sys
from pathlib import Path
from hgld.labels.embedding import stage as embed
from hgld.engine.workspace import Workspace
from tests.worlds.builders import TrigramEncoder

class Dying(TrigramEncoder):
    calls = 0
    def encode(self, texts, on_batch=None):
        self.calls += 1
        if self.calls == 3:  # the examples and the first shard are done
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(texts, on_batch)

embed.load_encoder = lambda config: Dying()
config = embed.EmbedConfig(encoder="minilm", labels_per_shard=3)
embed.run_embed(Workspace(Path(sys.argv[1])), config)
"""


def test_a_run_killed_midway_goes_on_and_ends_with_the_same_digests(
    scraped: Workspace, encoder: TrigramEncoder, tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parents[4]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(scraped.root)], cwd=root, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(scraped.shards(EMBEDDINGS)) == 1
    assert scraped.manifest("embed") is None

    run_embed(scraped, CONFIG)
    assert len(encoder.encoded) == 4  # of seven classes, three were done

    undisturbed = Workspace(tmp_path / "undisturbed")
    write_scrape(undisturbed, class_rows(SCRAPED))
    run_embed(undisturbed, CONFIG)
    assert digests(scraped) == digests(undisturbed)
