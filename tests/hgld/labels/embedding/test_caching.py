"""What a run of the stage encodes, given the runs before it; and that the digests do not tell."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding.cache import CACHE_FOLDER
from hgld.labels.embedding.stage import EmbedConfig, run_embed
from hgld.tables import EMBEDDINGS, WORDS
from tests.worlds.builders import TrigramEncoder, class_rows, write_scrape
from tests.worlds.taxonomies import PHRASES, write_taxonomy
from tests.worlds.tiny_clip import tiny_config

LABELS = [("Q16970", "church building"), ("Q12280", "bridge"), ("Q9", "national park")]
MORE = [*LABELS, ("Q10", "national park"), ("Q34442", "road"), ("Q39715", "lighthouse")]


@pytest.fixture
def config(tmp_path: Path) -> EmbedConfig:
    taxonomy = write_taxonomy(tmp_path / "taxonomy")
    return EmbedConfig(encoder="minilm", prompt="{label}", taxonomy=taxonomy)


@pytest.fixture
def scraped(workspace: Workspace) -> Workspace:
    write_scrape(workspace, class_rows({("train", 1): LABELS}))
    return workspace


def test_a_new_label_alone_is_encoded(
    scraped: Workspace, config: EmbedConfig, encoder: TrigramEncoder
) -> None:
    run_embed(scraped, config)
    encoder.encoded.clear()
    write_scrape(scraped, class_rows({("train", 1): MORE}))
    run_embed(scraped, config)
    assert sorted(encoder.encoded) == ["lighthouse", "road"]
    assert len(scraped.read(EMBEDDINGS)) == 6


def test_a_changed_prompt_and_back_costs_nothing(
    scraped: Workspace, config: EmbedConfig, encoder: TrigramEncoder
) -> None:
    first = run_embed(scraped, config).manifest.outputs
    run_embed(scraped, replace(config, prompt="a photo of {label}"))
    assert "a photo of bridge" in encoder.encoded
    encoder.encoded.clear()
    again = run_embed(scraped, config)
    assert not again.skipped
    assert again.manifest.outputs == first
    assert not encoder.encoded


def test_with_all_vectors_kept_no_encoder_is_loaded(
    scraped: Workspace,
    config: EmbedConfig,
    encoder: TrigramEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = run_embed(scraped, config).manifest.outputs
    assert encoder.encoded

    def refuse(_: EmbedConfig) -> TrigramEncoder:
        raise AssertionError("there is nothing to encode")

    monkeypatch.setattr(embed, "load_encoder", refuse)
    scraped.shards(EMBEDDINGS)[0].unlink()
    again = run_embed(scraped, config)
    assert not again.skipped
    assert again.manifest.outputs == first


def test_other_weights_or_another_model_encode_again_and_another_place_does_not(
    scraped: Workspace, config: EmbedConfig, encoder: TrigramEncoder, tmp_path: Path
) -> None:
    weights = tmp_path / "a.pt"
    weights.write_bytes(b"first")
    config = replace(config, encoder="open_clip", weights=str(weights))
    everything = len(LABELS) + len(PHRASES)

    def encoded(changed: EmbedConfig) -> int:
        encoder.encoded.clear()
        assert not run_embed(scraped, changed).skipped
        return len(encoder.encoded)

    assert encoded(config) == everything
    assert encoded(replace(config, model="ViT-B-32")) == everything
    shutil.copy(weights, tmp_path / "b.pt")
    assert encoded(replace(config, weights=str(tmp_path / "b.pt"))) == 0
    weights.write_bytes(b"second")
    assert encoded(config) == everything


def test_a_model_folder_is_known_by_what_is_in_it(
    scraped: Workspace, config: EmbedConfig, tmp_path: Path
) -> None:
    open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
    import torch

    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": tiny_config()}))
    torch.save(open_clip.CLIP(**tiny_config()).state_dict(), folder / "model.pth")
    config = replace(config, encoder="open_clip", model=f"local-dir:{folder}")
    first = run_embed(scraped, config).manifest.outputs
    assert run_embed(scraped, config).skipped
    kept = list(scraped.path(CACHE_FOLDER).iterdir())
    folder.rename(tmp_path / "second")
    moved = run_embed(scraped, replace(config, model=f"local-dir:{tmp_path / 'second'}"))
    assert not moved.skipped
    assert moved.manifest.outputs == first
    assert list(scraped.path(CACHE_FOLDER).iterdir()) == kept


def test_damaged_vectors_are_encoded_again(
    scraped: Workspace,
    config: EmbedConfig,
    encoder: TrigramEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embed, "PART", 4)
    first = run_embed(scraped, config).manifest.outputs
    paths = sorted(scraped.path(CACHE_FOLDER).iterdir())
    assert len(paths) == 3  # nine labels and phrases
    data = bytearray(paths[0].read_bytes())
    data[len(data) // 2] ^= 4
    paths[0].write_bytes(data)
    encoder.encoded.clear()
    scraped.shards(EMBEDDINGS)[0].unlink()
    again = run_embed(scraped, config)
    assert again.manifest.outputs == first
    assert 1 <= len(encoder.encoded) <= 4
    assert sorted(scraped.path(CACHE_FOLDER).iterdir()) == paths


def test_an_encoder_that_gives_no_unit_vectors_is_refused_and_nothing_is_kept(
    scraped: Workspace, config: EmbedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Damaged(TrigramEncoder):
        def encode(self, texts: Sequence[str], on_batch: object = None) -> NDArray[np.float32]:
            vectors = super().encode(texts, on_batch)
            vectors[1] = np.nan
            return vectors

    monkeypatch.setattr(embed, "load_encoder", lambda _: Damaged())
    with pytest.raises(InputError, match="bridge"):
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
    assert encoder.encoded == ["viaduct"]
    assert report.manifest.settings["taxonomy"] != first.settings["taxonomy"]
    phrases = scraped.read(WORDS)["phrase"].to_pylist()
    assert phrases == ["cascade", "mere / tarn", "span", "viaduct"]
