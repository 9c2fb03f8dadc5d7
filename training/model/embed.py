"""Embedding pictures with a model: files or pictures in, unit vectors out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hgld.engine.progress import progress
from hgld.training.data.images import AnyImage, EvalImages
from hgld.training.data.loading import load_batches
from hgld.training.model.config import Precision, require_scales, require_whole_number
from hgld.training.model.devices import (
    autocast,
    choose_device,
    enough_memory,
    kept_memory,
    place_model,
)
from hgld.training.model.embedding import EmbeddingModel


def embed_images(  # noqa: PLR0913 - each is a choice of the user's own, all but two have a default
    model: EmbeddingModel,
    images: Sequence[AnyImage],
    *,
    image_size: int | None = None,
    scales: Sequence[float] | None = None,
    batch_size: int = 64,
    precision: Precision = "float32",
    workers: int = 0,
    device: str = "auto",
) -> Tensor:
    """Embeds images, in their order: unit vectors, the nearer the likelier of one landmark.

    Args:
        model: from `load_model`; left in evaluation mode on the device.
        images: N paths of image files or PIL images, or files of a build. Of each, turned upright
            as its EXIF data say, the middle square is used. A large JPEG is decoded at a reduced
            size, which an image of PIL's is not: the two may differ by rounding.
        image_size: side of the square the model sees, in pixels; None: what it was trained with.
        scales: sizes at which each image is seen, as multiples of `image_size`; its vector is the
            sum of the unit vectors of all, of unit norm again. The picture of another scale is
            made of that at scale 1, bilinearly and antialiased. (0.7071, 1, 1.4142) is usual.
            None: the model's own.
        batch_size: images at a time.
        precision: of the forward pass.
        workers: processes that read images, at most one a core; 0: this process itself.
        device: such as `cpu` or `cuda:0`; `auto`: the first GPU where there is one.

    Returns:
        (N, D) float32 on the CPU, unit norm; (0, D) where there are no images.

    Raises:
        TypeError: the model is none, or an image is neither a path nor a PIL image.
        ValueError: a size, a scale, a number of workers or a precision that cannot be.
        InputError: an image cannot be read, there is no such device or not enough memory on it,
            or a process that reads images was killed.

    Example:
        >>> from PIL import Image
        >>> from hgld.training.model.config import ModelConfig
        >>> from hgld.training.model.embedding import build_model
        >>> config = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
        >>> photos = [Image.new("RGB", (60, 40), colour) for colour in ("red", "green", "red")]
        >>> embeddings = embed_images(build_model(config), photos, device="cpu")
        >>> embeddings.shape
        torch.Size([3, 96])
        >>> round(float(embeddings[0] @ embeddings[2]), 4)  # cosine of one red with the other
        1.0

    Source: several scales, Radenovic, Tolias, Chum, Fine-tuning CNN Image Retrieval with No Human
        Annotation, TPAMI 2019. Of the two conventions in their code this is the mean over scales,
        and not the generalised mean with the exponent of the pooling.
    """
    if not isinstance(model, EmbeddingModel):
        raise TypeError(
            f"model must be an EmbeddingModel, got {type(model).__name__}; hgld.load_model(path) "
            f"reads one"
        )
    size = model.image_size if image_size is None else image_size
    require_whole_number("image_size", size)
    require_whole_number("batch_size", batch_size)
    require_whole_number("workers", workers, or_zero=True)
    largest = _largest_size(model, size, model.config.scales if scales is None else scales)
    dataset = EvalImages(images, size, model.config.crop_pct)
    place = choose_device(device)
    at_precision = autocast(place, precision)
    start = 0
    with (
        torch.inference_mode(),
        enough_memory(place, batch_size, largest),
        kept_memory(place),
        progress("embed images", len(dataset)) as advance,
    ):
        place_model(model, place).eval()
        embeddings = torch.empty(len(dataset), model.embedding_dim)
        for pixels in load_batches(dataset, batch_size=batch_size, workers=workers):
            with at_precision:
                seen = pixels.to(place)
                batch = model(seen) if scales is None else model.at_scales(seen, scales)
            embeddings[start : start + len(batch)] = batch.cpu()
            start += len(batch)
            advance(len(batch))
    return embeddings


def _largest_size(model: EmbeddingModel, size: int, scales: Sequence[float]) -> int:
    """Returns the side of the images at the largest scale, in pixels.

    Raises:
        ValueError: no scale, one that is no positive number or leaves no pixel, or several and the
            model takes images of one size alone.
    """
    require_scales(scales, size)
    sizes = [round(size * scale) for scale in scales]
    other = next((one for one in (size, *sizes) if one != model.image_size), None)
    if other is not None and not model.takes_any_size:
        raise ValueError(
            f"the model takes images of {model.image_size} px alone, got image_size {other}; leave "
            f"image_size and scales out"
        )
    return max(sizes)
