import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("scipy", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.segmentation import __main__ as command
from hgld.benchmarks.robustness.segmentation.prior import UNKNOWN_VOXEL
from hgld.benchmarks.robustness.segmentation.segmenting import (
    PriorNetwork,
    SegmentationSettings,
    confident_labels,
    segment,
)
from hgld.benchmarks.robustness.segmentation.volumes import make_volumes

QUICK = SegmentationSettings(uses_prior=True, rounds=1, steps=4, channels=4)


def test_the_prior_is_added_to_the_scores() -> None:
    offset = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    network = PriorNetwork(offset, 2)
    plain = network.layers(torch.ones(1, 1, 3, 3, 3))
    torch.testing.assert_close(network(torch.ones(1, 3, 3, 3)), plain + offset)


def test_the_same_seed_gives_the_same_figures() -> None:
    labelled, others = make_volumes(2, 1), make_volumes(4, 2)
    runs = [
        segment(labelled, others.images[:2], others.part(2, 4), QUICK, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert 0 < runs[0]["kept"] <= 1
    organs = [runs[0][f"dice_{name}"] for name in ("large", "small", "tube")]
    assert runs[0]["dice"] == pytest.approx(np.mean(organs))


def test_of_each_label_the_surest_share_is_kept_as_in_a_sort() -> None:
    scores = np.random.default_rng(0).random((2, 3, 4, 5))
    labels, best = scores.argmax(axis=1), scores.max(axis=1)
    found = confident_labels(scores.astype(np.float32), 0.25)
    for label in range(3):
        own = np.sort(best[labels == label])[::-1]
        kept = best[found == label]
        assert len(kept) == pytest.approx(0.25 * len(own), abs=1)
        assert sorted(kept, reverse=True) == own[: len(kept)].tolist()
    assert (confident_labels(scores.astype(np.float32), 1.0) == labels).all()
    assert ((found == UNKNOWN_VOXEL) | (found == labels)).all()


def test_without_a_round_nothing_is_kept_and_without_volumes_nothing_is_trained() -> None:
    labelled, others = make_volumes(1, 1), make_volumes(2, 2)
    plain = dataclasses.replace(QUICK, rounds=0)
    assert np.isnan(segment(labelled, others.images, others, plain, seed=0)["kept"])
    with pytest.raises(ValueError, match="labelled"):
        segment(make_volumes(0, 1), others.images, others, plain, seed=0)


@pytest.mark.parametrize(("setting", "value"), [("share", 0.0), ("steps", 0)])
def test_settings_out_of_range_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=setting):
        dataclasses.replace(QUICK, **{setting: value})  # type: ignore[arg-type]  # any of them


def test_the_command_writes_every_method_of_every_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {
        name: dataclasses.replace(one, steps=2, rounds=min(one.rounds, 1))
        for name, one in command.SEGMENTATION_METHODS.items()
    }
    monkeypatch.setattr(command, "SEGMENTATION_METHODS", quick)
    out = tmp_path / "out.json"
    assert command.main(["--out", str(out), "--seeds", "0", "--labelled", "1"]) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert len(report["records"]) == len(quick)
    assert report["metadata"]["is_demonstration"]
    means = report["summary"]["Made volumes, 1 labelled"]
    for name, (mean, _) in means.items():
        dices = [one["dice"] for one in report["records"] if one["method"] == name]
        assert mean == pytest.approx(np.mean(dices), abs=1e-4)


def test_a_count_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--out", "x.json", "--labelled", "0"])
    assert "--labelled" in capsys.readouterr().err
