"""The embedding model: a timm backbone, GeM pooling, unit vectors. How it is built, kept, used."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.engine.progress import progress
from hgld.errors import DamagedError, DivergedError, InputError
from hgld.metrics.arguments import check_tensors
from hgld.training.data.images import AnyImage, EvalImages
from hgld.training.data.loading import load_batches
from hgld.training.model.backbone import create_backbone, pretrained_backbone
from hgld.training.model.config import ModelConfig, Precision, require_whole_number
from hgld.training.model.devices import autocast, choose_device, enough_memory, place_model
from hgld.training.model.sealed import first_line, load_sealed, save_sealed

# What content that is not a model's makes of its readers.
_UNFIT = (RuntimeError, LookupError, TypeError, ValueError, AttributeError)
_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def generalised_mean(features: Tensor, *, p: float = 3.0, eps: float = 1e-6) -> Tensor:
    """Pools a feature map to one vector: GeM_c = (mean over positions of max(x_c, eps)^p)^(1/p).

    p = 1 is average pooling, p -> infinity maximum pooling.

    Args:
        features: (B, C, H, W), any float type; computed in at least float32, as x^3 overflows
            float16.
        p: the exponent.
        eps: the smallest value that counts, so that the root has a gradient.

    Returns:
        (B, C) float32, or float64 where the features are.

    Example:
        >>> generalised_mean(torch.tensor([[[[1.0, 2.0]]]]))  # ((1 + 8) / 2)^(1/3)
        tensor([[1.6510]])

    Source: Radenovic, Tolias, Chum, Fine-tuning CNN Image Retrieval with No Human Annotation,
        TPAMI 2019, eq. 3.
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    return features.clamp(min=eps).pow(p).mean(dim=(2, 3)).pow(1 / p)


class EmbeddingModel(nn.Module):
    """From images to unit vectors: normalise, backbone, pooling, optional linear layer."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, backbone: nn.Module, width: int) -> None:
        """Puts a model together; `build_model` and `load_model` are the ways to get one.

        Args:
            config: what it is made of.
            backbone: gives a feature map (B, C, H, W), or (B, C) with its own pooling.
            width: C.
        """
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.projection = nn.Linear(width, config.embedding_dim) if config.embedding_dim else None
        self.embedding_dim = config.embedding_dim or width
        self.batch_norm_is_frozen = False
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.5))

    def forward(self, images: Tensor) -> Tensor:
        """Embeds a batch.

        Args:
            images: (B, 3, S, S) uint8, from 0 to 255. Floating point is refused, as nothing tells
                whether it goes to 1 or to 255, or is normalised already.

        Returns:
            (B, D) float32, unit norm.

        Raises:
            TypeError: images are no tensor, or not uint8.
            ValueError: images are not (B, 3, S, S).
        """
        check_tensors(images=images)
        if images.dtype != torch.uint8:
            raise TypeError(
                f"images must be uint8 from 0 to 255, got {images.dtype}; pixels from 0 to 1 "
                f"become so with (255 * images).round().to(torch.uint8)"
            )
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:  # noqa: PLR2004
            raise ValueError(
                f"images must have shape (B, 3, S, S), got {tuple(images.shape)}; images[None] "
                f"adds a batch dimension, images.permute(0, 3, 1, 2) puts channels first and "
                f"images.expand(-1, 3, -1, -1) repeats a grey one"
            )
        pixels = (images / 255 - self.mean) / self.std
        features = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        pooled = generalised_mean(features) if self.config.pooling == "gem" else features
        if self.projection is not None:
            pooled = self.projection(pooled)
        return functional.normalize(pooled.float(), dim=1)

    def train(self, mode: bool = True) -> "EmbeddingModel":
        """Sets training mode, in which frozen batch normalisation keeps its statistics."""
        super().train(mode)
        if self.batch_norm_is_frozen:
            for module in self.modules():
                if isinstance(module, _BATCH_NORM):
                    module.eval()
        return self


def build_model(config: ModelConfig, *, seed: int = 0) -> EmbeddingModel:
    """Builds a model whose backbone starts from the weights the settings name.

    Args:
        config: what it is made of.
        seed: of what starts at random: a linear layer, and all of it with `random` weights.

    Returns:
        The model, on the CPU, in evaluation mode.

    Raises:
        InputError: unknown backbone, one without a feature map, weights that do not fit or are
            not installed.
        FetchError: the hub cannot be reached.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        backbone, mean, std = pretrained_backbone(config)
        model = _assemble(config, backbone)
    model.mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
    model.std.copy_(torch.tensor(std).view(1, 3, 1, 1))
    return model


