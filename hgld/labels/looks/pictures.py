"""What each picture is nearest to: read and decoded by threads, encoded landmark by landmark."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from hgld.errors import DamagedError, PictureError
from hgld.labels.looks.clip import PictureModel
from hgld.labels.looks.voting import Unread, Vote
from hgld.pictures import MOST_PIXELS, PictureFile, decode_picture

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

_BATCH = 64

# A JPEG is decoded at a reduced size that is at least twice what it is resized to, which changes
# pixels by no more than 3 of 255 (`hgld.training.data.images`).
_SPARE = 2


def votes_of_landmarks(
    model: PictureModel,
    names: "NDArray[np.float32]",
    landmarks: Iterable[Sequence[PictureFile]],
    threads: Executor,
) -> Iterator[list[Vote | Unread]]:
    """Lets each picture vote for the name that it is nearest to.

    The confidence of a vote is the softmax over all names, p_i = exp(s x_i) / sum_j exp(s x_j), of
    the cosines x between picture and names times CLIP's logit scale s. Of equally near names the
    first gets the vote.

    No batch is of two landmarks: the last bits of a vector depend on what it was batched with, and
    so a landmark's votes on its own pictures alone. Memory holds two batches, however many there
    are.

    Args:
        model: encodes the pictures.
        names: float32 (N, D), unit norm.
        landmarks: the pictures of each.
        threads: read and decode, a batch ahead.

    Yields:
        For each landmark as many votes as it has pictures; one that is damaged says why it is.
    """
    votes: list[Vote | Unread] = []
    for prepared, is_last in _prepared(model, landmarks, threads):
        seen = [one for one in prepared if not isinstance(one, Unread)]
        new = iter(_votes(model, names, seen))
        votes += [one if isinstance(one, Unread) else next(new) for one in prepared]
        if is_last:
            yield votes
            votes = []


def _prepared(
    model: PictureModel, landmarks: Iterable[Sequence[PictureFile]], threads: Executor
) -> Iterator[tuple[list["torch.Tensor | Unread"], bool]]:
    """Yields what `_batches` does, prepared; while one is used, the next one is made ready."""
    waiting = None
    for batch, is_last in _batches(landmarks):
        coming = threads.map(lambda picture: _prepare(model, picture), batch), is_last
        if waiting is not None:
            yield list(waiting[0]), waiting[1]
        waiting = coming
    if waiting is not None:
        yield list(waiting[0]), waiting[1]


def _batches(
    landmarks: Iterable[Sequence[PictureFile]],
) -> Iterator[tuple[Sequence[PictureFile], bool]]:
    """Yields the batches of each landmark, one or more, and whether it is the landmark's last."""
    for pictures in landmarks:
        starts = range(0, max(len(pictures), 1), _BATCH)
        for start in starts:
            yield pictures[start : start + _BATCH], start == starts[-1]


def _prepare(model: PictureModel, picture: PictureFile) -> "torch.Tensor | Unread":
    try:
        # Of so many pixels as [images] max_pixels let pass, since these are the same bytes.
        image = decode_picture(
            picture.read(), max_pixels=MOST_PIXELS, min_side=_SPARE * model.image_size
        )
    except DamagedError as error:
        return Unread(str(error), is_changed=True)
    except PictureError as error:
        return Unread(f"{picture} {error}", is_changed=False)
    return model.prepare(image)


def _votes(
    model: PictureModel, names: "NDArray[np.float32]", prepared: Sequence["torch.Tensor"]
) -> list[Vote]:
    import numpy as np

    if not prepared:
        return []
    vectors = model.encode_pictures(prepared).astype(np.float64)  # (B, D)
    logits = model.logit_scale * (vectors @ names.T.astype(np.float64))  # (B, N)
    nearest = logits.argmax(axis=1)
    # Less the largest, so that no exponent is above 0: the nearest name's own is 1.
    confidence = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return [Vote(int(name), float(sure)) for name, sure in zip(nearest, confidence, strict=True)]
