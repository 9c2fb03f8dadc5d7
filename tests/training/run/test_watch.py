import dataclasses
import json
import shutil
import signal

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, DivergedError, InputError
from hgld.training.data.labels import training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.loop import run_train
from hgld.training.run.watch import split_images
from hgld.training.watching.validation import measure_embeddings
from tests.training.run.test_loop import METRICS, TINY, stop_in_step

WATCHED = dataclasses.replace(
    TINY, validation_share=0.4, validate_every_steps=2, epochs=6, crop_pct=0.6, tensorboard=True
)
PAGE = "runs/happier/run.html"


def _lines(workspace: Workspace) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in workspace.path(METRICS).read_text().splitlines()]
    costs = ("images_per_s", "peak_memory_mb")
    return [{key: one for key, one in line.items() if key not in costs} for line in lines]


def _h_aps(workspace: Workspace) -> dict[int, float]:
    return {
        line["step"]: line["validation"]["h_ap"]  # type: ignore[misc, index]
        for line in _lines(workspace)
        if "validation" in line
    }


def _weights(workspace: Workspace) -> torch.Tensor:
    state = load_model(workspace.path("runs/happier")).state_dict()
    return torch.cat([one.flatten().double() for one in state.values()])


def test_landmarks_are_held_out_whole_and_the_rest_is_trained_on(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    train, held_out = split_images(images, WATCHED)
    assert held_out is not None
    names = [{one.names[0][label] for label in one.labels[:, 0]} for one in (train, held_out)]
    assert not names[0] & names[1]
    assert sorted([*train.image_ids.to_pylist(), *held_out.image_ids.to_pylist()]) == sorted(
        images.image_ids.to_pylist()
    )
    assert split_images(images, TINY) == (images, None)


def test_a_run_is_measured_as_it_goes_and_shows_itself(tiny_build: Workspace) -> None:
    run_train(tiny_build, WATCHED)
    measured = _h_aps(tiny_build)
    steps = max(measured)
    assert list(measured) == [*range(0, steps, 2), steps]
    assert all(0 < value <= 1 for value in measured.values())
    _, held_out = split_images(training_images(tiny_build), WATCHED)
    assert held_out is not None
    model = load_model(tiny_build.path("runs/happier"))
    seen = measure_embeddings(embed_images(model, held_out.files()), held_out.labels)
    assert measured[steps] == pytest.approx(seen.means["h_ap"])
    page = tiny_build.path(PAGE).read_text()
    assert "H-AP" in page
    assert "reload" not in page  # it has ended, and loads itself no more
    assert any(tiny_build.path("runs/happier/tensorboard").iterdir())


def test_a_killed_run_goes_on_with_the_same_measurements_and_weights(
    tiny_build: Workspace,
) -> None:
    settings = dataclasses.replace(WATCHED, keep="best")
    text = (
        "dataclasses.replace(TINY, validation_share=0.4, validate_every_steps=2, epochs=6, "
        "crop_pct=0.6, "
        "tensorboard=True, keep='best')"
    )
    assert stop_in_step(tiny_build, 4, signal.SIGKILL, text) == -signal.SIGKILL
    run_train(tiny_build, settings)
    lines, weights = _lines(tiny_build), _weights(tiny_build)
    tiny_build.manifest_path("train").unlink()
    for path in tiny_build.path("runs/happier").glob("*.*"):
        path.unlink()
    run_train(tiny_build, settings)
    assert _lines(tiny_build) == lines
    assert torch.equal(_weights(tiny_build), weights)
    assert not RunFiles(tiny_build.path("runs/happier")).best.exists()


def test_the_best_weights_become_the_model(tiny_build: Workspace) -> None:
    # At this rate the first step is the best by far.
    spoilt = dataclasses.replace(WATCHED, learning_rate=0.03, keep="best", epochs=3)
    run_train(tiny_build, spoilt)
    best = _weights(tiny_build)
    measured = _h_aps(tiny_build)
    assert max(measured, key=lambda step: measured[step]) < max(measured)
    run_train(tiny_build, dataclasses.replace(spoilt, keep="last"))
    assert not torch.equal(best, _weights(tiny_build))


def test_best_weights_that_are_damaged_are_never_taken_and_trained_again(
    tiny_build: Workspace,
) -> None:
    # At this rate nothing changes: the best are those before the first step.
    text = (
        "dataclasses.replace(TINY, validation_share=0.4, validate_every_steps=2, epochs=6, "
        "crop_pct=0.6, "
        "keep='best', learning_rate=1e-12)"
    )
    still = dataclasses.replace(WATCHED, keep="best", learning_rate=1e-12)
    assert stop_in_step(tiny_build, 4, signal.SIGKILL, text) == -signal.SIGKILL
    files = RunFiles(tiny_build.path("runs/happier"))
    content = bytearray(files.best.read_bytes())
    content[len(content) // 2] ^= 1
    files.best.write_bytes(content)
    with pytest.raises(DamagedError, match=r"best weights cannot be read .*delete .* and rerun"):
        run_train(tiny_build, still)
    shutil.rmtree(files.folder)
    run_train(tiny_build, still)
    assert load_model(files.folder).image_size == 32


def test_a_run_that_becomes_no_better_ends_early(tiny_build: Workspace) -> None:
    run_train(tiny_build, dataclasses.replace(WATCHED, learning_rate=1e-12, patience=2, epochs=40))
    assert max(_h_aps(tiny_build)) == 4


def test_a_model_whose_vectors_are_not_finite_ends_with_what_to_do(tiny_build: Workspace) -> None:
    with pytest.raises(
        DivergedError, match=r"diverged at step \d+: .*lower learning_rate \(now 0.5"
    ):
        run_train(tiny_build, dataclasses.replace(WATCHED, learning_rate=0.5))


def test_too_few_landmarks_to_hold_some_out_are_refused(tiny_build: Workspace) -> None:
    with pytest.raises(InputError, match=r"\[train\] "):
        run_train(tiny_build, dataclasses.replace(WATCHED, validation_share=0.01))
