import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.labels.looks.clip import Unread, Vote, votes_of_landmarks
from hgld.pictures import PictureFile
from tests.worlds.unlabelled import ColourModel, file_row

if TYPE_CHECKING:
    import torch

TEXTS = [f"A picture of a {name}" for name in ("church", "lake", "ocean area")]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def pictures_of(workspace: Workspace, letters: str) -> list[PictureFile]:
    files = []
    for number, letter in enumerate(letters):
        row: dict[str, Any] = file_row(workspace, "train", f"{number:05d}", letter)
        path = workspace.path(row["path"])
        files.append(
            PictureFile(
                path=path, size_bytes=row["size_bytes"], sha256=row["sha256"], mend="fetch it"
            )
        )
    return files


def look(
    model: ColourModel, landmarks: Sequence[Sequence[PictureFile]], threads: Executor
) -> list[list[Vote | Unread]]:
    stand_in: Any = model
    return list(votes_of_landmarks(stand_in, model.encode(TEXTS), landmarks, threads))


def test_a_picture_votes_by_softmax(workspace: Workspace, threads: ThreadPoolExecutor) -> None:
    pictures = pictures_of(workspace, "rgby")
    for scale, sure in ((math.log(6), 6 / 8), (math.log(98), 98 / 100), (100.0, 1.0)):
        (votes,) = look(ColourModel(scale), [pictures], threads)
        assert [vote.name for vote in votes if isinstance(vote, Vote)] == [0, 1, 2, 0]
        plain = [vote.confidence for vote in votes[:3] if isinstance(vote, Vote)]
        assert plain == pytest.approx([sure] * 3, rel=1e-5)
    # Yellow is as near to church as to lake, and the first of the two gets its vote.
    assert isinstance(votes[3], Vote)
    assert votes[3].confidence == pytest.approx(0.5)


def test_landmarks_keep_their_votes(workspace: Workspace, threads: ThreadPoolExecutor) -> None:
    pictures = pictures_of(workspace, "rg" * 35 + "b")
    model = ColourModel(3.0)
    parts = [pictures[:0], pictures[:60], pictures[60:70], pictures[70:], pictures[:0]]
    found = look(model, parts, threads)
    assert [len(votes) for votes in found] == [0, 60, 10, 1, 0]
    names = [[vote.name for vote in votes if isinstance(vote, Vote)] for votes in found]
    assert names == [[], [0, 1] * 30, [0, 1] * 5, [2], []]
    assert model.batches == [60, 10, 1]


class AtOnce(Executor):
    """Prepares everything that it is given before anybody asks for it."""

    def submit(
        self, call: Callable[..., Any], /, *args: object, **options: object
    ) -> "Future[Any]":
        done = Future[Any]()
        done.set_result(call(*args, **options))
        return done


def test_no_more_than_two_batches_are_held_at_a_time(workspace: Workspace) -> None:
    class Watched(ColourModel):
        """Knows how many pictures were prepared and not encoded yet."""

        most = 0

        def encode_pictures(self, prepared: Sequence["torch.Tensor"]) -> NDArray[np.float32]:
            self.most = max(self.most, self.prepared - sum(self.batches))
            return super().encode_pictures(prepared)

    model = Watched(3.0)
    picture = pictures_of(workspace, "r")
    look(model, [picture * 40] * 6, AtOnce())
    assert model.prepared == 240
    assert model.most == 80


def test_damaged_pictures_say_why(workspace: Workspace, threads: ThreadPoolExecutor) -> None:
    good, gone = pictures_of(workspace, "rg")
    gone.path.unlink()
    text = workspace.path("images/text.png")
    text.write_bytes(b"no picture")
    digest = hashlib.sha256(b"no picture").hexdigest()
    broken = PictureFile(path=text, size_bytes=10, sha256=digest, mend="fetch it")
    (votes,) = look(ColourModel(3.0), [[broken, good, gone]], threads)
    assert isinstance(votes[0], Unread)
    assert not votes[0].is_changed
    assert str(text) in votes[0].reason
    assert isinstance(votes[1], Vote)
    assert isinstance(votes[2], Unread)
    assert votes[2].is_changed
    assert str(gone.path) in votes[2].reason
    assert "fetch it" in votes[2].reason
