"""What is said of runs that do not learn, and that nothing is said of those that do."""

import dataclasses
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.training.watching.health import health_of, is_judged
from tests.training.watching.curves import Log, good_log, validation_line

STEPS = 2000


def kinds(lines: Log, *, steps: int = STEPS) -> list[str]:
    return [symptom.kind for symptom in health_of(lines, steps=steps)]


def with_values(lines: Log, **values: Callable[[float], float | None]) -> Log:
    """Returns a log in which training logged other values, by the part of the run that is done."""
    last = lines[-1]["step"]
    return [
        line
        if "validation" in line
        else {**line, **{key: value(line["step"] / last) for key, value in values.items()}}
        for line in lines
    ]


@dataclasses.dataclass(frozen=True)
class Shape:
    """Of a run that learns: what its curves are like."""

    count: int
    every: int
    noise: float
    seed: int
    warm_up: float
    gradient: float
    floor: float
    fall: float


SHAPES = st.builds(
    Shape,
    count=st.integers(15, 120),
    every=st.sampled_from([1, 10, 50]),
    noise=st.floats(0, 0.3),
    seed=st.integers(0, 10_000),
    warm_up=st.floats(0, 0.3),
    gradient=st.floats(1e-3, 100),
    floor=st.floats(1e-4, 10),
    fall=st.floats(0.2, 2),
)


@settings(max_examples=12, deadline=None)
@given(shape=SHAPES)
def test_nothing_is_said_of_a_noisy_run_that_learns(shape: Shape) -> None:
    """At no step of it: the loss falls by a sixth to two thirds, with noise of up to 30%."""
    draw = random.Random(shape.seed)
    count, every, warm_up = shape.count, shape.every, shape.warm_up

    def loss(done: float) -> float:
        falls = 1 + shape.fall * math.exp(-5 * max(done - warm_up, 0))
        return shape.floor * falls * (1 + shape.noise * draw.gauss(0, 1))

    lines = with_values(
        good_log(count, every=every, seed=shape.seed),
        loss=loss,
        learning_rate=lambda done: 1e-4 * min(done / warm_up, 1) if warm_up else 1e-4,
        gradient_norm=lambda done: shape.gradient * math.exp(draw.gauss(0, 0.7) - done),
        mean_similarity=lambda done: 0.4 + 0.2 * done + draw.gauss(0, 0.02),
        largest_supercategory=lambda _: draw.uniform(0.1, 0.4),
    )
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
    lines = [line for line in good_log(60) if "validation" not in line]
    for number, value in enumerate(values):
        line = validation_line(50 * number, value)
        line["validation"]["queries"] = queries
        lines.append(line)
    lines.sort(key=lambda line: line["step"])
    if not values or max(values) - min(values) <= margin:
        assert health_of(lines, steps=STEPS) == []


