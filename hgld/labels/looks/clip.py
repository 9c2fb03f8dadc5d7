"""A CLIP model that names pictures: its text tower makes the names, its image tower the pictures.

Pictures are read and decoded by threads, and encoded landmark by landmark.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Literal

from hgld.errors import DamagedError, PictureError
from hgld.labels.embedding.encoders import OpenClipEncoder
from hgld.labels.embedding.weights import load_open_clip, local_folder
from hgld.labels.looks.voting import Unread, Vote
from hgld.pictures import MOST_PIXELS, PictureFile, decode_picture

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image

PixelNormalisation = Literal["auto", "clip", "inception"]
"""Mean and deviation of the pixels that a model was trained with."""

_BATCH = 64

# A JPEG is decoded at a reduced size that is at least twice what it is resized to, which changes
# pixels by no more than 3 of 255 (`hgld.training.data.images`).
_SPARE = 2


class ClipModel:
    """Both towers of an open_clip model."""

    def __init__(
        self, texts: OpenClipEncoder, transform: Callable[["Image.Image"], "torch.Tensor"]
    ) -> None:
        """Wraps a loaded model; `load_clip` loads one.

        Args:
            texts: its text tower.
            transform: from upright RGB to float32 (3, S, S).
        """
        self._texts = texts
        self._model: Any = texts.model
        self._transform = transform

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied by before the softmax."""
        return float(self._model.logit_scale.detach().exp())

    @property
    def image_size(self) -> int:
        """Side of the square that it sees, in pixels."""
        size = self._model.visual.image_size
        return int(size if isinstance(size, int) else max(size))

    def encode(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """Encodes texts; see `TextEncoder.encode`."""
        return self._texts.encode(texts)

    def prepare(self, image: "Image.Image") -> "torch.Tensor":
        """Makes of upright RGB what `encode_pictures` takes; called from several threads."""
        return self._transform(image)

    def encode_pictures(self, prepared: Sequence["torch.Tensor"]) -> "NDArray[np.float32]":
        """Returns float32 (B, D), rows of unit norm in the order of B > 0 pictures."""
        import numpy as np
        import torch

        device = next(self._model.parameters()).device
        with torch.inference_mode():
            batch = torch.stack(list(prepared)).to(device)
            vectors = self._model.encode_image(batch, normalize=True).float().cpu().numpy()
        return np.asarray(vectors, dtype=np.float32)


def load_clip(model: str, weights: str, normalisation: PixelNormalisation = "auto") -> ClipModel:
    """Loads both towers of a CLIP model, on a GPU where there is one.

    Args:
        model: as `load_open_clip` takes it.
        weights: likewise.
        normalisation: `auto`: that of the tag, and of a file that of `clip`. What pixels were
            normalised with is not in the weights, and ViT-L-14 / laion2b_s32b_b82k has
            `inception` (mean and deviation 1/2), unlike most.

    Raises:
        MissingInputError: the extra `cluster` is not installed.
        InputError: no such model or weights, or weights that do not fit the model or are damaged.
        FetchError: the weights cannot be fetched.
    """
    texts = load_open_clip(model, weights)
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

    # By its file, for which it was loaded by, open_clip knows nothing of the tag.
    is_tag = normalisation == "auto" and not local_folder(model)
    of_tag = open_clip.get_pretrained_cfg(model, weights) if is_tag else {}
    known = merge_preprocess_dict(texts.model.visual.preprocess_cfg, of_tag or {})
    if normalisation == "inception":
        known |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return ClipModel(texts, image_transform_v2(PreprocessCfg(**known), is_train=False))


def votes_of_landmarks(
    model: ClipModel,
    names: "NDArray[np.float32]",
    landmarks: Iterable[Sequence[PictureFile]],
    threads: Executor,
) -> Iterator[list[Vote | Unread]]:
    """Lets each picture vote for the name that it is nearest to.

    The confidence of a vote is the softmax over all names, p_i = exp(s x_i) / sum_j exp(s x_j), of
    the cosines x between picture and names times CLIP's logit scale s. Of equally near names the
    first gets the vote.

    A batch has pictures of one landmark only: the last bits of a vector depend on what it was
    batched with, and so a landmark's votes depend on its own pictures only. Memory holds two
    batches, however many there are.

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
    model: ClipModel, landmarks: Iterable[Sequence[PictureFile]], threads: Executor
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


def _prepare(model: ClipModel, picture: PictureFile) -> "torch.Tensor | Unread":
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
    model: ClipModel, names: "NDArray[np.float32]", prepared: Sequence["torch.Tensor"]
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
