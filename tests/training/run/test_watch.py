"""A run that is measured on held-out landmarks as it goes."""

import dataclasses

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.training.data.labels import training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.loop import run_train
from hgld.training.run.watch import split_images
from hgld.training.watching.validation import measure_embeddings
from tests.training.model.test_saved import flipped
from tests.worlds.training_runs import (
    MODEL,
    TINY,
    Undisturbed,
    log_of,
    stop_in_step,
    trained_once,
)

WATCHED = dataclasses.replace(
    TINY,
    validation_share=0.4,
    validate_every_steps=2,
    epochs=4,
    crop_pct=0.6,
    tensorboard=True,
    keep="best",
)
"""Four steps: of the landmarks that are left, an epoch makes one batch."""


def h_aps(workspace: Workspace) -> dict[int, float]:
    """Returns the H-AP of each step at which the run was measured."""
    return {
        line["step"]: line["validation"]["h_ap"]
        for line in log_of(workspace)
        if "validation" in line
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run of `WATCHED` that nothing stops."""
    return trained_once(tmp_path_factory, "watched", WATCHED)


def test_a_run_is_measured_on_held_out_landmarks_as_it_goes_and_shows_itself(
    watched: Undisturbed,
) -> None:
    workspace = Workspace(watched.root)
    files = RunFiles(workspace.path("runs/happier"))
    measured = h_aps(workspace)
    assert list(measured) == [0, 2, 4]
    assert all(0 < value <= 1 for value in measured.values())
    _, held_out = split_images(training_images(workspace), WATCHED)
    assert held_out is not None
    model = load_model(workspace.path(MODEL))
    seen = measure_embeddings(embed_images(model, held_out.files()), held_out.labels)
    # The weights that are kept are the best.
    assert max(measured.values()) == pytest.approx(seen.means["h_ap"])
    page = (files.folder / "run.html").read_text()
    assert "H-AP" in page
    assert "reload" not in page  # it has ended, and loads itself no more
    assert any((files.folder / "tensorboard").iterdir())
    assert not files.best.exists()


@pytest.mark.parametrize("number", [1, 4])
def test_a_stopped_run_goes_on_with_the_same_measurements_and_weights(
    tiny_build: Workspace, watched: Undisturbed, number: int
) -> None:
    stop_in_step(tiny_build, number, WATCHED)
    run_train(tiny_build, WATCHED)
    assert watched.is_that_of(tiny_build)


def test_the_best_weights_become_the_model_and_not_the_last(tiny_build: Workspace) -> None:
    # At this rate the first step is the best by far.
    spoilt = dataclasses.replace(WATCHED, learning_rate=0.03, epochs=3, tensorboard=False)
    models = []
    for keep in ("best", "last"):
        run_train(tiny_build, dataclasses.replace(spoilt, keep=keep))
        measured = h_aps(tiny_build)
        models.append(tiny_build.path(MODEL).read_bytes())
    assert max(measured, key=lambda step: measured[step]) < max(measured)
    assert models[0] != models[1]


def test_best_weights_that_are_damaged_are_never_taken(tiny_build: Workspace) -> None:
    # At this rate nothing changes: the best weights are those before the first step.
    still = dataclasses.replace(WATCHED, learning_rate=1e-12, tensorboard=False)
    stop_in_step(tiny_build, 4, still)
    files = RunFiles(tiny_build.path("runs/happier"))
    content = files.best.read_bytes()
    files.best.write_bytes(flipped(content, 4 * len(content)))
    with pytest.raises(DamagedError, match=r"best\.pt"):
        run_train(tiny_build, still)
