"""Pieces of the suite are done once, and read back as they were written."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.robustness.records import (
    DoneUnit,
    MeasuredUnit,
    PlotLine,
    RobustnessRecord,
    read_units,
    run_units,
    unit_key,
    write_units,
)
from hgld.errors import InputError


def record_of(seed: int, value: float) -> RobustnessRecord:
    return RobustnessRecord(
        part="failures",
        data_set="digits",
        method="entropy",
        seed=seed,
        measures={"auroc": value, "aurc": math.nan},
        curves={"risk": PlotLine(x=[0.5, 1.0], y=[math.nan, value])},
        chosen={"layers": 2.0},
    )


class Counted:
    """Pieces that say when they were done, and stop at one of them."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.seeds: list[int] = []
        self.stop_at = stop_at

    def unit(self, seed: int) -> MeasuredUnit:
        def measure() -> Sequence[RobustnessRecord]:
            if seed == self.stop_at:
                raise KeyboardInterrupt
            self.seeds.append(seed)
            return [record_of(seed, seed / 10)]

        return MeasuredUnit(
            part="failures", data_set="digits", seed=seed, key=unit_key(seed), measure=measure
        )


def plain(units: Sequence[DoneUnit]) -> str:
    return repr(list(units))  # NaN equals itself in text


def test_what_was_stopped_goes_on_and_nothing_is_done_twice(tmp_path: Path) -> None:
    path = tmp_path / "results.json"

    def keep(units: Sequence[DoneUnit]) -> None:
        write_units(path, {"metadata": {}}, units)

    stopped = Counted(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        run_units([stopped.unit(seed) for seed in range(4)], read_units(path), keep)
    assert stopped.seeds == [0, 1]
    resumed = Counted()
    found = run_units([resumed.unit(seed) for seed in range(4)], read_units(path), keep)
    assert resumed.seeds == [2, 3]
    assert [unit.records[0].measures["auroc"] for unit in found] == [0, 0.1, 0.2, 0.3]
    assert plain(read_units(path)) == plain(found)
    third = Counted()
    assert plain(run_units([third.unit(3)], read_units(path), keep)) == plain(found[3:])
    assert third.seeds == []


def test_a_record_is_a_line_and_another_one_leaves_the_lines_there_are(tmp_path: Path) -> None:
    path = tmp_path / "results.json"

    def lines_of(seeds: Sequence[int]) -> list[str]:
        units = run_units([Counted().unit(seed) for seed in seeds], [], lambda _: None)
        units = [dataclasses.replace(unit, took_s=0.0) for unit in units]
        write_units(path, {"metadata": {"a": math.nan}}, units)
        return path.read_text().splitlines()

    one, two = lines_of([0]), lines_of([0, 1])
    assert sum('"method"' in line for line in two) == 2
    assert all(line.count('"method"') <= 1 for line in two)
    kept = [line.rstrip(",") for line in two]
    assert [line for line in one if line.rstrip(",") not in kept] == []
    assert json.loads(path.read_text())["metadata"] == {"a": None}
    assert lines_of([])[-3:] == ['"units": [', "]", "}"]
    assert read_units(path) == []


def test_a_key_follows_settings_values_shapes_and_types() -> None:
    data = np.arange(4)
    keys = {
        unit_key({"a": 1}, data),
        unit_key({"a": 2}, data),
        unit_key({"a": 1}, data[::-1]),
        unit_key({"a": 1}, data.reshape(2, 2)),
        unit_key({"a": 1}, data.astype(np.int32)),
        unit_key({"a": 1}),
    }
    assert len(keys) == 6
    assert unit_key({"a": 1, "b": 2}, data) == unit_key({"b": 2, "a": 1}, data.copy())
    assert unit_key(PlotLine(x=[1], y=[2])) != unit_key(PlotLine(x=[1], y=[3]))


def test_another_format_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"format": 0, "units": ["?"]}))
    assert read_units(path) == []
    assert read_units(tmp_path / "none.json") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot read .*; delete it, or name another file with --out"),
        ("[]", "must hold results of this suite"),
        ('{"format": 2, "units": [{"part": "failures"}]}', "does not hold whole results"),
    ],
)
def test_another_file_is_never_written_over(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_units(path)
