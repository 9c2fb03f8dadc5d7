"""What is said of runs that do not learn, and that nothing is said of those that do."""

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.training.watching.health import health_of, is_judged
from tests.training.watching.curves import Log, good_log, validation_line

STEPS = 2000


def kinds(lines: Log, *, steps: int = STEPS) -> list[str]:
    return [symptom.kind for symptom in health_of(lines, steps=steps)]


def similar(similarity: Callable[[float], float]) -> Log:
    """Returns the log of a run with this mean similarity, by the part of the run that is done."""
    return [
        line
        if "validation" in line
        else {**line, "mean_similarity": similarity(line["step"] / 600)}
        for line in good_log(60)
    ]


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


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(
        st.sampled_from([0.55 + n / 1000 for n in range(50)]), max_size=12, unique=True
    ),
    queries=st.integers(1, 500),
)
def test_validations_that_only_wobble_are_no_symptom(values: list[float], queries: int) -> None:
    margin = max(0.01, 0.2 / math.sqrt(queries))
    if not values or max(values) - min(values) <= margin:
        assert kinds(validated(values, first=0, queries=queries)) == []


def test_images_that_all_look_the_same_are_told_of() -> None:
    assert kinds(similar(lambda done: 1 - 0.5 * math.exp(-9 * done))) == ["collapsed"]
    assert kinds(similar(lambda _: 0.995)) == ["collapsed"]
    # Random weights begin so near, and spread.
    assert kinds(similar(lambda done: 0.995 - 0.035 * done)) == []


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


def test_it_is_too_early_to_judge_the_first_steps() -> None:
    lines = [{**line, "mean_similarity": 1.0} for line in good_log(60, every=5)]
    training = [line for line in lines if "validation" not in line]
    assert not is_judged(training[:14], steps=STEPS)  # too few lines
    assert not is_judged(training[:19], steps=STEPS)  # 95 steps
    assert is_judged(training[:15], steps=150)  # half of it
    assert kinds(training[:19]) == []
    assert kinds(training[:20]) == ["collapsed"]
    assert health_of([], steps=STEPS) == []
