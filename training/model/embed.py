"""Embedding pictures: files or pictures in, unit vectors out; and where, and how precisely."""

import contextlib
import ctypes
import dataclasses
import importlib.metadata
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

import torch
from torch import Tensor, nn

from hgld.engine.progress import progress
from hgld.errors import InputError
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.training.data.images import AnyImage, EvalImages, load_batches
from hgld.training.model.config import (
    AnyPrecision,
    Precision,
    require_scales,
    require_whole_number,
)
from hgld.training.model.embedding import EmbeddingModel

_Model = TypeVar("_Model", bound=nn.Module)

NUMERIC_PACKAGES = ("torch", "torchvision", "timm", "pillow")
"""Packages on whose versions the bits of an embedding depend."""

# Of malloc.h, and what glibc begins with.
_M_TRIM_THRESHOLD, _TRIM_THRESHOLD = -1, 128 * 1024
_M_MMAP_MAX, _MMAP_MAX = -4, 65_536
_NEVER, _NONE = -1, 0

# Has an entry within a block of `enough_memory`: the setting is the process's own.
_keeping: list[bool] = []


def choose_device(device: str) -> torch.device:
    """Returns the device a setting names; `auto` is the first GPU where there is one.

    Raises:
        InputError: there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    # A build without CUDA answers with an AssertionError.
    except (TypeError, RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {device!r} is not there; use auto, cpu or, with a GPU, cuda"
        ) from error
    return place


def describe_numerics(device: str = "auto") -> dict[str, str | int]:
    """Returns what the last bits of embeddings and weights depend on, beside settings and data.

    Where none of it differs, the same run gives the same bits on a CPU.

    Args:
        device: as in `choose_device`.

    Returns:
        The version of each of `NUMERIC_PACKAGES`, the threads of torch, the instructions that it
        uses of the processor, such as `AVX2`, and the device, of a GPU its name.

    Raises:
        InputError: there is no such device.
    """
    place = choose_device(device)
    is_gpu = place.type == "cuda"
    return {
        **{name: importlib.metadata.version(name) for name in NUMERIC_PACKAGES},
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(place) if is_gpu else place.type,
    }


def place_model(model: _Model, place: torch.device) -> _Model:
    """Moves a model to a device, its convolutions in the layout that is fastest there."""
    nn.utils.convert_conv2d_weight_memory_format(model.to(place), torch.channels_last)
    return model


def native_precision(place: torch.device) -> Precision:
    """Returns the fastest precision with the range of float32 that a device computes in.

    bfloat16 where there are instructions for it: GPUs since Ampere, processors with AVX-512 BF16,
    AMX or Arm's BF16. Elsewhere it is emulated, and takes 3 to 10 times as long as float32.
    """
    if place.type == "cuda":
        has_it = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Of torch 2.11; an earlier one does not tell.
        told: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        names = ("avx512_bf16", "amx_bf16", "bf16")
        has_it = place.type == "cpu" and any(told.get(name) for name in names)
    return "bfloat16" if has_it else "float32"


def autocast(place: torch.device, precision: AnyPrecision) -> torch.autocast:
    """Returns a context in which matrix products run at the precision.

    float16 ends at 65,504, and gradients of less than 6e-8 vanish in it: training in it takes a
    scaler of the loss. bfloat16 has the range of float32.

    Raises:
        ValueError: no such precision.
    """
    if precision not in get_args(AnyPrecision):
        known = ", ".join(map(repr, get_args(AnyPrecision)))
        raise ValueError(f"precision must be one of {known}, got {precision!r}")
    if precision == "auto":
        precision = native_precision(place)
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(place.type, dtype, enabled=precision != "float32")


@contextlib.contextmanager
def enough_memory(place: torch.device, batch_size: int, image_size: int) -> Iterator[None]:
    """Keeps memory within the block, and turns a lack of it into an error that says what to lower.

    On a CPU what tensors leave is kept for those that come. By itself glibc gives the memory of a
    large tensor back to the system, which clears every page of the next one: of a step of training,
    a third of the time, and of embedding half of it. On other systems nothing is done.

    Args:
        place: where the model runs.
        batch_size: images at a time.
        image_size: their side, in pixels.

    Raises:
        InputError: a tensor found no room.
    """
    try:
        with _kept_memory(place):
            yield
    except (RuntimeError, MemoryError) as error:  # torch's own is a RuntimeError
        is_lack = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not is_lack and "DefaultCPUAllocator" not in str(error):
            raise
        raise InputError(
            f"{place} has not enough memory for batch_size {batch_size} at image_size "
            f"{image_size}; lower one of them, then rerun"
        ) from error


@contextlib.contextmanager
def _kept_memory(place: torch.device) -> Iterator[None]:
    """Keeps freed memory where glibc is; of blocks within one another the outermost counts."""
    libc = _glibc() if place.type == "cpu" else None
    if libc is None or _keeping:
        yield
        return
    libc.mallopt(_M_MMAP_MAX, _NONE)
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
    _keeping.append(True)
    try:
        yield
    finally:
        _keeping.pop()
        libc.mallopt(_M_MMAP_MAX, _MMAP_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD)
        libc.malloc_trim(0)


def begin_peak_memory(place: torch.device) -> None:
    """Counts the peak of the memory from here on; see `peak_memory_of`."""
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place)
    else:
        reset_peak_memory()


def peak_memory_of(place: torch.device) -> float | None:
    """Returns the most memory since then, in MB.

    Args:
        place: a GPU, of which it is what its tensors take, or the CPU, where it is all of this
            process, but not those that read pictures.

    Returns:
        None where the system does not tell.
    """
    if place.type == "cuda":
        return round(torch.cuda.max_memory_allocated(place) / 2**20, 1)
    return peak_memory_mb()


def _glibc() -> Any:  # noqa: ANN401 - functions of C, without types
    """Returns the C library where it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "gnu_get_libc_version") else None


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
        images: N paths of image files or PIL images, or files of a build. Each is turned upright as
            its EXIF data say, and resized as the model has it (`model.config.resize_words`). A path
            and a PIL image of the same file give the same vector.
        image_size: as in `ModelConfig`, in pixels; None: what it was trained with.
        scales: sizes at which each image is seen, as multiples of `image_size`; its vector is the
            sum of the unit vectors of all, of unit norm again. The picture of another scale is
            made of that at scale 1, bilinearly and antialiased, height and width alike.
            (0.7071, 1, 1.4142) is usual.
            None: the model's own.
        batch_size: images at a time; of several shapes, those of each at a time.
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
    require_whole_number("workers", workers, least=0)
    largest = _largest_size(model, size, model.config.scales if scales is None else scales)
    dataset = EvalImages(images, dataclasses.replace(model.config, image_size=size))
    place = choose_device(device)
    at_precision = autocast(place, precision)
    with (
        torch.inference_mode(),
        enough_memory(place, batch_size, largest),
        progress("embed images", len(dataset)) as advance,
    ):
        place_model(model, place).eval()
        embeddings = torch.empty(len(dataset), model.embedding_dim)
        for rows, pixels, _ in load_batches(dataset, batch_size=batch_size, workers=workers):
            with at_precision:
                seen = pixels.to(place)
                batch = model(seen) if scales is None else model.at_scales(seen, scales)
            embeddings[rows] = batch.cpu()
            advance(len(rows))
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
