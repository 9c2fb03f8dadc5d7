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


def test_the_defaults_are_the_published_constants() -> None:
    published = {"tau": 0.01, "rho": 100.0, "delta": 0.05, "start": 0.5, "offset": 1.44}
    assert SupStep() == SupStep(**published)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tau": 0.0}, "tau must be positive and finite, got 0.0"),
        ({"tau": math.nan}, "tau must be positive and finite, got nan"),
        ({"rho": -1.0}, "rho must be at least 0 and finite, got -1.0"),
        ({"rho": math.nan}, "rho must be at least 0 and finite, got nan"),
        ({"rho": math.inf}, "rho must be at least 0 and finite, got inf"),
        ({"delta": -0.1}, "delta: the cut must be at least 0, got -0.1"),
        ({"delta": math.nan}, "delta: the cut must be at least 0, got nan"),
        ({"start": math.nan}, "start must be a finite number, got nan"),
        ({"start": -math.inf}, "start must be a finite number, got -inf"),
        ({"offset": math.inf}, "offset must be a finite number, got inf"),
        ({"offset": math.nan}, "offset must be a finite number, got nan"),
    ],
)
def test_constants_that_make_no_step_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SupStep(**wrong)
    embeddings, labels = tree_batch(6, 2)
    for loss in LOSSES:
        with pytest.raises(ValueError, match=words):
            loss(embeddings, labels, **wrong)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_hand_their_constants_to_the_step(loss: Callable[..., Tensor]) -> None:
    embeddings, labels = tree_batch(12, 2, seed=2)
    published = loss(embeddings, labels).item()
    assert loss(embeddings, labels, tau=0.01, offset=1.44).item() == published
    for changed in ({"tau": 0.1}, {"rho": 1.0}, {"delta": 0.2}, {"start": 0.9}, {"offset": 3.0}):
        assert loss(embeddings, labels, **changed).item() != published


@pytest.mark.parametrize("loss", LOSSES)
def test_an_unknown_constant_is_refused_by_its_name(loss: Callable[..., Tensor]) -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'slope'"):
        loss(embeddings, labels, slope=3.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"beta": math.inf}, "beta must be positive, got inf"),
        ({"beta": math.nan}, "beta must be positive, got nan"),
        ({"leak": math.nan}, "leak must be a finite number, got nan"),
        ({"gamma": -math.inf}, "gamma must be a finite number, got -inf"),
    ],
)
def test_constants_that_make_no_h_rank_step_are_refused(
    wrong: dict[str, float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        h_rank_step(**{"leak": 10.0, "beta": 25.0, "gamma": 0.5, **wrong})


def test_without_a_straight_part_the_offset_is_of_no_use() -> None:
    x = torch.linspace(-0.1, 1, 50)
    endless, other = (
        SupStep(start=0.0, delta=math.inf, offset=offset).step for offset in (1.44, None)
    )
    assert torch.equal(endless.value(x), other.value(x))
    torch.testing.assert_close(endless.value(x), torch.sigmoid(x / 0.01))


@pytest.mark.parametrize("loss", LOSSES)
def test_an_unknown_setting_is_refused_with_the_settings_of_the_loss(
    loss: Callable[..., Tensor],
) -> None:
    embeddings, labels = tree_batch(6, 2)
    name = getattr(loss, "__name__", "")
    text = rf"^{name}\(\) got an .* 'nonsense'; its settings are .*, tau, rho, delta, start, offset"
    with pytest.raises(TypeError, match=text):
        loss(embeddings, labels, nonsense=3)


def test_roadmap_takes_no_settings_of_its_parts_but_the_constants() -> None:
    embeddings, labels = tree_batch(6, 2)
    for setting in ({"reduction": "none"}, {"method": "exact"}):
        with pytest.raises(TypeError, match=r"^roadmap_loss\(\) got an unexpected keyword"):
            roadmap_loss(embeddings, labels, **setting)  # type: ignore[arg-type]
