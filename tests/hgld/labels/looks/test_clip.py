import hashlib
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hgld.labels.looks.clip import (
    ClipModel,
    PixelNormalisation,
    Vote,
    load_clip,
    votes_of_landmarks,
)
from hgld.pictures import PictureFile
from tests.worlds.tiny_clip import TINY

open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
torch = pytest.importorskip("torch", reason="needs `pip install 'hgld[cluster]'`")


@pytest.fixture
def clip(tiny_weights: Path) -> ClipModel:
    return load_clip(TINY, str(tiny_weights))


def noise(seed: int, size: tuple[int, int] = (40, 60)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype("uint8")
    return Image.fromarray(pixels)


def plain_features(weights: Path, images: list[Image.Image]) -> np.ndarray[Any, Any]:
    """What open_clip's own way gives, one picture at a time."""
    model, _, transform = open_clip.create_model_and_transforms(
        TINY, pretrained=str(weights), require_pretrained=True
    )
    with torch.inference_mode():
        rows = [
            model.eval().encode_image(transform(image)[None], normalize=True) for image in images
        ]
    return np.asarray(torch.cat(rows).numpy())


def test_pictures_are_encoded_as_open_clip_does(clip: ClipModel, tiny_weights: Path) -> None:
    images = [noise(seed, size) for seed, size in enumerate([(40, 60), (90, 33), (32, 32)])]
    vectors = clip.encode_pictures([clip.prepare(image) for image in images])
    assert vectors.dtype == np.float32
    expected = plain_features(tiny_weights, images)
    assert (expected @ expected.T)[~np.eye(3, dtype=bool)].max() < 0.999  # they differ
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_pixels_are_normalised_as_the_settings_say_or_the_tag_of_the_weights_was_trained(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def white(weights: str, choice: PixelNormalisation) -> float:
        image = Image.new("RGB", (32, 32), (255, 255, 255))
        return float(load_clip(TINY, weights, choice).prepare(image)[0, 0, 0])

    of_clip = pytest.approx((1 - 0.48145466) / 0.26862954, rel=1e-5)
    file = str(tiny_weights)
    assert white(file, "inception") == 1  # (1 - 1/2) / (1/2)
    assert white(file, "auto") == white(file, "clip") == of_clip
    # The published weights are loaded by their file, which does not tell.
    known = open_clip.get_pretrained_cfg("ViT-L-14", "laion2b_s32b_b82k")
    assert known["mean"] == (0.5, 0.5, 0.5)
    monkeypatch.setattr("hgld.labels.embedding.weights.find_open_clip", lambda *_: tiny_weights)
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: known)
    assert white("a tag", "auto") == 1
    assert white("a tag", "clip") == of_clip


def test_real_pictures_vote_as_plain_clip_would_have_them_vote(
    clip: ClipModel, tiny_weights: Path, shared: Path, tmp_path: Path
) -> None:
    """They are decoded at a reduced size, which changes little."""
    files = []
    with tarfile.open(shared / "gldv2_mini/train/images_000.tar") as tar:
        for member in tar.getmembers()[:15]:
            content = tar.extractfile(member)
            assert content is not None
            path = tmp_path / Path(member.name).name
            path.write_bytes(data := content.read())
            digest = hashlib.sha256(data).hexdigest()
            files.append(PictureFile(path=path, size_bytes=len(data), sha256=digest, mend="fetch"))
    texts = clip.encode([f"A picture of a {name}" for name in ("church", "lake", "ocean area")])
    with ThreadPoolExecutor(2) as threads:
        (votes,) = votes_of_landmarks(clip, texts, [files], threads)
    decoded = [Image.open(file.path).convert("RGB") for file in files]
    logits = plain_features(tiny_weights, decoded) @ texts.T / 0.07
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)  # (15, 3)
    for vote, share in zip(votes, shares, strict=True):
        assert isinstance(vote, Vote)
        assert share[vote.name] == pytest.approx(share.max(), abs=1e-3)
        assert vote.confidence == pytest.approx(share[vote.name], abs=1e-3)
