"""A CLIP model that names pictures: the text tower encodes names, the image tower pictures.

Threads read and decode pictures; they are encoded landmark by landmark.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.errors import DamagedError, PictureError
from hgld.labels.embedding.encoders import OpenClipEncoder
from hgld.labels.embedding.weights import load_open_clip
from hgld.pictures import PictureFile, decode_picture

if TYPE_CHECKING:
    import torch
    from PIL import Image

PixelNormalisation = Literal["auto", "clip", "inception"]
"""Mean and deviation of the pixels that a model was trained with."""

# A JPEG is decoded at a reduced size, at least twice the final size, which changes pixels by at
# most 3 of 255 (`hgld.training.data.images`).
_SPARE = 2


class Vote(NamedTuple):
    """The name that one picture is nearest to."""

    name: int
    """Index of the name."""
    confidence: float
    """Probability of that name among all names, 0 to 1."""


class Unread(NamedTuple):
    """A picture without a vote."""

    reason: str
    is_changed: bool
    """Whether it differs from its record; fetching it again repairs that."""


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
        """The factor of the cosines before the softmax."""
        return float(self._model.logit_scale.detach().exp())

    @property
    def image_size(self) -> int:
        """Side of the square input, in pixels."""
        size = self._model.visual.image_size
        return int(size if isinstance(size, int) else max(size))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encodes texts; see `TextEncoder.encode`."""
        return self._texts.encode(texts)

    def prepare(self, image: "Image.Image") -> "torch.Tensor":
        """Turns upright RGB into the input of `encode_pictures`; called from several threads."""
        return self._transform(image)

    def encode_pictures(self, prepared: Sequence["torch.Tensor"]) -> NDArray[np.float32]:
        """Returns float32 (B, D), rows of unit norm in the order of B > 0 pictures."""
        import torch

        device = next(self._model.parameters()).device
        with torch.inference_mode():
            batch = torch.stack(list(prepared)).to(device)
            vectors = self._model.encode_image(batch, normalize=True).float().cpu().numpy()
        return np.asarray(vectors, dtype=np.float32)


def load_clip(model: str, weights: str, normalisation: PixelNormalisation = "auto") -> ClipModel:
    """Loads both towers of a CLIP model, on the GPU if there is one.

    Args:
        model: see `load_open_clip`.
        weights: see `load_open_clip`.
        normalisation: `auto`: that of the tag; for a file, `clip`. The weights do not say how
            pixels were normalised, and unlike most, ViT-L-14 / laion2b_s32b_b82k uses `inception`
            (mean and deviation 1/2).

    Raises:
        MissingInputError: the extra `cluster` is not installed.
        InputError: no such model or weights, or the weights do not fit the model or are damaged.
        FetchError: the weights cannot be fetched.
    """
    texts = load_open_clip(model, weights)
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict

    # The model was loaded by its file, so open_clip does not know the tag.
    of_tag = open_clip.get_pretrained_cfg(model, weights) if normalisation == "auto" else {}
    known = merge_preprocess_dict(texts.model.visual.preprocess_cfg, of_tag or {})
    if normalisation == "inception":
        known |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return ClipModel(texts, image_transform_v2(PreprocessCfg(**known), is_train=False))


def votes_of_landmarks(
    model: ClipModel,
    names: NDArray[np.float32],
    landmarks: Iterable[Sequence[PictureFile]],
    threads: Executor,
) -> Iterator[list[Vote | Unread]]:
    """Lets each picture vote for the name that it is nearest to.

    The confidence of a vote is the softmax over all names, p_i = exp(s x_i) / sum_j exp(s x_j), of
    the cosines x between picture and names times CLIP's logit scale s. Of equally near names, the
    first gets the vote.

    A batch is the pictures of one landmark: the last bits of a vector depend on its batch, so this
    way a landmark's votes depend only on its own pictures. Memory holds two batches.

    Args:
        model: encodes the pictures.
        names: float32 (N, D), unit norm.
        landmarks: the pictures of each, few enough for a batch.
        threads: read and decode one batch ahead.

    Yields:
        For each landmark, one vote per picture, or why a picture cannot be read.
    """
    coming = (threads.map(functools.partial(_prepare, model), one) for one in landmarks)
    for waiting, _ in itertools.pairwise(itertools.chain(coming, [None])):
        prepared = list(waiting or ())
        votes = iter(_votes(model, names, [one for one in prepared if not isinstance(one, Unread)]))
        yield [one if isinstance(one, Unread) else next(votes) for one in prepared]


def _prepare(model: ClipModel, picture: PictureFile) -> "torch.Tensor | Unread":
    try:
        image = decode_picture(picture.read(), min_side=_SPARE * model.image_size)
    except DamagedError as error:
        return Unread(str(error), is_changed=True)
    except PictureError as error:
        return Unread(f"{picture} {error}", is_changed=False)
    return model.prepare(image)


def _votes(
    model: ClipModel, names: NDArray[np.float32], prepared: Sequence["torch.Tensor"]
) -> list[Vote]:
    if not prepared:
        return []
    vectors = model.encode_pictures(prepared).astype(np.float64)  # (B, D)
    logits = model.logit_scale * (vectors @ names.T.astype(np.float64))  # (B, N)
    nearest = logits.argmax(axis=1)
    # Minus the largest, so that no exponent is above 0; the nearest name's term is 1.
    confidence = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return [Vote(int(name), float(sure)) for name, sure in zip(nearest, confidence, strict=True)]
