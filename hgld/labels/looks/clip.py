"""A CLIP model that names pictures: its text tower makes the names, its image tower the pictures.

It is loaded as the stage `embed` loads it (`hgld.labels.embedding.checkpoints`).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hgld.engine.manifest import Manifest
from hgld.labels.embedding.checkpoints import find_open_clip, load_open_clip
from hgld.labels.embedding.encoders import OpenClipEncoder, TextEncoder
from hgld.labels.embedding.weights import (
    cached_weights,
    clip_weights_here,
    hub_weights,
    local_folder,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from PIL import Image

PixelNormalisation = Literal["auto", "clip", "inception"]
"""Mean and deviation of the pixels that a model was trained with."""


class PictureModel(TextEncoder, Protocol):
    """Turns texts and pictures into vectors of one space."""

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied by before the softmax."""
        ...

    @property
    def image_size(self) -> int:
        """Side of the square that it sees, in pixels."""
        ...

    def prepare(self, image: "Image.Image") -> "torch.Tensor":
        """Makes of upright RGB what `encode_pictures` takes; called from several threads."""
        ...

    def encode_pictures(self, prepared: Sequence["torch.Tensor"]) -> "NDArray[np.float32]":
        """Returns float32 (B, D), rows of unit norm in the order of B > 0 pictures."""
        ...


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

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = lambda _: None
    ) -> "NDArray[np.float32]":
        """Encodes texts; see `TextEncoder.encode`."""
        return self._texts.encode(texts, on_batch)

    def prepare(self, image: "Image.Image") -> "torch.Tensor":
        """Resizes, crops and normalises a picture, as float32 (3, S, S)."""
        return self._transform(image)

    def encode_pictures(self, prepared: Sequence["torch.Tensor"]) -> "NDArray[np.float32]":
        """Encodes pictures; see `PictureModel.encode_pictures`."""
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
    image_tower: Any = texts.model.visual
    known = merge_preprocess_dict(image_tower.preprocess_cfg, of_tag or {})
    if normalisation == "inception":
        known |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    return ClipModel(texts, image_transform_v2(PreprocessCfg(**known), is_train=False))


def known_weights(model: str, weights: str, done: Manifest | None) -> dict[str, object]:
    """Tells of a model's weights with no library and no network, as far as that goes.

    Args:
        model: as `load_clip` takes it.
        weights: likewise.
        done: what the last run wrote down, which counts where nothing is there to look at.
    """
    here = clip_weights_here(model, weights)
    if here is not None:
        return here
    recorded = done.settings if done else {}
    is_same = (recorded.get("model"), recorded.get("weights")) == (model, weights)
    return cached_weights(recorded) if is_same else {}


def found_weights(model: str, weights: str) -> dict[str, object]:
    """Tells of a model's weights, fetched where they are not here; raises what `load_clip` does."""
    here = clip_weights_here(model, weights)
    return here if here is not None else hub_weights(find_open_clip(model, weights))
