"""CLIP models of open_clip: finding their weights, fetching them where they must be, loading."""

import logging
from pathlib import Path

import requests

from hgld.errors import FetchError, InputError, MissingInputError, how_to_install
from hgld.labels.embedding.encoders import OpenClipEncoder, brief, damaged
from hgld.labels.embedding.weights import LOCAL_FOLDER, TextPrecision, local_folder

logger = logging.getLogger(__name__)

_HUB_TIMEOUT_S = 10.0


def find_open_clip(model: str, weights: str) -> Path:
    """Returns where a CLIP model's weights lie, fetched where they are not cached.

    Takes and raises what `load_open_clip` does.

    Returns:
        A file or, of a model in a folder, that folder.
    """
    try:
        import open_clip
        import torch  # noqa: F401 - what loads the weights
    except ModuleNotFoundError as error:
        raise MissingInputError(
            f"the encoder open_clip needs {error.name}: {how_to_install('cluster')}"
        ) from error
    if folder := local_folder(model):
        return folder
    if model not in open_clip.list_models():
        raise InputError(
            f"model must be one that open_clip knows or {LOCAL_FOLDER}FOLDER, got {model!r}; "
            f"`python -c 'import open_clip; print(open_clip.list_models())'` lists them"
        )
    return Path(weights) if Path(weights).is_file() else _fetched(model, weights)


def load_open_clip(
    model: str, weights: str, precision: TextPrecision = "float32"
) -> OpenClipEncoder:
    """Loads a CLIP model's text encoder, on a GPU where there is one.

    Args:
        model: an open_clip model name, such as `ViT-L-14`; or `local-dir:FOLDER`, a folder with
            open_clip_config.json, weights and, where they are its own, the tokenizer's files.
        weights: a tag of that model, such as `laion2b_s32b_b82k`, fetched from the Hugging Face
            hub unless it is cached (with HF_HUB_OFFLINE=1 the cache alone is looked at); or the
            path of a file with its state dict. Of no account for a folder.
        precision: number format of the weights; bfloat16 keeps the layer norms in float32.

    Returns:
        The encoder.

    Raises:
        MissingInputError: the extra `cluster` is not installed.
        InputError: no such model or weights, or weights that do not fit the model or are damaged.
        FetchError: the weights cannot be fetched; the text names the encoder that needs no hub.
    """
    path = find_open_clip(model, weights)
    import open_clip
    import torch

    try:
        # require_pretrained: without it, open_clip warns and gives random weights.
        loaded = open_clip.create_model(
            model,
            pretrained=None if path.is_dir() else str(path),
            require_pretrained=True,
            precision={"float32": "fp32", "bfloat16": "bf16"}[precision],
            device="cuda" if torch.cuda.is_available() else "cpu",
        )
    except damaged() as error:
        raise InputError(f"{path} does not hold weights of {model}: {brief(error)}") from error
    try:
        tokenize = open_clip.get_tokenizer(model)
    except damaged() as error:  # one that does not ship in open_clip comes from the hub as well
        raise FetchError(
            f"cannot load the tokenizer of {model} ({brief(error)}); {_without_the_hub()}"
        ) from error
    return OpenClipEncoder(loaded.eval(), tokenize)


def _fetched(model: str, tag: str) -> Path:
    """Returns where the weights of a tag lie, fetching them if they are not cached."""
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
        "embed: loading %s / %s; unless cached it comes from the Hugging Face hub; %s",
        model,
        tag,
        _without_the_hub(),
    )
    try:
        if repository := known.get("hf_hub", "").rpartition("/")[0]:
            _knock(repository)
        return Path(open_clip.download_pretrained(known))
    # open_clip raises its own bare errors from whatever the hub's client raised.
    except (FileNotFoundError, RuntimeError, OSError) as error:
        raise FetchError(
            f"cannot fetch the weights {model} / {tag} from the Hugging Face hub; "
            f"{_without_the_hub()}"
        ) from error


def _knock(repository: str) -> None:
    """Asks whether the hub can be reached at all, where it will be needed.

    Its own client asks for each of several files six times, which without a network took 53 s.

    Raises:
        OSError: it cannot. One whose certificate is not trusted here is there: its client decides.
    """
    from huggingface_hub import constants

    cached = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    if constants.HF_HUB_OFFLINE or cached.is_dir():
        return
    try:
        requests.head(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S)
    except requests.exceptions.SSLError:
        logger.debug("%s answers, with a certificate that is not trusted here", constants.ENDPOINT)


def _without_the_hub() -> str:
    return (
        f"to go on without the hub: {how_to_install('offline')}, then `hgld embed --encoder minilm`"
    )
