import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hgld.engine.workspace import Workspace
from hgld.labels.looks.clip import ClipModel, Unread, Vote, load_clip, votes_of_landmarks
from hgld.pictures import PictureFile
from tests.worlds.tiny_clip import TINY
from tests.worlds.unlabelled import ColourModel, file_row

open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
torch = pytest.importorskip("torch", reason="needs `pip install 'hgld[cluster]'`")

TEXTS = [f"A picture of a {name}" for name in ("church", "lake", "ocean area")]


@pytest.fixture
def clip(tiny_weights: Path) -> ClipModel:
    return load_clip(TINY, str(tiny_weights))


def test_pictures_are_encoded_as_open_clip_does(clip: ClipModel, tiny_weights: Path) -> None:
    random = np.random.default_rng(0)
    sizes = [(40, 60, 3), (90, 33, 3), (32, 32, 3)]
    images = [Image.fromarray(random.integers(0, 256, size, np.uint8)) for size in sizes]
    vectors = clip.encode_pictures([clip.prepare(image) for image in images])
    assert vectors.dtype == np.float32
    # Open_clip's own way, one picture at a time.
    model, _, transform = open_clip.create_model_and_transforms(
        TINY, pretrained=str(tiny_weights), require_pretrained=True
    )
    with torch.inference_mode():
        rows = [model.eval().encode_image(transform(one)[None], normalize=True) for one in images]
    expected = np.asarray(torch.cat(rows).numpy())
    assert (expected @ expected.T)[~np.eye(3, dtype=bool)].max() < 0.999  # they differ
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_pixels_are_normalised_as_the_settings_say_or_the_tag_of_the_weights_was_trained(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def white(weights: str, choice: Any) -> float:  # noqa: ANN401 - its name
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


# Votes

Painted = Callable[[str], list[PictureFile]]


def picture_file(path: Path) -> PictureFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return PictureFile(path=path, size_bytes=len(content), sha256=digest, mend="fetch it")


class AtOnce(Executor):
    """Prepares everything that it is given before anybody asks for it."""

    def map(self, fn: Any, *given: Any, **_: Any) -> Iterator[Any]:  # noqa: ANN401
        return iter([*map(fn, *given)])


def look(model: Any, *landmarks: list[PictureFile]) -> list[list[Any]]:  # noqa: ANN401
    return list(votes_of_landmarks(model, model.encode(TEXTS), landmarks, AtOnce()))


@pytest.fixture
def painted(workspace: Workspace) -> Painted:
    """Paints a picture of a plain colour for each letter."""

    def paint(letters: str) -> list[PictureFile]:
        rows = [
            file_row(workspace, "train", f"{n:05d}", letter) for n, letter in enumerate(letters)
        ]
        return [picture_file(workspace.path(str(row["path"]))) for row in rows]

    return paint


def test_a_picture_votes_by_softmax(painted: Painted) -> None:
    for scale, sure in ((math.log(6), 6 / 8), (math.log(98), 98 / 100), (100.0, 1.0)):
        (votes,) = look(ColourModel(scale), painted("rgby"))
        # Yellow is as near to church as to lake, and the first of the two gets its vote.
        assert [vote.name for vote in votes] == [0, 1, 2, 0]
        assert [vote.confidence for vote in votes[:3]] == pytest.approx([sure] * 3, rel=1e-5)
    assert votes[3].confidence == pytest.approx(0.5)


def test_landmarks_keep_their_votes_and_no_more_than_two_are_held(painted: Painted) -> None:
    class Watched(ColourModel):
        """Knows how many pictures were prepared and not encoded yet."""

        most = 0

        def encode_pictures(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
            self.most = max(self.most, self.prepared - sum(self.batches))
            return super().encode_pictures(prepared)

    pictures, model = painted("rg" * 35 + "b"), Watched(3.0)
    parts = (pictures[:0], pictures[:60], pictures[60:70], pictures[70:], pictures[:0])
    found = look(model, *parts)
    names = [[vote.name for vote in votes] for votes in found]
    assert names == [[], [0, 1] * 30, [0, 1] * 5, [2], []]
    assert (model.batches, model.most) == ([60, 10, 1], 70)


def test_damaged_pictures_say_why(painted: Painted, tmp_path: Path) -> None:
    good, gone = painted("rg")
    gone.path.unlink()
    text = tmp_path / "text.png"
    text.write_bytes(b"no picture")
    ((broken, vote, changed),) = look(ColourModel(3.0), [picture_file(text), good, gone])
    assert isinstance(vote, Vote)
    for one, is_changed, words in (
        (broken, False, [text]),
        (changed, True, [gone.path, "fetch it"]),
    ):
        assert isinstance(one, Unread)
        assert one.is_changed == is_changed
        assert all(str(word) in one.reason for word in words)
