import math
import sys
from types import ModuleType
from typing import get_type_hints

import pytest
import torch
from torch import Tensor

from hgld.losses import sup_hap_loss
from hgld.losses.ranking import compiled, prefix_sums, sums
from hgld.losses.ranking.steps import Line, Step, SupConstants, SupStep, h_rank_step, sigmoid_step
from hgld.losses.ranking.sums import is_compiled, step_sums
from tests.worlds.plain.losses import tree_batch

WAYS = [compiled, prefix_sums]
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
ALL = torch.ones(1, 1, 1, dtype=torch.float64)


def plain_pair(x: float, step: Step) -> tuple[float, float]:
    """The definition of the slope and the value of f."""
    line = step.below if x <= 0 else step.middle if x <= step.cut else step.above
    slope, value = line.slope, line.slope * x + line.intercept
    if step.tau is not None and x <= step.cut:
        sigmoid = 1 / (1 + math.exp(min(700.0, -x / step.tau)))
        slope, value = slope + sigmoid * (1 - sigmoid) / step.tau, value + sigmoid
    return slope, value


def random_rows(rows: int, size: int, levels: int, seed: int) -> tuple[Tensor, ...]:
    """Sorted scores with ties, levels, weights and tables, some of whose entries are 0."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(rows, size, dtype=torch.float64, generator=generator) * 1.6 - 0.6
    scores[:, ::7] = scores[:, ::7].round(decimals=1)
    level = torch.randint(0, levels, (rows, size), generator=generator)
    weight = torch.randn(rows, size, dtype=torch.float64, generator=generator)
    table = torch.rand(rows, levels, levels, dtype=torch.float64, generator=generator)
    return scores.sort(1).values, level, weight, table * (table > 0.3)


def one_level(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores, dtype=torch.int64)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spread", [1.0, 20.0])  # the second needs many stretches
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize(("levels", "mirrored"), [(3, False), (6, True)])
def test_sums_equal_a_double_loop(
    step: Step, way: ModuleType, spread: float, levels: int, mirrored: bool
) -> None:
    scores, level, weight, table = random_rows(2, 40, levels, seed=1)
    scores *= spread
    lists = (scores, level, weight, table, step)
    found = (way.pulls(*lists),) if mirrored else way.weighted_sums(*lists)
    expected = torch.zeros(2, 2, 40, dtype=torch.float64)
    for row in range(2):
        for i in range(40):
            for j in range(40):
                x = (scores[row, j] - scores[row, i]).item() * (-1 if mirrored else 1)
                share = table[row, level[row, i], level[row, j]] * weight[row, j]
                expected[:, row, i] += share * torch.tensor(
                    plain_pair(x, step), dtype=torch.float64
                )
    scale = expected.abs().amax((1, 2))  # the slope of a narrow step is 1 / tau
    for one, other, size in zip(found, expected, scale, strict=not mirrored):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * size.item())


@pytest.mark.parametrize("way", WAYS)
def test_counts_equal_a_double_loop(way: ModuleType) -> None:
    scores, level, _, table = random_rows(3, 40, 3, seed=2)
    found = way.counts_ahead(scores, level, table)
    for row in range(3):
        for i in range(40):
            ahead = scores[row] >= scores[row, i]
            expected = (table[row, level[row, i]][level[row]] * ahead).sum()
            assert found[row, i].item() == pytest.approx(expected.item())


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("cut", [0.0, 1e-9, 0.05, 0.3, 0.5, 1.0, 1.9])
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
    table = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    for sources in (
        *(at_cut, torch.nextafter(at_cut, infinity), torch.nextafter(at_cut, -infinity)),
        torch.nextafter(torch.nextafter(at_cut, infinity), infinity),
    ):
        x = sources - targets
        expected = (x > 0).double() + (x > cut).double()
        scores, order = torch.cat([targets, sources], 1).sort(1)
        found = step_sums(scores, 1 - order, table, step)
        assert torch.equal(found.gather(1, order.argmin(1, keepdim=True)), expected)


@pytest.mark.usefixtures("way")
def test_a_pair_at_the_cut_has_one_slope_for_both_its_items() -> None:
    scores = (torch.arange(-10, 10).double() / 20)[None].requires_grad_()
    value = step_sums(scores, one_level(scores), ALL, PUBLISHED)
    # f depends on differences, so moving everything moves nothing.
    (gradient,) = torch.autograd.grad(value[0, ::3].sum(), scores)
    assert gradient.norm() > 1
    assert gradient.sum().item() == pytest.approx(0, abs=1e-6)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_gradcheck(step: Step) -> None:
    # Far enough apart for a finite difference not to cross a jump.
    generator = torch.Generator().manual_seed(6)
    scores = torch.arange(14) * 0.037 + torch.rand(14, generator=generator) * 0.01
    level = torch.randint(0, 3, (1, 14), generator=generator)
    table = torch.rand(1, 3, 3, generator=generator).double()
    leaf = scores.double()[None].requires_grad_()
    function = lambda x: step_sums(x, level, table, step)  # noqa: E731
    assert torch.autograd.gradcheck(function, (leaf,), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_are_no_numbers_end_and_leave_the_others_alone(way: ModuleType) -> None:
    good = torch.linspace(-1, 1, 9, dtype=torch.float64)
    bad = torch.tensor([-math.inf, -1, 0, 1, math.inf, math.inf, math.nan, math.nan, math.nan])
    for step in STEPS.values():
        alone, beside = (
            way.weighted_sums(scores, one_level(scores), torch.ones_like(scores), ALL, step)
            for scores in (good[None], torch.stack([good, bad.double()]))
        )
        for one, other in zip(alone, beside, strict=True):
            torch.testing.assert_close(one[0], other[0])


def test_without_numba_torch_does_the_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = tree_batch(150, 3, dim=16, seed=4)
    assert is_compiled(embeddings)
    results = []
    for missing in (False, True):
        if missing:
            monkeypatch.setitem(sys.modules, "numba", None)
            monkeypatch.delitem(sys.modules, "hgld.losses.ranking.compiled")
            monkeypatch.delattr("hgld.losses.ranking.compiled")
            monkeypatch.setattr(sums, "_compiled", sums._compiled.__wrapped__)
            assert not is_compiled(embeddings)
        leaf = embeddings.clone().requires_grad_()
        loss = sup_hap_loss(leaf, labels)
        results.append((loss.item(), torch.autograd.grad(loss, leaf)[0]))
    (expected, expected_gradient), (found, gradient) = results
    assert found == pytest.approx(expected, rel=1e-9)
    assert (gradient - expected_gradient).norm() <= 1e-8 * expected_gradient.norm()


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_value_and_slope_are_those_of_the_pieces(step: Step) -> None:
    x = torch.cat([torch.linspace(-0.3, 0.9, 4001, dtype=torch.float64), torch.zeros(1)])
    expected = [plain_pair(place, step)[1] for place in x.tolist()]
    assert step.value(x).tolist() == pytest.approx(expected)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(step.value(x).sum(), x)
    torch.testing.assert_close(step.slope(x.detach()), gradient)


def test_keywords_of_losses_are_the_fields_of_the_step() -> None:
    assert get_type_hints(SupConstants) == get_type_hints(SupStep)
