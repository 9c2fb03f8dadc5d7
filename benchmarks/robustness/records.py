"""What the suite measures, as plain data, in pieces that are done whole or not at all.

A part of the suite, such as failure prediction, gives its `MeasuredUnit`s; `run_units` does those
whose records are not there yet. Where the suite is stopped, the same command goes on.
"""

import dataclasses
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.results import nan_to_null
from hgld.engine.files import write_text
from hgld.errors import InputError

logger = logging.getLogger(__name__)

RECORDS_FORMAT = 2
"""Raised when records written before cannot be read, or mean something else, now."""

_DIGITS = 6
_OF_UNIT = ("part", "seed")
"""What all records of a unit share, and a line of the file does not say again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotLine:
    """A line of a plot."""

    x: list[float]
    y: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessRecord:
    """One method on one data set with one seed."""

    part: str
    """Of the suite, such as `failures`."""
    data_set: str
    """As a reader sees it."""
    method: str
    """As a reader sees it."""
    seed: int
    measures: dict[str, float]
    """By name; NaN where undefined."""
    curves: dict[str, PlotLine]
    """By name; may be empty."""
    chosen: dict[str, float] = field(default_factory=dict)
    """Settings that validation rows chose, by name; empty where nothing was to be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredUnit:
    """A piece of the suite: all methods on one data set with one seed."""

    part: str
    data_set: str
    seed: int
    key: str
    """Digest of all that decides the records: see `unit_key`."""
    measure: Callable[[], Sequence[RobustnessRecord]]
    """Does the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneUnit:
    """What a piece of the suite came to."""

    part: str
    data_set: str
    seed: int
    key: str
    took_s: float
    records: tuple[RobustnessRecord, ...]


def unit_key(settings: object, *arrays: NDArray[Any]) -> str:
    """Returns the SHA-256, as hex, of settings and data.

    Args:
        settings: JSON values, or a dataclass of them.
        arrays: the data, in the order in which it is used.

    Returns:
        The same for the same values, shapes and types alone.

    Example:
        >>> data = np.arange(3)
        >>> unit_key({"seed": 0}, data) == unit_key({"seed": 1}, data)
        False
    """
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        settings = dataclasses.asdict(settings)
    digest = hashlib.sha256(json.dumps([RECORDS_FORMAT, settings], sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def run_units(
    planned: Sequence[MeasuredUnit],
    known: Iterable[DoneUnit],
    after_each: Callable[[Sequence[DoneUnit]], None],
) -> list[DoneUnit]:
    """Does what is planned and not yet known.

    Args:
        planned: in the order in which it is done.
        known: from an earlier run.
        after_each: is given all that is there, in the order of the plan, after each piece done.

    Returns:
        What all of the plan came to, in its order.
    """
    done = {unit.key: unit for unit in known}
    for number, unit in enumerate(planned, start=1):
        if unit.key in done:
            continue
        logger.info(
            "%d of %d: %s on %s, seed %d",
            *(number, len(planned), unit.part, unit.data_set, unit.seed),
        )
        begun = time.perf_counter()
        records = tuple(_rounded(one) for one in unit.measure())
        done[unit.key] = DoneUnit(
            part=unit.part,
            data_set=unit.data_set,
            seed=unit.seed,
            key=unit.key,
            took_s=round(time.perf_counter() - begun, 2),
            records=records,
        )
        after_each([done[one.key] for one in planned if one.key in done])
    return [done[unit.key] for unit in planned]


def units_beside(planned: Sequence[MeasuredUnit], known: Iterable[DoneUnit]) -> list[DoneUnit]:
    """Returns what was measured of parts, data sets and seeds that are not planned this time.

    What is planned and was measured under other settings is not among them: it is out of date.
    """
    asked = {(unit.part, unit.data_set, unit.seed) for unit in planned}
    return [unit for unit in known if (unit.part, unit.data_set, unit.seed) not in asked]


def write_units(path: Path, head: Mapping[str, object], units: Sequence[DoneUnit]) -> None:
    """Writes what was measured as JSON, a record on a line: whole, or not at all.

    So a record that changed is a line of a diff, and what is added to a file leaves its other
    lines as they were.

    Args:
        path: the file.
        head: what stands before the units, such as metadata.
        units: the records; NaN is written as null.
    """
    lines = [f'"format": {RECORDS_FORMAT}']
    lines += [f"{json.dumps(name)}: {_line(value, indent=1)}" for name, value in head.items()]
    lines.append(f'"units": [{",".join(_unit_lines(unit) for unit in units)}\n]')
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_units(path: Path) -> list[DoneUnit]:
    """Reads the units that `write_units` wrote.

    Args:
        path: the file; it need not be there.

    Returns:
        The units, null read as NaN; none where there is no file, or one of an earlier format.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    again = "delete it, or name another file with --out"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; {again}") from error
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(found, int) or "units" not in content:
        raise InputError(f"{path} must hold results of this suite, got something else; {again}")
    if found != RECORDS_FORMAT:
        logger.warning("%s is of format %s, not %s: all is measured", path, found, RECORDS_FORMAT)
        return []
    try:
        return [_unit(unit) for unit in content["units"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} does not hold whole results ({error}); {again}") from error


def _rounded(record: RobustnessRecord) -> RobustnessRecord:
    """Returns a record with no more digits than mean something."""
    measures = {name: round(value, _DIGITS) for name, value in record.measures.items()}
    return dataclasses.replace(record, measures=measures)


def _unit_lines(unit: DoneUnit) -> str:
    """Returns a unit as JSON: a line of its own, then one for each of its records."""
    content = dataclasses.asdict(unit)
    told = {name: content[name] for name in _OF_UNIT}
    records = ",".join(
        f"\n  {_line({name: value for name, value in one.items() if name not in told})}"
        for one in content.pop("records")
    )
    return f'\n {_line(content)[:-1]}, "records": [{records}\n ]}}'


def _line(value: object, indent: int | None = None) -> str:
    return json.dumps(nan_to_null(value), indent=indent, allow_nan=False)


def _unit(content: dict[str, Any]) -> DoneUnit:
    told = {name: content[name] for name in _OF_UNIT}
    records = tuple(_record(told | one) for one in content["records"])
    return DoneUnit(**{**content, "records": records})


def _record(content: dict[str, Any]) -> RobustnessRecord:
    measures = {name: _number(value) for name, value in content["measures"].items()}
    curves = {
        name: PlotLine(**{axis: [_number(value) for value in line[axis]] for axis in ("x", "y")})
        for name, line in content["curves"].items()
    }
    chosen = {name: float(value) for name, value in content["chosen"].items()}
    return RobustnessRecord(**{**content, "measures": measures, "curves": curves, "chosen": chosen})


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
