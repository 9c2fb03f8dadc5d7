"""A model on the disk.

`model.safetensors` has its weights, and `config.json` what they mean. `config.json` has the SHA-256
of the weights and, over all of its own lines, one of itself. So the same weights give the same
bytes, a bit that flips in either file is noticed, weights and settings of two models are told
apart, and any other program can read both. Nothing in a file is run as code.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from hgld.engine.files import file_digest
from hgld.errors import DamagedError, DivergedError, InputError
from hgld.pictures import DECODING
from hgld.training.model.backbone import create_backbone, fit_positions
from hgld.training.model.config import ModelConfig, Precision, facts_digest, first_line
from hgld.training.model.embedding import EmbeddingModel, assemble_model
from hgld.training.model.files import MODEL_FORMAT, MODEL_KIND, read_model_settings, sealed_text

WEIGHTS_FILE = "model.safetensors"
SETTINGS_FILE = "config.json"


def write_model(model: EmbeddingModel, weights: Path, settings: Path) -> None:
    """Writes the two files of a model, in place: rename them when they are whole.

    Args:
        model: on any device.
        weights: becomes `model.safetensors`.
        settings: becomes `config.json`.

    Raises:
        DivergedError: a weight is not finite.
        OSError: there is no room, or the file system refuses.
    """
    state = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
    for name, value in state.items():
        if not value.isfinite().all():
            raise DivergedError(
                f"every weight must be finite, and {name} is not; lower learning_rate or set "
                f'precision = "float32", and train again'
            )
    # The writer of safetensors makes an error of its own of a full disk; Python's says so.
    data = safetensors.torch.save(state, {"format": "pt"})
    settings.write_text(_settings_text(model, hashlib.sha256(data).hexdigest()), encoding="utf-8")
    weights.write_bytes(data)


def model_digest(model: EmbeddingModel) -> str:
    """Returns the SHA-256 of a model's settings and weights, as hex."""
    settings = json.dumps(dataclasses.asdict(model.config), sort_keys=True)
    hasher = hashlib.sha256(settings.encode())
    for name, value in model.state_dict().items():
        hasher.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        hasher.update(value.cpu().contiguous().numpy().tobytes())
    return hasher.hexdigest()


def embedding_facts(model: EmbeddingModel, image_size: int, precision: Precision) -> dict[str, Any]:
    """Returns what a model does to a picture, for whoever compares two sets of embeddings.

    Args:
        model: what embeds.
        image_size: side of the images it is given, in pixels.
        precision: of the forward pass.

    Returns:
        `picture`: each setting of the model by its name, the size, the precision, how a picture is
        decoded, and a digest of the weights; `picture_digest`, of all of these.
    """
    facts = {
        **dataclasses.asdict(model.config),
        "weights": Path(model.config.weights).name,  # where a person's files lie is no fact
        "image_size": image_size,
        "precision": precision,
        "decoding": DECODING,
        "model": model_digest(model),
    }
    return {"picture": facts, "picture_digest": facts_digest(facts)}


def load_model(path: str | Path, *, image_size: int | None = None) -> EmbeddingModel:
    """Reads the model of a training run. Nothing in its files is run as code.

    Args:
        path: the folder of a run that has ended, such as `build/runs/happier`, or the
            `model.safetensors` in it.
        image_size: side of the images that the model is for, in pixels; None: what it was trained
            with. A vision transformer is fitted to another one, which training on improves.

    Returns:
        The model, on the CPU, in evaluation mode: uint8 (N, 3, S, S) to unit float32 (N, D). It has
        `image_size`, S, and `embedding_dim`, D.

    Raises:
        InputError: no such file, or not a model's; the model's backbone cannot be had, or takes no
            images of that size.
        DamagedError: a file does not have the bytes it was written with.

    Example:
        >>> import tempfile
        >>> from hgld.training.model.embedding import build_model
        >>> config = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
        >>> with tempfile.TemporaryDirectory() as run:
        ...     files = Path(run) / "model.safetensors", Path(run) / "config.json"
        ...     write_model(build_model(config), *files)
        ...     model = load_model(run)
        >>> model.image_size, model.embedding_dim
        (32, 96)
    """
    path = Path(path)
    file = path / WEIGHTS_FILE if path.is_dir() else path
    try:
        digest = file_digest(file)  # first: where there is no such folder, this is what is missing
        settings = read_model_settings(file.with_name(SETTINGS_FILE))
        if digest != settings["weights_sha256"]:
            what = f"{file} is damaged: it has other bytes than were written"
            raise DamagedError(what)  # noqa: TRY301 - told below with what to do, as the others
        config, state = ModelConfig(**settings["model"]), safetensors.torch.load_file(file)
        model = assemble_model(config, create_backbone(config))
        model.load_state_dict(state)
    except OSError as error:
        raise InputError(
            f"cannot read model {error.filename or file}: {error.strerror}; `hgld train` writes "
            f"one to runs/<name>/ of the build"
        ) from error
    except DamagedError as error:
        raise DamagedError(
            f"{error}; copy it again, or train it again with `hgld train`"
        ) from error
    except (InputError, SafetensorError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{file} is no model of this program ({first_line(error)}); train it again with "
            f"`hgld train`"
        ) from error
    return model if image_size is None else _for_size(model, image_size)


def _settings_text(model: EmbeddingModel, weights_sha256: str) -> str:
    mean, std = (
        # As short as float32 allows: 0.485, and not 0.48500001430511475.
        [float(str(one)) for one in values.flatten().cpu().numpy()]
        for values in (model.mean, model.std)
    )
    return sealed_text(
        {
            "kind": MODEL_KIND,
            "format": MODEL_FORMAT,
            "image_size": model.image_size,
            "embedding_dim": model.embedding_dim,
            "mean": mean,
            "std": std,
            "model": dataclasses.asdict(model.config),
            "weights_sha256": weights_sha256,
            "digest": model_digest(model),  # which what it embeds says too
        }
    )


def _for_size(earlier: EmbeddingModel, image_size: int) -> EmbeddingModel:
    """Returns a model for images of another size.

    Raises:
        InputError: it takes no images of that size.
    """
    config = dataclasses.replace(earlier.config, image_size=image_size)
    model = assemble_model(config, create_backbone(config))
    state = earlier.state_dict()
    fitted = fit_positions(model.backbone, earlier.backbone.state_dict())
    state |= {f"backbone.{name}": value for name, value in fitted.items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:  # places that are kept in another way
        raise InputError(
            f"backbone {config.backbone!r} cannot be fitted to images of image_size {image_size}, "
            f"as it was trained with {earlier.image_size}: leave image_size out"
        ) from error
    return model
