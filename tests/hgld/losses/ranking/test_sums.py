import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld.losses.ranking import exponential_sums
from hgld.losses.ranking import sums as summation
from hgld.losses.ranking.steps import Line, Step, SupStep, h_rank_step, sigmoid_step
from hgld.losses.ranking.sums import Method, step_sums

METHODS: tuple[Method, ...] = ("exact", "fast")
PUBLISHED = SupStep(tau=0.01, rho=100.0, delta=0.05, start=0.5, offset=1.44).step
COUNTING = Step(below=Line(), middle=Line(intercept=1), above=Line(intercept=2), cut=0.5)
STEPS = {
    "published": PUBLISHED,
    "continuous": SupStep(tau=0.01, rho=100.0, delta=0.05, start=0.5, offset=None).step,
    "narrow": SupStep(tau=0.0005, rho=20.0, delta=0.01, start=0.0, offset=1.0).step,
    "wide": SupStep(tau=0.3, rho=2.0, delta=0.4, start=0.5, offset=1.44).step,
    "cut at 0": SupStep(tau=0.01, rho=10.0, delta=0.0, start=0.5, offset=1.0).step,
    "sigmoid": sigmoid_step(0.01),
    "h-rank": h_rank_step(leak=10.0, beta=25.0, gamma=0.5),
    "counting": COUNTING,
}


def plain_sum(target: float, sources: list[float], step: Step) -> float:
    """The definition, one pair after the other."""
    total = 0.0
    for source in sources:
        x = source - target
        line = step.below if x <= 0 else step.middle if x <= step.cut else step.above
        total += line.slope * x + line.intercept
        if step.tau is not None and x <= step.cut:
            total += 1 / (1 + math.exp(min(700.0, -x / step.tau)))
    return total


def rows(values: list[list[float]], width: int | None = None) -> Tensor:
    """Sorted rows, padded with infinity."""
    width = max(map(len, values)) if width is None else width
    padded = [sorted(row) + [math.inf] * (width - len(row)) for row in values]
    return torch.tensor(padded, dtype=torch.float64)


