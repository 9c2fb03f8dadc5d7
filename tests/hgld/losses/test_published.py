"""All losses beside what the published implementations give on the same batches."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hgld import losses

Case = dict[str, Any]

RANKING: dict[str, Callable[..., Tensor]] = {
    "happier_a0.5_f64": partial(losses.sup_hap_loss, alpha=0.5),
    "happier_a1.0_f64": losses.sup_hap_loss,
    "happier_a2.0_f64": partial(losses.sup_hap_loss, alpha=2.0),
    "happier_a1.0_f32": losses.sup_hap_loss,
    "happier_inat_a1.0_f64": partial(losses.sup_hap_loss, offset=1.0, start=0.0),
    "happier_hrank_a1.0_f64": partial(losses.sup_hap_loss, smooth_h_ranks=True),
    "offset_none_a1.0_f64": partial(losses.sup_hap_loss, offset=None),
    "sigmoid_only_a1.0_f64": partial(losses.sup_hap_loss, start=0.0, delta=math.inf),
    "suprank_suphap_f64": losses.sup_hap_loss,
    "suprank_smoothhap_f64": losses.smooth_hap_loss,
    "suprank_supndcg_f64": losses.sup_ndcg_loss,
    "suprank_smoothndcg_f64": losses.smooth_ndcg_loss,
    "suprank_supap_l0_f64": losses.sup_ap_loss,
    "roadmap_supap_f64": losses.sup_ap_loss,
    "roadmap_smoothap_f64": losses.smooth_ap_loss,
    "roadmap_calibration_f32": losses.decomposability_loss,
}


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[Case]:
    """What is known of each batch: itself as `emb` and `labels`, and losses with gradients."""
    with np.load(shared / "oracle" / "losses.npz") as values:
        oracle = dict(values)
    described = json.loads((shared / "oracle" / "cases.json").read_text())
    names = [f"{case['case']}/" for case in described]
    found = [
        {key.removeprefix(name): oracle[key] for key in oracle if key.startswith(name)}
        for name in names
    ]
    assert found
    return found


def assert_agree(
    loss: Tensor, leaf: Tensor, case: Case, name: str, *, of: str = "", floor: float = 1e-14
) -> None:
    """Relative 1e-9 and 1e-7 in double precision, 1e-4 in single.

    A few cases rank all but perfectly: one minus an AP within 1e-9 of 1 is known to `floor`, the
    rounding of that AP (two published implementations differ by as much).
    """
    relative, of_norm = (1e-9, 1e-7) if leaf.dtype == torch.float64 else (1e-4, 1e-4)
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert loss.item() == pytest.approx(float(case[f"{name}_loss"]), rel=relative, abs=floor)
    expected = case[f"{name}_grad{of}"]
    difference = np.linalg.norm(gradient.numpy() - expected)
    assert difference <= of_norm * np.linalg.norm(expected) + floor


@pytest.mark.parametrize("variant", RANKING)
def test_ranking_losses_and_gradients_agree(cases: list[Case], variant: str, way: str) -> None:
    dtype = torch.float64 if variant.endswith("f64") else torch.float32
    for case in cases:
        leaf = torch.tensor(case["emb"], dtype=dtype, requires_grad=True)
        loss = RANKING[variant](leaf, torch.tensor(case["labels"]))
        assert_agree(loss, leaf, case, variant, floor=1e-10 if way == "torch" else 1e-12)


def test_binned_ap_and_its_gradient_agree(cases: list[Case]) -> None:
    """The similarity of an item to itself, 1, lies on the centre of a bin, where the loss bends.

    On which side of it a sum of squares comes out is the processor's rounding, for each item on its
    own, and so is which of the two gradients it gets: that of either side is right.
    """
    for case in cases:
        unit, labels = torch.tensor(case["emb"]), torch.tensor(case["labels"])
        loss = losses.soft_bin_ap_loss(unit.float(), labels)
        expected_loss = float(case["roadmap_softbinap_f32_loss"])
        assert loss.item() == pytest.approx(expected_loss, rel=1e-4, abs=1e-14)
        expected = case["roadmap_softbinap_f32_grad"]
        sides = []
        for step in (0.0, 1e-6, -1e-6):
            leaf = (unit * (1 + step)).float().requires_grad_()
            (gradient,) = torch.autograd.grad(losses.soft_bin_ap_loss(leaf, labels), leaf)
            sides.append(np.linalg.norm(gradient.numpy() - expected, axis=1))  # (B,)
        difference = np.linalg.norm(np.min(sides, axis=0))
        assert difference <= 1e-4 * np.linalg.norm(expected) + 1e-14


def test_losses_of_references_and_of_proxies_agree(cases: list[Case]) -> None:
    for case in cases:
        leaf = torch.tensor(case["emb"], requires_grad=True)
        labels, queries = torch.tensor(case["labels"]), int(case["split_q"])
        batch, references = (leaf[:queries], labels[:queries]), (leaf[queries:], labels[queries:])
        loss = losses.sup_hap_loss(*batch, ref_embeddings=references[0], ref_labels=references[1])
        assert_agree(loss, leaf, case, "split_happier_f64")
        proxies = torch.tensor(case["cluster_weight"], requires_grad=True)
        for variable, of in ((leaf, "_emb"), (proxies, "_weight")):
            loss = losses.clustering_loss(leaf, labels, proxies)
            assert_agree(loss, variable, case, "cluster_f64", of=of)
        margins, proxies = case["csl_margins"].tolist(), torch.tensor(case["csl_weight"])
        loss = losses.csl_loss(leaf, labels, proxies, margins=margins)
        assert_agree(loss, leaf, case, "csl_f64", of="_emb")
