"""A compiled model: torch's compiler takes seconds to start."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from hgld.training.model.embedding import build_model
from tests.training.model.test_embedding import HEADED, pictures


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, of its compiler
def test_a_compiled_model_has_the_same_weights_and_embeddings_but_for_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is traced is run as it is: making kernels of it takes a minute and a half on two cores.
    traced: list[int] = []

    def run_as_it_is(graph: torch.fx.GraphModule, _inputs: object) -> Callable[..., Any]:
        traced.append(len(graph.graph.nodes))
        return graph.forward

    whole = torch.compile
    monkeypatch.setattr(torch, "compile", functools.partial(whole, backend=run_as_it_is))
    model = build_model(dataclasses.replace(HEADED, compile=True))
    plain = build_model(HEADED)
    images = pictures(2, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), plain(images), atol=1e-5, rtol=0)
    assert len(traced) == 1  # in one piece
    assert model.state_dict().keys() == plain.state_dict().keys()
    with pytest.raises(TypeError, match="uint8"):
        model(images.float())
