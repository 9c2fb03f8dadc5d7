"""What a log says, of runs that do not learn and that nothing is said of those that do."""

import json
import math
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.training.run.lines import health_of, is_judged, read_lines
from tests.training.run.curves import Log, good_log, validation_line

STEPS = 2000


def kinds(lines: Log, *, steps: int = STEPS) -> list[str]:
    return [symptom.kind for symptom in health_of(lines, steps=steps)]


def similar(similarity: Callable[[float], float], *, every: int = 10) -> Log:
    """Returns the log of a run with this mean similarity, by the part of the run that is done."""
    lines = [line for line in good_log(60, every=every) if "validation" not in line]
    last = lines[-1]["step"]
    return [{**line, "mean_similarity": similarity(line["step"] / last)} for line in lines]


def validated(values: list[float], *, first: int = 100, queries: int = 2000) -> Log:
    """Returns the log of a run whose loss falls, with these validations, each 100 steps."""
    lines: Log = [line for line in good_log(200) if "validation" not in line]
    for number, value in enumerate(values):
        line = validation_line(first + 100 * number, value)
        line["validation"]["queries"] = queries
        lines.append(line)
    return sorted(lines, key=lambda line: line["step"])


@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(15, 120),
    every=st.sampled_from([1, 10, 50]),
    noise=st.floats(0, 0.3),
    seed=st.integers(0, 10_000),
)
def test_nothing_is_said_of_a_noisy_run_that_learns(
    count: int, every: int, noise: float, seed: int
) -> None:
    lines = good_log(count, every=every, noise=noise, seed=seed)
    for length in {*range(1, len(lines), 3), len(lines)}:
        assert health_of(lines[:length], steps=every * count) == []


def test_images_that_all_look_the_same_are_told_of_when_it_is_not_too_early() -> None:
    assert kinds(similar(lambda done: 1 - 0.5 * math.exp(-9 * done))) == ["collapsed"]
    # Random weights begin so near, and spread.
    assert kinds(similar(lambda done: 0.995 - 0.035 * done)) == []
    lines = similar(lambda _: 0.995, every=5)
    assert not is_judged(lines[:14], steps=STEPS)  # too few lines
    assert kinds(lines[:19]) == []  # 95 steps
    assert kinds(lines[:20]) == ["collapsed"]
    assert is_judged(lines[:15], steps=150)  # half of it


def test_a_model_that_was_better_before_training_is_told_of() -> None:
    assert kinds(validated([0.55, 0.5, 0.51, 0.52, 0.53], first=0)) == ["not transferred"]
    assert kinds(validated([0.55, 0.5, 0.51, 0.545], first=0)) == []
    # Of 100 queries a mean varies by 2 points.
    assert kinds(validated([0.55, 0.5, 0.51, 0.535], first=0, queries=100)) == []
    # Without a look at the untrained model nothing is known of it.
    assert kinds(validated([0.55, 0.5, 0.51, 0.52, 0.53], first=100)) == []


def test_held_out_images_that_find_the_same_at_every_validation_show_that_nothing_moves() -> None:
    assert kinds(validated([0.5, 0.5, 0.5])) == ["unmoved"]
    assert kinds(validated([0.5, 0.5])) == []
    assert kinds(validated([1.0, 1.0, 1.0])) == []  # nothing is left to find
    assert kinds(validated([0.49, 0.5, 0.5, 0.5, 0.5])) == []  # the end of a run that learned


def test_a_log_is_read_without_what_a_kill_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_lines(path) == []
    whole = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": float("nan")}]
    odd = '{"loss": 1}\n[3]\n7\n{"step": "x"}\n{"step": true}\n\xff\n{"step": 3, "lo'
    text = "".join(json.dumps(line) + "\n" for line in whole) + odd
    path.write_bytes(text.encode("latin-1"))
    found = read_lines(path)
    assert [line["step"] for line in found] == [1, 2]
    assert found[0] == whole[0]
