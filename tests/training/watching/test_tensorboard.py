"""Event files, read back as TensorBoard reads them."""

import math
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorboard", reason="needs `pip install 'hgld[tensorboard]'`")

from hgld.errors import InputError
from hgld.training.watching.tensorboard import TensorBoardLog
from tests.training.watching.curves import Log, good_log


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Returns the steps and values of each tag, as TensorBoard has them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events: Any = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def expected(lines: Log, key: str) -> list[tuple[int, Any]]:
    return [(line["step"], pytest.approx(line[key], rel=1e-6)) for line in lines if key in line]


def test_every_number_of_the_log_is_read_back(tmp_path: Path) -> None:
    lines = good_log(20)
    with closing(TensorBoardLog(tmp_path, [])) as log:
        for line in lines:
            log.add(line)
    found = read(tmp_path)
    numbers = {key for line in lines for key in line} - {"step", "validation"}
    checked = next(line["validation"] for line in lines if "validation" in line)
    assert set(found) == {f"train/{key}" for key in numbers} | {
        f"validation/{key}" for key in checked
    }
    assert found["train/loss"] == expected(lines, "loss")
    assert [step for step, _ in found["validation/h_ap"]] == [
        line["step"] for line in lines if "validation" in line
    ]


def test_a_run_that_goes_on_from_its_checkpoint_has_each_step_once(tmp_path: Path) -> None:
    lines = good_log(30)
    with closing(TensorBoardLog(tmp_path, [])) as log:
        for line in lines:
            log.add(line)
    # Stopped at step 300, its checkpoint is of step 120, and the next steps came out otherwise;
    # then once more.
    for checkpoint, shift in ((120, 1.0), (200, 2.0)):
        lines = [line for line in lines if line["step"] <= checkpoint]
        rest = [line for line in good_log(30, seed=5) if line["step"] > checkpoint]
        rest = [{**line, "loss": line["loss"] + shift} if "loss" in line else line for line in rest]
        with closing(TensorBoardLog(tmp_path, lines)) as log:
            for line in rest:
                log.add(line)
        lines += rest
    assert read(tmp_path)["train/loss"] == expected(lines, "loss")
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2  # after three starts


def test_a_tensorboard_that_has_read_the_old_file_drops_it(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    lines = good_log(30)
    TensorBoardLog(tmp_path, lines).close()
    events: Any = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    assert len(events.Scalars("train/loss")) == 30
    with closing(TensorBoardLog(tmp_path, lines[:10])) as log:
        log.add({"step": 95, "loss": 9.0})
        events.Reload()
    # 10 lines, of which one is a validation.
    steps = [line["step"] for line in lines[:10] if "loss" in line]
    assert [event.step for event in events.Scalars("train/loss")] == [*steps, 95]


def test_a_kill_takes_no_line_that_was_added(tmp_path: Path) -> None:
    # What is in the file before it is closed is what a kill leaves.
    with closing(TensorBoardLog(tmp_path, [])) as log:
        for step in range(1, 5):
            log.add({"step": step, "loss": 1.0 / step})
            assert [found for found, _ in read(tmp_path)["train/loss"]] == [*range(1, step + 1)]


def test_what_is_undefined_is_nan_and_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    with closing(TensorBoardLog(tmp_path, [])) as log:
        log.add({"step": 1, "loss": None, "method": "happier", "is_new": True, "epoch": 0})
    found = read(tmp_path)
    assert set(found) == {"train/loss", "train/epoch"}
    assert math.isnan(found["train/loss"][0][1])


def test_without_the_package_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name == "tensorboard" or name.startswith("tensorboard."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match="tensorboard"):
        TensorBoardLog(tmp_path, [])
    assert not list(tmp_path.iterdir())
