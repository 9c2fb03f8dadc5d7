"""What tests of this room share: a small CLIP with a real text tower."""

import json
from pathlib import Path
from typing import Any

import pytest

TINY = "hgld-test-tiny"


def tiny_config(**text: Any) -> dict[str, Any]:  # noqa: ANN401 - what open_clip takes
    """Returns what open_clip makes a small CLIP from: width 64, 2 layers, 77 tokens."""
    tower = {"width": 64, "layers": 2}
    return {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 32, "patch_size": 16, **tower},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "heads": 2, **tower, **text},
    }


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the model TINY, which open_clip knows from then on."""
    open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
    import torch

    folder = tmp_path_factory.mktemp("tiny_clip")
    (folder / f"{TINY}.json").write_text(json.dumps(tiny_config()), encoding="utf-8")
    open_clip.add_model_config(folder / f"{TINY}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(TINY)
    # Both start near zero: make them matter.
    torch.nn.init.normal_(model.positional_embedding)
    torch.nn.init.normal_(model.token_embedding.weight)
    torch.save(model.state_dict(), folder / "weights.pt")
    return folder / "weights.pt"
