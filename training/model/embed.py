"""Embedding pictures with a model: files or pictures in, unit vectors out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hgld.engine.progress import progress
from hgld.training.data.images import AnyImage, EvalImages
from hgld.training.data.loading import load_batches
from hgld.training.model.config import Precision, require_whole_number
from hgld.training.model.devices import autocast, choose_device, enough_memory, place_model
from hgld.training.model.embedding import EmbeddingModel


def embed_images(  # noqa: PLR0913 - each is a choice of the user's own, all but two have a default
    model: EmbeddingModel,
    images: Sequence[AnyImage],
    *,
    image_size: int | None = None,
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
        batch_size: images at a time.
        precision: of the forward pass.
        workers: processes that read images, at most one a core; 0: this process itself.
        device: such as `cpu` or `cuda:0`; `auto`: the first GPU where there is one.

    Returns:
        (N, D) float32 on the CPU, unit norm; (0, D) where there are no images.

    Raises:
        TypeError: the model is none, or an image is neither a path nor a PIL image.
        ValueError: a size, a number of workers or a precision that cannot be.
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
    """
    if not isinstance(model, EmbeddingModel):
        raise TypeError(
            f"model must be an EmbeddingModel, got {type(model).__name__}; hgld.load_model(path) "
            f"reads one"
        )
    size = model.config.image_size if image_size is None else image_size
    require_whole_number("image_size", size)
    require_whole_number("batch_size", batch_size)
    require_whole_number("workers", workers, or_zero=True)
    if size != model.config.image_size and model.config.pooling == "backbone":
        raise ValueError(
            f"the model pools in its backbone, which takes images of {model.config.image_size} px "
            f"alone, got image_size {size}; leave image_size out"
        )
    dataset = EvalImages(images, size)
    place = choose_device(device)
    at_precision = autocast(place, precision)
    start = 0
    with (
        torch.inference_mode(),
        enough_memory(place, batch_size, size),
        progress("embed images", len(dataset)) as advance,
    ):
        place_model(model, place).eval()
        embeddings = torch.empty(len(dataset), model.embedding_dim)
        for pixels in load_batches(dataset, batch_size=batch_size, workers=workers):
            with at_precision:
                batch = model(pixels.to(place))
            embeddings[start : start + len(batch)] = batch.cpu()
            start += len(batch)
            advance(len(batch))
    return embeddings
