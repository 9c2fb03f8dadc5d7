"""Small networks that learn, that do not move and that learn wrong labels are told apart."""

import math

import pytest
import torch
from torch import nn

from hgld import losses
from hgld.engine.workspace import Workspace
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import training_images
from hgld.training.model.embedding import build_model
from hgld.training.watching.validation import (
    embed_undisturbed,
    mean_similarity,
    measure_embeddings,
)
from tests.training.conftest import tiny_build
from tests.training.watching.curves import Log
from tests.training.watching.test_health import kinds
from tests.worlds.training_runs import TINY

__all__ = ["tiny_build"]  # a fixture

STEPS_TAKEN = 46


def trained_log(workspace: Workspace, rate: float, *, shuffled: bool) -> Log:
    """Trains a small network, a line each step and a validation each fifteen.

    Its labels may be those of other images. It is validated on the images that it is trained on.
    """
    images = training_images(workspace)
    pictures = EvalImages(images.files(), 32)
    pixels = torch.stack([pictures[position] for position in range(len(images))])
    torch.manual_seed(0)
    model = build_model(TINY.model)
    model.train()
    learned = images.labels[torch.randperm(len(images))] if shuffled else images.labels
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    lines: Log = []
    for step in range(STEPS_TAKEN):
        if step % 15 == 0:
            found = measure_embeddings(embed_undisturbed(model, list(pixels)), images.labels)  # type: ignore[arg-type]
            lines.append({"step": step, "validation": found.line()})
        batch = torch.randperm(len(images))[:16]
        embeddings = model(pixels[batch])
        loss = losses.sup_hap_loss(embeddings, learned[batch])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), math.inf)
        optimiser.step()
        more = {"gradient_norm": float(norm), "mean_similarity": mean_similarity(embeddings)}
        lines.append(
            {"step": step + 1, "loss": float(loss.detach()), "learning_rate": rate, **more}
        )
    return lines


@pytest.mark.parametrize(
    ("rate", "shuffled", "expected"),
    [(1e-3, False, None), (1e-12, False, "unmoved"), (1e-3, True, "collapsed")],
    ids=["learns", "tiny rate", "wrong labels"],
)
def test_real_runs_are_told_apart(
    tiny_build: Workspace, rate: float, shuffled: bool, expected: str | None
) -> None:
    lines = trained_log(tiny_build, rate, shuffled=shuffled)
    for length in range(1, len(lines) + 1):
        found = kinds(lines[:length], steps=STEPS_TAKEN)
        assert expected or not found
    found = kinds(lines, steps=STEPS_TAKEN)
    assert not expected or expected in found, found