def save_model(model: EmbeddingModel, path: Path) -> None:
    """Writes all that `load_model` needs; the same weights give the same bytes.

    Args:
        model: on any device.
        path: the file to write, in place: rename it when it is whole.

    Raises:
        DivergedError: a weight is not finite.
        OSError: there is no room, or the file system refuses.
    """
    state = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
    _require_finite(state)
    save_sealed({"config": dataclasses.asdict(model.config), "state": state}, path)


def load_model(path: str | Path) -> EmbeddingModel:
    """Reads the model of a training run. Nothing in the file is run as code.

    Args:
        path: the model's file, or the folder of a run that has ended, such as
            `build/runs/happier`.

    Returns:
        The model, on the CPU, in evaluation mode.

    Raises:
        InputError: no such file, or not a model's; the model's backbone cannot be had.
        DamagedError: the file does not have the bytes it was written with.

    Example:
        >>> import tempfile
        >>> config = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
        >>> with tempfile.TemporaryDirectory() as run:
        ...     save_model(build_model(config), Path(run) / "model.pt")
        ...     model = load_model(run)
        >>> model.config.image_size, model.embedding_dim
        (32, 96)
    """
    path = Path(path)
    file = path / "model.pt" if path.is_dir() else path
    no_model = f"{file} is no model of this program; train it again with `hgld train`"
    try:
        content = load_sealed(file)
    except OSError as error:
        raise InputError(
            f"cannot read model {file}: {error.strerror}; `hgld train` writes one to "
            f"runs/<name>/ of the build"
        ) from error
    except DamagedError as error:
        raise DamagedError(
            f"{error}; copy it again, or train it again with `hgld train`"
        ) from error
    except InputError as error:
        raise InputError(f"{no_model} ({error})") from error
    try:
        config = ModelConfig(**content["config"])
        model = _assemble(config, create_backbone(config))
        model.load_state_dict(content["state"])
        _require_finite(model.state_dict())
    except (*_UNFIT, DivergedError) as error:
        raise InputError(f"{no_model} ({type(error).__name__}: {first_line(error)})") from error
    return model


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


def _assemble(config: ModelConfig, backbone: nn.Module) -> EmbeddingModel:
    """Puts a head on a backbone, after a look at what the backbone gives for one image."""
    backbone.eval()
    size = config.image_size
    try:
        with torch.no_grad():
            features = backbone(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(
            f"backbone {config.backbone!r} takes no images of image_size {size}: "
            f"{first_line(error)}"
        ) from error
    if config.pooling == "gem" and features.ndim != 4:  # noqa: PLR2004 - (B, C, H, W)
        raise InputError(
            f"backbone {config.backbone!r} gives no feature map (B, C, H, W) to pool but "
            f'{tuple(features.shape)}; use pooling = "backbone" or a convolutional backbone'
        )
    try:
        return EmbeddingModel(config, backbone, features.shape[1]).eval()
    except (RuntimeError, MemoryError) as error:
        raise InputError(
            f"there is no memory for embedding_dim {config.embedding_dim}: {first_line(error)}"
        ) from error


def _require_finite(state: Mapping[str, Tensor]) -> None:
    """Refuses weights that no image can be embedded with.

    Raises:
        DivergedError: one is NaN or infinite; the text names it.
    """
    for name, value in state.items():
        if not value.isfinite().all():
            raise DivergedError(
                f"every weight must be finite, and {name} is not; lower learning_rate or set "
                f'precision = "float32", and train again'
            )
