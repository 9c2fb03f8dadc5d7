import dataclasses

import pytest
import torch
from torch import Tensor

from hgld.benchmarks.robustness.heads.confidence_head import HeadSettings
from hgld.benchmarks.robustness.self_labelling.adversary import (
    AdversarySettings,
    fit_adversarial_head,
)

HEAD = HeadSettings(layers=1, hidden_units=16, learning_rate=1e-2, epochs=40, batch_size=32)
PLAIN = AdversarySettings(weight=0.0, head=HEAD)


def rows(seed: int, at: float = 0.0) -> Tensor:
    return torch.randn(128, 3, generator=torch.Generator().manual_seed(seed)) + at


def confidence_of(source: Tensor) -> Tensor:
    return (2 * source[:, 0]).sigmoid().double()


def gap(weight: float) -> float:
    """How far mean confidences of source and target lie apart."""
    source, target = rows(0), rows(1, at=1.5)
    settings = AdversarySettings(weight=weight, head=HEAD)
    head = fit_adversarial_head(source, confidence_of(source), target, settings, seed=0)
    return abs(float(head(source).mean() - head(target).mean()))


def test_without_an_adversary_it_regresses_the_confidence_and_the_target_changes_nothing() -> None:
    source = rows(0)
    heads = [
        fit_adversarial_head(source, confidence_of(source), rows(1, at), PLAIN, seed=0)
        for at in (0.0, 9.0)
    ]
    assert torch.equal(heads[0](source), heads[1](source))
    error = (heads[0](source) - confidence_of(source)).square().mean()
    assert error < 0.1 * confidence_of(source).var()


def test_an_adversary_brings_the_two_sides_together() -> None:
    assert gap(1.0) < 0.5 * gap(0.0)


def test_the_same_seed_gives_the_same_bits_and_leaves_the_generator_alone() -> None:
    source, settings = (
        rows(0),
        dataclasses.replace(PLAIN, weight=0.1, head=dataclasses.replace(HEAD, epochs=2)),
    )
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    found = [
        fit_adversarial_head(source, confidence_of(source), rows(1), settings, seed=seed)(source)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_sides_without_rows_and_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="target"):
        fit_adversarial_head(rows(0), confidence_of(rows(0)), rows(1)[:0], PLAIN, seed=0)
    with pytest.raises(ValueError, match="length"):
        fit_adversarial_head(rows(0), torch.ones(3), rows(1), PLAIN, seed=0)
    with pytest.raises(ValueError, match="weight"):
        AdversarySettings(weight=-0.1)
