"""A small CLIP of open_clip's own making, with weights that tell texts and pictures apart."""

import json
from pathlib import Path
from typing import Any

TINY = "hgld-test-tiny"


def tiny_config(**text: Any) -> dict[str, Any]:  # noqa: ANN401 - what open_clip takes
    """Returns what open_clip makes a small CLIP from: width 64, 2 layers, 77 tokens."""
    tower = {"width": 64, "layers": 2}
    return {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 32, "patch_size": 16, **tower},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "heads": 2, **tower, **text},
    }


def write_tiny_clip(folder: Path) -> Path:
    """Writes the weights of TINY, and tells open_clip of it."""
    import open_clip
    import torch

    (folder / f"{TINY}.json").write_text(json.dumps(tiny_config()), encoding="utf-8")
    open_clip.add_model_config(folder / f"{TINY}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(TINY)
    # They start near zero: make them matter.
    torch.nn.init.normal_(model.positional_embedding)
    torch.nn.init.normal_(model.token_embedding.weight)
    torch.save(model.state_dict(), folder / "weights.pt")
    return folder / "weights.pt"
