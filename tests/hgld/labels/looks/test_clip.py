import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from hgld.engine.workspace import Workspace
from hgld.labels.looks.clip import ClipModel, load_clip
from hgld.labels.looks.stage import LookConfig, run_look
from hgld.tables import IMAGE_FILES
from tests.worlds.builders import picture_row, table_of, write_metadata, write_stage
from tests.worlds.tiny_clip import TINY
from tests.worlds.unlabelled import picture_votes, write_unlabelled

if TYPE_CHECKING:
    from torch import Tensor

open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
torch = pytest.importorskip("torch", reason="needs `pip install 'hgld[cluster]'`")

NAMES = ["church", "lake", "ocean area"]


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


def grey(clip: ClipModel, value: int) -> "Tensor":
    return clip.prepare(Image.new("RGB", (32, 32), (value, value, value)))


def test_pixels_are_normalised_as_the_settings_say(tiny_weights: Path) -> None:
    inception = grey(load_clip(TINY, str(tiny_weights), "inception"), 255)
    torch.testing.assert_close(inception, torch.ones(3, 32, 32))  # (1 - 1/2) / (1/2)
    for choice in ("auto", "clip"):
        red = grey(load_clip(TINY, str(tiny_weights), choice), 255)[0, 0, 0]
        assert float(red) == pytest.approx((1 - 0.48145466) / 0.26862954, rel=1e-5)


def test_pixels_are_normalised_as_the_tag_of_the_weights_was_trained(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published weights are loaded by their file, which does not tell."""
    known = open_clip.get_pretrained_cfg("ViT-L-14", "laion2b_s32b_b82k")
    assert known["mean"] == (0.5, 0.5, 0.5)
    monkeypatch.setattr("hgld.labels.embedding.weights.find_open_clip", lambda *_: tiny_weights)
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: known)
    torch.testing.assert_close(grey(load_clip(TINY, "a tag"), 255), torch.ones(3, 32, 32))
    red = grey(load_clip(TINY, "a tag", "clip"), 255)[0, 0, 0]
    assert float(red) == pytest.approx((1 - 0.48145466) / 0.26862954, rel=1e-5)


def real_pictures(shared: Path, count: int) -> list[bytes]:
    with tarfile.open(shared / "gldv2_mini/train/images_000.tar") as tar:
        files = (file for member in tar if (file := tar.extractfile(member)) is not None)
        return [next(files).read() for _ in range(count)]


def test_real_pictures_vote_as_plain_clip_would_have_them_vote(
    workspace: Workspace, tiny_weights: Path, shared: Path
) -> None:
    landmarks = [4, 7, 9]
    write_unlabelled(workspace, {("train", number): "" for number in landmarks})
    contents, rows, images = real_pictures(shared, 15), [], []
    for number, content in enumerate(contents):
        path = workspace.path(f"images/train/{number:03d}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows.append(picture_row(workspace, f"{number:03d}", f"images/train/{number:03d}.jpg"))
        images.append(
            {"split": "train", "image_id": f"{number:03d}", "landmark_id": landmarks[number // 5]}
            | {"in_clean": True}
        )
    write_stage(workspace, [(IMAGE_FILES["train"], table_of(IMAGE_FILES["train"], rows))])
    keys = [{"split": "train", "landmark_id": number, "category": ""} for number in landmarks]
    write_metadata(workspace, keys, images)
    run_look(workspace, LookConfig(model=TINY, weights=str(tiny_weights)))

    decoded = [Image.open(io.BytesIO(content)).convert("RGB") for content in contents]
    texts = load_clip(TINY, str(tiny_weights)).encode([f"A picture of a {name}" for name in NAMES])
    logits = plain_features(tiny_weights, decoded) @ texts.T / 0.07
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)  # (15, 3)
    for place, landmark in enumerate(landmarks):
        of_landmark = shares[5 * place : 5 * place + 5]
        votes = np.bincount(of_landmark.argmax(axis=1), minlength=3)
        row = picture_votes(workspace)["train", landmark]
        assert row["pictures"] == 5
        assert row["share"] == pytest.approx(votes.max() / 5)
        front = NAMES.index(row["evidence"].partition(":")[0].strip())
        assert votes[front] == votes.max()
        sure = of_landmark[of_landmark.argmax(axis=1) == front, front].mean()
        assert row["confidence"] == pytest.approx(sure, abs=1e-3)
