"""What of a model is fitted to training images and not trained: a whitening, and a mean."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from hgld.engine.progress import progress
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.images import EvalImages, load_batches
from hgld.training.data.labels import LabelledImages
from hgld.training.model.embedding import EmbeddingModel

MOST_FITTED = 20_000
"""Images that a whitening or a mean is fitted to: many times a backbone's 2048 dimensions."""
_AT_ONCE = 64
# Of the largest variance: below it lies what rounding leaves of a direction that does not vary.
_LEAST_VARIANCE = 1e-10


def fit_to_images(
    fit: Callable[[EmbeddingModel, Iterable[Tensor]], None],
    model: EmbeddingModel,
    images: LabelledImages,
    config: TrainConfig,
) -> None:
    """Fits a part of a model to training images, evenly spaced among all.

    Args:
        fit: `whiten_projection`, before the first step; `centre_vectors`, after the last.
        model: of the run; left in the mode that it is in.
        images: that it is trained on.
        config: of the run.

    Raises:
        InputError: an image cannot be read.
        DamagedError: an image is not what was recorded.
    """
    every = -(-len(images) // MOST_FITTED)
    chosen = EvalImages(images.files()[::every], config)

    def batches() -> Iterator[Tensor]:
        with progress("train: vectors of training images", len(chosen)) as advance:
            loaded = load_batches(chosen, batch_size=_AT_ONCE, workers=config.workers)
            for _, batch, _ in loaded:
                yield batch
                advance(len(batch))

    was_training = model.training
    fit(model.eval(), batches())
    model.train(was_training)


def pca_whitening(features: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Returns the linear map after which vectors have mean 0 and the identity as covariance.

    y = W x + b with W = V^(-1/2) U^T and b = -W m, where m is the mean, and U has the eigenvectors
    of the covariance (divided by N - 1) with the `dim` largest eigenvalues V, as columns. The
    direction of an eigenvector, which is free, is such that its largest component is positive.

    Args:
        features: (N, C), any float type; computed in float64.
        dim: D, from 1 to the number of directions in which the vectors vary.

    Returns:
        W (D, C) and b (D,), of the type of the features.

    Raises:
        ValueError: they are not finite, or vary in fewer than D directions.

    Example:
        >>> weight, bias = pca_whitening(torch.tensor([[0.0, 0], [4, 0], [0, 1], [4, 1]]), 2)
        >>> weight @ torch.tensor([4.0, 1.0]) + bias  # standard deviations 2.309 and 0.577
        tensor([0.8660, 0.8660])

    Source: Jegou, Chum, Negative evidences and co-occurences in image retrieval: the benefit of PCA
        and whitening, ECCV 2012.
    """
    if not features.isfinite().all():
        bad = int((~features.isfinite()).any(dim=1).sum())
        raise ValueError(f"features must be finite, and {bad} of {len(features)} rows are not")
    values = features.double()
    mean = values.mean(dim=0)
    centred = values - mean
    covariance = centred.T @ centred / max(len(values) - 1, 1)  # (C, C)
    variances, directions = torch.linalg.eigh(covariance)  # smallest first
    variances, directions = variances.flip(0), directions.flip(1)
    varying = int((variances > _LEAST_VARIANCE * variances[0]).sum())
    if dim > varying:
        raise ValueError(
            f"dim must be at most the number of directions in which the features vary ({varying}, "
            f"of {features.shape[0]} vectors of {features.shape[1]} numbers), got {dim}"
        )
    axes = directions[:, :dim].T  # (D, C)
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    weight = axes * largest.sign() / variances[:dim, None].sqrt()
    return weight.to(features.dtype), -(weight @ mean).to(features.dtype)


def whiten_projection(model: EmbeddingModel, batches: Iterable[Tensor]) -> None:
    """Sets the linear layer of a model to the PCA whitening of what images give it.

    Several times as many images as the backbone is wide are plenty; all are kept as vectors.

    Args:
        model: with a linear layer, in evaluation mode, on any device; the rest of it stays.
        batches: of images (B, 3, S, S) uint8, one at least.

    Raises:
        ValueError: the model has no linear layer.
        InputError: the images are too few, or too alike.
    """
    if model.projection is None:
        raise ValueError("model must have a linear layer to whiten; set embedding_dim")
    place = model.projection.weight.device
    given = model.without_layer() if model.config.frozen else model.describe
    with torch.no_grad():
        found = [given(one.to(place)).float().cpu() for one in batches]
    whiten_layer(model.projection, torch.cat(found))


def whiten_layer(layer: nn.Linear, features: Tensor) -> None:
    """Sets a linear layer to the PCA whitening of vectors.

    Args:
        layer: from C numbers to D.
        features: (N, C).

    Raises:
        InputError: the vectors are too few, or too alike.
    """
    try:
        weight, bias = pca_whitening(features, layer.out_features)
    except ValueError as error:
        raise InputError(
            f"whitening is not to be had of these {len(features):,} images: {error}; lower "
            f"embedding_dim, or set whitening = false"
        ) from error
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def centre_vectors(model: EmbeddingModel, batches: Iterable[Tensor]) -> None:
    """Takes the mean of the vectors that a model gives images from all that it gives from now on.

    What is common to all pictures tells none apart, and makes the cosine of any two large.

    Args:
        model: whose settings have `centring`, in evaluation mode, on any device.
        batches: of images (B, 3, S, S) uint8, one at least.

    Raises:
        ValueError: the model has no centre.

    Source: Jegou, Chum, Negative evidences and co-occurences in image retrieval: the benefit of PCA
        and whitening, ECCV 2012, section 3: mean subtraction.
    """
    if model.centre is None:
        raise ValueError("model must have a centre to be set; set centring = true")
    model.centre.zero_()
    total, count = torch.zeros_like(model.centre, dtype=torch.float64), 0
    # Of a frozen model the centre comes after the sum over scales.
    scales = model.config.scales if model.config.frozen else (1.0,)
    with torch.no_grad():
        for one in batches:
            found = model.at_scales(one.to(model.centre.device), scales)
            total += found.double().sum(dim=0)
            count += len(found)
    model.centre.copy_(total / count)
