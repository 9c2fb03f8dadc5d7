"""Event files, read back as TensorBoard reads them."""

import math
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorboard", reason="needs `pip install 'hgld[tensorboard]'`")

from hgld.training.run.watch import TensorBoardLog
from tests.training.run.curves import Log, good_log


def reader(folder: Path) -> Any:  # noqa: ANN401 - of TensorBoard, without types
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})


def read(events: Any) -> dict[str, list[Any]]:  # noqa: ANN401
    """Returns the steps and values of each tag, as TensorBoard has them."""
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def write(folder: Path, lines: Log, new: Log) -> None:
    """Goes on with a log, in a new file."""
    with closing(TensorBoardLog(folder, lines)) as log:
        for line in new:
            log.add(line)


def test_every_number_is_read_back_also_after_a_kill(tmp_path: Path) -> None:
    lines = good_log(20)
    with closing(TensorBoardLog(tmp_path, [])) as log:
        for line in lines:
            log.add(line)
        log.add({"step": 999, "loss": None, "method": "happier", "is_new": True})
        # What is in the file before it is closed is what a kill leaves.
        found = read(reader(tmp_path))
    checked = [line for line in lines if "validation" in line]
    numbers = {key for line in lines for key in line} - {"step", "epoch", "validation"}
    tags = {f"validation/{key}" for key in checked[0]["validation"]}
    assert {*found} == tags | {f"train/{key}" for key in numbers}
    *steps, (last, undefined) = found["train/loss"]
    assert steps == [
        (line["step"], pytest.approx(line["loss"], rel=1e-6)) for line in lines if "loss" in line
    ]
    assert last == 999
    assert math.isnan(undefined)
    assert [step for step, _ in found["validation/h_ap"]] == [line["step"] for line in checked]


def test_a_run_that_goes_on_from_its_checkpoint_has_each_step_once(tmp_path: Path) -> None:
    lines = good_log(30)
    write(tmp_path, [], lines)
    watching = reader(tmp_path)  # which has read the old file, and drops it
    assert len(read(watching)["train/loss"]) == 30
    # Stopped at step 300, its checkpoint is of step 120, and the next steps came out otherwise;
    # then once more.
    for checkpoint, seed in ((120, 5), (200, 6)):
        lines = [line for line in lines if line["step"] <= checkpoint]
        rest = [line for line in good_log(30, seed=seed) if line["step"] > checkpoint]
        write(tmp_path, lines, rest)
        lines += rest
        expected = [
            (line["step"], pytest.approx(line["loss"], rel=1e-6))
            for line in lines
            if "loss" in line
        ]
        for events in (watching, reader(tmp_path)):
            assert read(events)["train/loss"] == expected