BAD: dict[str, dict[str, Callable[[float], float | None]]] = {
    "no learning rate": {"learning_rate": lambda _: 0.0},
    "exploding gradient": {"gradient_norm": lambda done: 10 ** (6 * done)},
    "vanishing gradient": {"gradient_norm": lambda done: 10 ** (-7 * done), "loss": lambda _: 0.6},
    "collapsed": {"mean_similarity": lambda done: 1 - 0.5 * math.exp(-9 * done)},
    "one super-category": {"largest_supercategory": lambda _: 0.97},
    "rising": {"loss": lambda done: 0.3 + abs(done - 0.4)},
    "flat": {"loss": lambda done: 0.7 + 0.002 * math.sin(900 * done)},
    "not finite": {"gradient_norm": lambda done: 1.0 if done < 0.95 else None},
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_is_said_and_what_may_help(kind: str) -> None:
    found = health_of(with_values(good_log(60), **BAD[kind]), steps=STEPS)
    assert kind in [symptom.kind for symptom in found]
    assert found[0].kind == kind  # the cause before what comes of it


@settings(max_examples=15, deadline=None)
@given(noise=st.floats(0, 0.02), seed=st.integers(0, 1000))
def test_a_flat_loss_is_said_within_the_first_steps_where_the_noise_is_small(
    noise: float, seed: int
) -> None:
    draw = random.Random(seed)
    lines = with_values(good_log(100), loss=lambda _: 0.7 * (1 + noise * draw.gauss(0, 1)))
    assert "flat" in kinds(lines[: 17 if noise < 0.01 else 70])  # the first 15 or 60 of training
    assert "rising" not in kinds(lines)


def test_a_flat_loss_with_much_noise_takes_longer_but_is_said() -> None:
    draw = random.Random(0)
    lines = with_values(good_log(700), loss=lambda _: 0.7 * (1 + 0.1 * draw.gauss(0, 1)))
    # Three standard errors are 0.3 sqrt(2 / (n / 3)), which is 5% with 216 lines.
    assert kinds(lines[:150]) == []
    assert kinds(lines) == ["flat"]


def test_it_is_too_early_to_judge_the_first_steps() -> None:
    lines = with_values(good_log(60, every=5), loss=lambda _: 0.7, learning_rate=lambda _: 0.0)
    training = [line for line in lines if "validation" not in line]
    assert not is_judged(training[:14], steps=STEPS)  # too few lines
    assert not is_judged(training[:19], steps=STEPS)  # 95 steps
    assert is_judged(training[:20], steps=STEPS)
    assert is_judged(training[:15], steps=150)  # half of it
    assert kinds(training[:19]) == []
    assert kinds(training[:20]) == ["no learning rate", "flat"]
    assert health_of([], steps=STEPS) == []


def test_what_is_not_finite_is_said_at_once_and_no_longer_when_it_is_past() -> None:
    lines = [{"step": 1, "loss": float("nan")}, *good_log(40)]
    assert kinds(lines[:2]) == ["not finite"]
    assert kinds(lines) == []


def test_a_warm_up_is_not_flat_and_a_constant_rate_is() -> None:
    lines = with_values(good_log(60), loss=lambda _: 0.7, learning_rate=lambda done: 1e-4 * done)
    assert kinds(lines) == []
    lines = with_values(lines, learning_rate=lambda done: 1e-4 * min(2 * done, 1))
    assert kinds(lines) == ["flat"]


def test_a_loss_that_has_reached_zero_is_not_flat_and_its_gradient_has_not_vanished() -> None:
    lines = with_values(
        good_log(60),
        loss=lambda done: math.exp(-12 * done),
        gradient_norm=lambda done: math.exp(-10 * done),
    )
    assert kinds(lines) == []
    assert kinds(with_values(lines, loss=lambda _: 0.5)) == ["vanishing gradient", "flat"]


def test_random_weights_that_spread_have_not_collapsed() -> None:
    spreading = with_values(good_log(60), mean_similarity=lambda done: 0.995 - 0.035 * done)
    assert kinds(spreading) == []
    staying = with_values(good_log(60), mean_similarity=lambda _: 0.995)
    assert kinds(staying) == ["collapsed"]


def test_only_when_every_learning_rate_is_zero_nothing_changes() -> None:
    lines = with_values(
        good_log(60), learning_rate=lambda _: 0.0, learning_rate_head=lambda _: 1e-3
    )
    assert kinds(lines) == []


def validated(values: list[float], *, first: int = 100, queries: int = 2000) -> Log:
    """Returns the log of a run whose loss falls, with these validations, each 100 steps."""
    lines: Log = [line for line in good_log(200) if "validation" not in line]
    for number, value in enumerate(values):
        line = validation_line(first + 100 * number, value)
        line["validation"]["queries"] = queries
        lines.append(line)
    return sorted(lines, key=lambda line: line["step"])


def test_validation_that_falls_while_the_loss_falls_is_overfitting() -> None:
    values = [0.55, 0.6, 0.62, 0.6, 0.59, 0.58, 0.57]
    (overfit,) = health_of(validated(values), steps=STEPS)
    assert overfit.kind == "overfit"
    assert "62.0 at step 300 to 57.0" in overfit.sentence
    assert kinds(validated(values[:5])) == []  # two after the best one
    # Of 100 queries a mean varies by 2 points, and none of the last three is 2 below the best.
    assert kinds(validated([0.55, 0.6, 0.62, 0.605, 0.605, 0.6], queries=100)) == []
    assert kinds(validated([0.55, 0.6, 0.62, 0.605, 0.605, 0.6], queries=10_000)) == ["overfit"]


def test_validation_that_falls_while_the_loss_does_not_is_no_overfitting() -> None:
    lines = with_values(
        validated([0.55, 0.6, 0.62, 0.6, 0.5, 0.5, 0.5]),
        loss=lambda done: 0.9 - 6 * min(done, 0.1) + 0.01 * done,
    )
    (found,) = health_of(lines, steps=STEPS)
    assert found.kind == "rising"


def test_a_model_that_was_better_before_training_is_told_of() -> None:
    lines = validated([0.55, 0.5, 0.51, 0.52, 0.53], first=0)
    assert "not transferred" in kinds(lines)
    assert "not transferred" not in kinds(validated([0.55, 0.5, 0.51, 0.545], first=0))
    # Without a look at the untrained model nothing is known of it.
    assert "not transferred" not in kinds(validated([0.55, 0.5, 0.51, 0.52, 0.53], first=100))


def test_one_super_category_that_answers_most_queries_is_told_of() -> None:
    lines = good_log(60)
    for line in lines:
        if "validation" in line:
            line["validation"].update(nearest_in_one=0.8, images_in_one=0.2)
    (found,) = health_of(lines, steps=STEPS)
    assert found.kind == "one answer"
    for line in lines:
        if "validation" in line:
            line["validation"].update(nearest_in_one=0.8, images_in_one=0.7)
    assert health_of(lines, steps=STEPS) == []


def test_held_out_images_that_find_the_same_at_every_validation_show_that_nothing_moves() -> None:
    (found,) = health_of(validated([0.5, 0.5, 0.5]), steps=STEPS)
    assert found.kind == "unmoved"
    assert "50.0 at step 100" in found.sentence
    assert kinds(validated([0.5, 0.5])) == []
    assert kinds(validated([1.0, 1.0, 1.0])) == []  # nothing is left to find
    assert kinds(validated([0.49, 0.5, 0.5, 0.5, 0.5])) == []  # the end of a run that learned
