"""H-GLDv2, rebuilt: hierarchical labels for the landmarks of Google Landmarks v2.

The public names are loaded on first use: `hgld.losses`, `hgld.metrics`, `hgld.load`,
`hgld.load_model` and `hgld.embed_images`. docs/architecture.md describes the rooms of the code.

Example:
    >>> import hgld, torch
    >>> labels = torch.tensor([[0, 0], [0, 0], [1, 0], [2, 1]])  # landmark, super-category
    >>> float(hgld.losses.sup_hap_loss(torch.eye(4), labels)) > 0
    True
"""

import importlib
from typing import TYPE_CHECKING

from hgld.errors import HgldError, needing

if TYPE_CHECKING:
    from hgld import losses, metrics
    from hgld.loading import load
    from hgld.training.model.embed import embed_images
    from hgld.training.model.saved import load_model

__version__ = "1.0.0"

__all__ = ["HgldError", "__version__", "embed_images", "load", "load_model", "losses", "metrics"]

_LATE = {
    "losses": "hgld.losses",
    "metrics": "hgld.metrics",
    "load": "hgld.loading",
    "embed_images": "hgld.training.model.embed",
    "load_model": "hgld.training.model.saved",
}
"""Public name to its module. Most import torch, which takes 1.4 s; `load` imports Arrow."""


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(
            f"module 'hgld' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    with needing("train", f"hgld.{name}", kind=ModuleNotFoundError):
        module = importlib.import_module(_LATE[name])
    return module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