def random_rows(count: int, most: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(count, most, dtype=torch.float64, generator=generator) * 1.6 - 0.6
    held = torch.randint(0, most + 1, (count, 1), generator=generator)
    return values.masked_fill(torch.arange(most) >= held, math.inf).sort(1).values


def value_and_gradients(
    targets: Tensor, sources: Tensor, weight: Tensor, step: Step, method: Method
) -> tuple[Tensor, Tensor, Tensor]:
    targets, sources = targets.clone().requires_grad_(), sources.clone().requires_grad_()
    value = step_sums(targets, sources, step, method=method)
    of_targets, of_sources = torch.autograd.grad(value, (targets, sources), weight)
    return value.detach(), of_targets, of_sources


@pytest.mark.parametrize("method", METHODS)
def test_the_sum_equals_the_hand_computed_value(method: Method) -> None:
    # From 0: 0.2 counts 1, 0.9 and 1.1 count 2. From 1: 1.1 counts 1.
    sums = step_sums(rows([[0.0, 1.0]]), rows([[0.2, 0.9, 1.1]]), COUNTING, method=method)
    assert sums.tolist() == [[5.0, 1.0]]


@pytest.mark.parametrize("method", METHODS)
def test_the_published_step_equals_the_hand_computed_value(method: Method) -> None:
    # x = -0.01, 0.02, 0.06: sigmoid(-1) + 0.5 + sigmoid(2) + 100 * 0.01 + 1.44
    sums = step_sums(rows([[0.5]]), rows([[0.49, 0.52, 0.56]]), PUBLISHED, method=method)
    assert sums.item() == pytest.approx(0.2689414 + 0.5 + 0.8807971 + 2.44, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_sums_equal_a_double_loop(step: Step, method: Method) -> None:
    targets, sources = random_rows(6, 30, seed=1), random_rows(6, 40, seed=2)
    sums = step_sums(targets, sources, step, method=method)
    for row in range(6):
        found = [source for source in sources[row].tolist() if math.isfinite(source)]
        for column, target in enumerate(targets[row].tolist()):
            expected = plain_sum(target, found, step) if math.isfinite(target) else 0.0
            assert sums[row, column].item() == pytest.approx(expected, rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_fast_and_exact_sums_and_gradients_agree(step: Step) -> None:
    targets, sources = random_rows(5, 70, seed=3), random_rows(5, 90, seed=4)
    weight = torch.randn(5, 70, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    weight = weight.masked_fill(targets.isinf(), 0)
    exact = value_and_gradients(targets, sources, weight, step, "exact")
    fast = value_and_gradients(targets, sources, weight, step, "fast")
    for one, other in zip(exact, fast, strict=True):
        assert one.isfinite().all()
        assert (one - other).norm() <= 1e-9 * one.norm()


@settings(deadline=None, max_examples=60)
@given(
    targets=st.lists(st.integers(-20, 20), min_size=1, max_size=12),
    sources=st.lists(st.integers(-20, 20), max_size=12),
    step=st.sampled_from(list(STEPS.values())),
    method=st.sampled_from(METHODS),
)
def test_ties_fall_on_the_side_the_definition_says(
    targets: list[int], sources: list[int], step: Step, method: Method
) -> None:
    # Multiples of 0.05 tie with each other and lie on the step's cut, up to rounding.
    ours, others = sorted(x / 20 for x in targets), sorted(x / 20 for x in sources)
    sums = step_sums(rows([ours]), rows([others]), step, method=method)
    expected = [plain_sum(target, others, step) for target in ours]
    assert sums[0].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("cut", [0.0, 1e-9, 0.05, 0.3, 0.5, 1.9])
def test_a_pair_at_the_cut_falls_where_its_difference_as_computed_does(cut: float) -> None:
    step = Step(below=Line(), middle=Line(intercept=1), above=Line(intercept=2), cut=cut)
    generator = torch.Generator().manual_seed(9)
    scattered = torch.rand(5_000, dtype=torch.float64, generator=generator) * 2 - 1
    # Also where target and cut all but cancel, and where they do.
    near = -cut * (1 + scattered[:1000] * 10.0 ** torch.arange(-20, 0).repeat(50))
    grid = torch.arange(-40, 41, dtype=torch.float64) / 40
    targets = torch.cat([scattered, near, grid, grid - cut])[:, None]
    infinity = torch.tensor(math.inf, dtype=torch.float64)
    at_cut = targets + cut
    for sources in (
        *(at_cut, torch.nextafter(at_cut, infinity), torch.nextafter(at_cut, -infinity)),
        torch.nextafter(torch.nextafter(at_cut, infinity), infinity),
    ):
        x = sources - targets
        expected = (x > 0).double() + (x > cut).double()
        assert torch.equal(step_sums(targets, sources, step), expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_at_the_cut_has_one_slope_for_both_its_items(method: Method) -> None:
    targets = rows([[x / 20 for x in range(-10, 10)]])
    gradients = value_and_gradients(targets, targets, torch.ones(1, 20), PUBLISHED, method)[1:]
    # f depends on differences, so moving everything moves nothing.
    assert sum(gradient.sum().item() for gradient in gradients) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_gradcheck(step: Step, method: Method) -> None:
    # Far enough apart for a finite difference not to cross a jump.
    generator = torch.Generator().manual_seed(6)
    order = torch.randperm(14, generator=generator)
    places = order * 0.037 + torch.rand(14, generator=generator) * 0.01
    targets = places[:6].double().sort().values[None].requires_grad_()
    sources = places[6:].double().sort().values[None].requires_grad_()

    def function(targets: Tensor, sources: Tensor) -> Tensor:
        return step_sums(targets, sources, step, method=method)

    assert torch.autograd.gradcheck(function, (targets, sources), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_empty_lists_sum_to_zero(step: Step, method: Method) -> None:
    nothing, something = rows([[], []]), rows([[0.1], [0.2, 0.3]])
    assert step_sums(something, nothing, step, method=method).tolist() == [[0, 0], [0, 0]]
    assert step_sums(nothing, something, step, method=method).shape == (2, 0)
    padding = rows([[], []], width=2)
    assert step_sums(padding, something, step, method=method).tolist() == [[0, 0], [0, 0]]
    assert step_sums(something, padding, step, method=method).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("size", "spread", "tau", "is_fast"),
    [
        (64, 1.0, 0.01, False),  # few pairs
        (200, 1.0, 0.01, True),
        (200, 1.0, 1e-7, False),  # a steep step
        (300, 0.3, 0.01, True),
        (300, 20.0, 0.01, False),  # items spread far
    ],
)
def test_auto_takes_pairs_where_they_are_few_or_the_step_is_too_steep_for_its_items(
    size: int, spread: float, tau: float, is_fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    sigmoid_sums = exponential_sums.sigmoid_sums

    def spy(*arguments: Any, **settings: Any) -> object:  # noqa: ANN401 - passed on as they are
        taken.append(1)
        return sigmoid_sums(*arguments, **settings)

    monkeypatch.setattr(summation, "sigmoid_sums", spy)
    items = (spread * torch.linspace(0, 1, size, dtype=torch.float64))[None]
    step_sums(items, items, SupStep(tau=tau).step)
    assert bool(taken) == is_fast


def test_the_number_of_passes_is_what_the_choice_is_made_by() -> None:
    items = torch.tensor([[0.0, 0.5, 2.0], [0.1, 0.2, math.inf]], dtype=torch.float64)
    # A stretch is (2 * 640 / 14 - 25) tau = 0.664 wide for tau = 0.01.
    lowest, passes = exponential_sums.stretches(items, items, 0.01, math.inf)
    assert lowest.tolist() == [[0.0], [0.1]]
    assert passes == 1 + int(2 / 0.6643)
    assert exponential_sums.stretches(items, items, 1.0, math.inf)[1] == 1
    # Targets far above the last source need no pass: nothing is in the first pieces.
    low = items - 10
    assert exponential_sums.stretches(items, low, 0.01, 0.05)[1] == 1
    nothing = torch.full((1, 2), math.nan, dtype=torch.float64)
    assert exponential_sums.stretches(nothing, items[:1], 0.01, 0.05)[1] == 1


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_value_and_slope_are_those_of_the_pieces(step: Step) -> None:
    x = torch.linspace(-0.3, 0.9, 4001, dtype=torch.float64)
    expected = [plain_sum(0.0, [place], step) for place in x.tolist()]
    assert step.value(x).tolist() == pytest.approx(expected)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(step.value(x).sum(), x)
    torch.testing.assert_close(step.slope(x.detach()), gradient)


def test_the_published_step_bounds_the_step_from_above() -> None:
    x = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    assert (PUBLISHED.value(x) >= (x > 0).double()).all()


def test_the_continuous_step_has_no_jump_at_delta() -> None:
    around = torch.tensor([0.05, 0.05 + 1e-12], dtype=torch.float64)
    low, high = STEPS["continuous"].value(around).tolist()
    assert high == pytest.approx(low, abs=1e-7)


def test_the_h_rank_step_rises_to_one_and_stays() -> None:
    step = h_rank_step(leak=10.0, beta=25.0, gamma=0.5)
    x = torch.tensor([-0.1, 0.0, 0.01, 0.02, 0.5], dtype=torch.float64)
    assert step.value(x).tolist() == pytest.approx([-1, 0, 0.75, 1, 1])
    values = step.value(torch.linspace(-1, 1, 999, dtype=torch.float64)).tolist()
    assert all(low <= high for low, high in pairwise(values))
