"""All losses beside what the published implementations give on the same batches."""

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hgld.losses import (
    clustering_loss,
    csl_loss,
    decomposability_loss,
    smooth_ap_loss,
    smooth_hap_loss,
    smooth_ndcg_loss,
    soft_bin_ap_loss,
    sup_ap_loss,
    sup_hap_loss,
    sup_ndcg_loss,
)

Oracle = Mapping[str, Any]

RANKING: dict[str, Callable[..., Tensor]] = {
    "happier_a0.5_f64": partial(sup_hap_loss, alpha=0.5),
    "happier_a1.0_f64": sup_hap_loss,
    "happier_a2.0_f64": partial(sup_hap_loss, alpha=2.0),
    "happier_a1.0_f32": sup_hap_loss,
    "happier_inat_a1.0_f64": partial(sup_hap_loss, offset=1.0, start=0.0),
    "happier_hrank_a1.0_f64": partial(sup_hap_loss, smooth_h_ranks=True),
    "offset_none_a1.0_f64": partial(sup_hap_loss, offset=None),
    "sigmoid_only_a1.0_f64": partial(sup_hap_loss, start=0.0, delta=math.inf),
    "suprank_suphap_f64": sup_hap_loss,
    "suprank_smoothhap_f64": smooth_hap_loss,
    "suprank_supndcg_f64": sup_ndcg_loss,
    "suprank_smoothndcg_f64": smooth_ndcg_loss,
    "suprank_supap_l0_f64": sup_ap_loss,
    "roadmap_supap_f64": sup_ap_loss,
    "roadmap_smoothap_f64": smooth_ap_loss,
}


@pytest.fixture(scope="module")
def oracle(shared: Path) -> Oracle:
    with np.load(shared / "oracle" / "losses.npz") as values:
        return dict(values)


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[str]:
    described = json.loads((shared / "oracle" / "cases.json").read_text())
    names = [str(case["case"]) for case in described]
    assert names
    return names


def assert_agree(
    loss: Tensor,
    leaf: Tensor,
    expected_loss: float,
    expected_gradient: np.ndarray[Any, Any],
    *,
    floor: float = 1e-14,
) -> None:
    """Relative 1e-9 and 1e-7 in double precision, 1e-4 in single.

    A few cases rank all but perfectly: one minus an AP within 1e-9 of 1 is known to `floor`, the
    rounding of that AP (two published implementations differ by as much).
    """
    relative, of_norm = (1e-9, 1e-7) if leaf.dtype == torch.float64 else (1e-4, 1e-4)
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert loss.item() == pytest.approx(expected_loss, rel=relative, abs=floor)
    difference = np.linalg.norm(gradient.numpy() - expected_gradient)
    assert difference <= of_norm * np.linalg.norm(expected_gradient) + floor


@pytest.mark.parametrize("variant", RANKING)
def test_ranking_losses_and_gradients_agree(
    oracle: Oracle, cases: list[str], variant: str, way: str
) -> None:
    dtype = torch.float64 if variant.endswith("f64") else torch.float32
    for case in cases:
        leaf = torch.tensor(oracle[f"{case}/emb"], dtype=dtype, requires_grad=True)
        loss = RANKING[variant](leaf, torch.tensor(oracle[f"{case}/labels"]))
        expected = float(oracle[f"{case}/{variant}_loss"]), oracle[f"{case}/{variant}_grad"]
        assert_agree(loss, leaf, *expected, floor=1e-10 if way == "torch" else 1e-12)


def test_calibration_and_its_gradient_agree(oracle: Oracle, cases: list[str]) -> None:
    name = "roadmap_calibration_f32"
    for case in cases:
        leaf = torch.tensor(oracle[f"{case}/emb"], dtype=torch.float32, requires_grad=True)
        loss = decomposability_loss(leaf, torch.tensor(oracle[f"{case}/labels"]))
        expected = float(oracle[f"{case}/{name}_loss"]), oracle[f"{case}/{name}_grad"]
        assert_agree(loss, leaf, *expected)


def test_binned_ap_and_its_gradient_agree(oracle: Oracle, cases: list[str]) -> None:
    """The similarity of an item to itself, 1, lies on the centre of a bin, where the loss bends.

    On which side of it a sum of squares comes out is the processor's rounding, for each item on its
    own, and so is which of the two gradients it gets: that of either side is right.
    """
    name = "roadmap_softbinap_f32"
    for case in cases:
        unit, labels = (torch.tensor(oracle[f"{case}/{part}"]) for part in ("emb", "labels"))
        loss = soft_bin_ap_loss(unit.float(), labels)
        expected_loss = float(oracle[f"{case}/{name}_loss"])
        assert loss.item() == pytest.approx(expected_loss, rel=1e-4, abs=1e-14)
        expected = oracle[f"{case}/{name}_grad"]
        sides = []
        for step in (0.0, 1e-6, -1e-6):
            leaf = (unit * (1 + step)).float().requires_grad_()
            (gradient,) = torch.autograd.grad(soft_bin_ap_loss(leaf, labels), leaf)
            sides.append(np.linalg.norm(gradient.numpy() - expected, axis=1))  # (B,)
        difference = np.linalg.norm(np.min(sides, axis=0))
        assert difference <= 1e-4 * np.linalg.norm(expected) + 1e-14


def test_each_query_agrees(oracle: Oracle, cases: list[str]) -> None:
    for case in cases:
        embeddings, labels = (torch.tensor(oracle[f"{case}/{name}"]) for name in ("emb", "labels"))
        h_ap = 1 - sup_hap_loss(embeddings, labels, reduction="none")
        expected = oracle[f"{case}/happier_a1.0_f64_hap_per_query"]
        np.testing.assert_allclose(h_ap.numpy(), expected, rtol=1e-9)


def test_references_agree(oracle: Oracle, cases: list[str]) -> None:
    for case in cases:
        leaf = torch.tensor(oracle[f"{case}/emb"], requires_grad=True)
        labels, queries = torch.tensor(oracle[f"{case}/labels"]), int(oracle[f"{case}/split_q"])
        loss = sup_hap_loss(
            leaf[:queries],
            labels[:queries],
            ref_embeddings=leaf[queries:],
            ref_labels=labels[queries:],
        )
        name = f"{case}/split_happier_f64"
        assert_agree(loss, leaf, float(oracle[f"{name}_loss"]), oracle[f"{name}_grad"])


def test_clustering_agrees(oracle: Oracle, cases: list[str]) -> None:
    for case in cases:
        leaf = torch.tensor(oracle[f"{case}/emb"], requires_grad=True)
        proxies = torch.tensor(oracle[f"{case}/cluster_weight"], requires_grad=True)
        labels, name = torch.tensor(oracle[f"{case}/labels"]), f"{case}/cluster_f64"
        for variable, key in ((leaf, "grad_emb"), (proxies, "grad_weight")):
            loss = clustering_loss(leaf, labels, proxies)
            assert_agree(loss, variable, float(oracle[f"{name}_loss"]), oracle[f"{name}_{key}"])


def test_csl_agrees(oracle: Oracle, cases: list[str]) -> None:
    for case in cases:
        leaf = torch.tensor(oracle[f"{case}/emb"], requires_grad=True)
        labels, proxies = (
            torch.tensor(oracle[f"{case}/{name}"]) for name in ("labels", "csl_weight")
        )
        loss = csl_loss(leaf, labels, proxies, margins=oracle[f"{case}/csl_margins"].tolist())
        name = f"{case}/csl_f64"
        assert_agree(loss, leaf, float(oracle[f"{name}_loss"]), oracle[f"{name}_grad_emb"])
