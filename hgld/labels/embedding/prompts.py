"""Labels under prompts: the texts that are encoded, and one vector a label of them all."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hgld.errors import InputError
from hgld.labels.embedding.encoders import TextEncoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NORM_ERROR = 1e-3


def label_vectors(
    encoder: TextEncoder,
    labels: Sequence[str],
    prompts: Sequence[str],
    advance: Callable[[int], None] = lambda _: None,
) -> "NDArray[np.float32]":
    """Encodes labels under prompts: the mean of a label's unit vectors, at unit norm.

    Args:
        encoder: what encodes texts.
        labels: n labels.
        prompts: one or more, each with `{label}` where the label goes.
        advance: called with the number of texts just encoded.

    Returns:
        float32 (n, D). Under one prompt exactly what the encoder gives.

    Raises:
        InputError: the encoder gives a label a vector that is not of unit norm.

    Source:
        Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML
        2021, section 3.1.4: an ensemble over the embedding space.
    """
    import numpy as np

    parts = [
        encoder.encode([prompted(each, label) for label in labels], advance) for each in prompts
    ]
    vectors = parts[0]
    if len(parts) > 1:
        mean = np.mean(parts, axis=0, dtype=np.float64)  # (n, D)
        vectors = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
    is_unit = abs(np.linalg.norm(vectors, axis=1) - 1) < _NORM_ERROR  # of NaN neither
    if not is_unit.all():
        raise InputError(
            f"the encoder must give vectors of unit norm, and does not for "
            f"{labels[int(is_unit.argmin())]!r}; its weights are damaged, use others"
        )
    return vectors


def prompted(prompt: str, label: str) -> str:
    """Returns the text that is encoded for a label under a prompt."""
    # Not str.format: a label or prompt may hold other braces.
    return prompt.replace("{label}", label)
