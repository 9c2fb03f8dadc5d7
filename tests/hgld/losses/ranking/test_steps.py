import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

import pytest
import torch
from torch import Tensor

from hgld.losses import roadmap_loss, sup_ap_loss, sup_hap_loss, sup_ndcg_loss
from hgld.losses.ranking.steps import SupConstants, SupStep, h_rank_step
from tests.worlds.plain.losses import tree_batch

LOSSES: list[Callable[..., Tensor]] = [sup_hap_loss, sup_ap_loss, sup_ndcg_loss, roadmap_loss]


def test_keywords_of_losses_are_the_fields_of_the_step() -> None:
    assert get_type_hints(SupConstants) == get_type_hints(SupStep)
    assert list(SupConstants.__annotations__) == [field.name for field in fields(SupStep)]


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_straight_part_may_be_flat_or_rise_slowly(rho: float) -> None:
    far = torch.tensor([1.0, 2.0])
    step = SupStep(rho=rho).step.value(far)
    assert (step[1] - step[0]).item() == pytest.approx(rho, abs=1e-6)


def test_the_defaults_are_the_published_constants() -> None:
    published = {"tau": 0.01, "rho": 100.0, "delta": 0.05, "start": 0.5, "offset": 1.44}
    assert SupStep() == SupStep(**published)


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("tau", 0.0),
        ("tau", -1.0),
        ("tau", math.inf),
        ("tau", math.nan),
        ("rho", -1.0),
        ("rho", math.nan),
        ("rho", math.inf),
        ("delta", -0.1),
        ("delta", math.nan),
        ("start", math.nan),
        ("start", -math.inf),
        ("offset", math.inf),
        ("offset", math.nan),
    ],
)
def test_constants_that_make_no_step_are_refused(constant: str, value: float) -> None:
    wrong: dict[str, Any] = {constant: value}
    with pytest.raises(ValueError, match=constant):
        SupStep(**wrong)
    embeddings, labels = tree_batch(6, 2)
    for loss in LOSSES:
        with pytest.raises(ValueError, match=constant):
            loss(embeddings, labels, **wrong)


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("beta", 0.0),
        ("beta", math.inf),
        ("beta", math.nan),
        ("leak", math.nan),
        ("gamma", -math.inf),
    ],
)
def test_constants_that_make_no_h_rank_step_are_refused(constant: str, value: float) -> None:
    with pytest.raises(ValueError, match=constant):
        h_rank_step(**{"leak": 10.0, "beta": 25.0, "gamma": 0.5, constant: value})
    embeddings, labels = tree_batch(4, 2)
    for smooth_h_ranks in (False, True):
        with pytest.raises(ValueError, match=constant):
            sup_hap_loss(
                embeddings,
                labels,
                smooth_h_ranks=smooth_h_ranks,
                **{constant: value},  # type: ignore[arg-type]
            )


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_hand_their_constants_to_the_step(loss: Callable[..., Tensor]) -> None:
    embeddings, labels = tree_batch(12, 2, seed=2)
    published = loss(embeddings, labels).item()
    assert loss(embeddings, labels, tau=0.01, offset=1.44).item() == published
    for changed in ({"tau": 0.1}, {"rho": 1.0}, {"delta": 0.2}, {"start": 0.9}, {"offset": 3.0}):
        assert loss(embeddings, labels, **changed).item() != published


def test_without_a_straight_part_the_offset_is_of_no_use() -> None:
    x = torch.linspace(-0.1, 1, 50)
    endless, other = (
        SupStep(start=0.0, delta=math.inf, offset=offset).step for offset in (1.44, None)
    )
    assert torch.equal(endless.value(x), other.value(x))
    torch.testing.assert_close(endless.value(x), torch.sigmoid(x / 0.01))


@pytest.mark.parametrize("loss", LOSSES)
def test_an_unknown_setting_is_refused(loss: Callable[..., Tensor]) -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(TypeError, match="nonsense"):
        loss(embeddings, labels, nonsense=3)


def test_roadmap_takes_no_settings_of_its_parts_but_the_constants() -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(TypeError, match="reduction"):
        roadmap_loss(embeddings, labels, reduction="none")  # type: ignore[call-arg]
