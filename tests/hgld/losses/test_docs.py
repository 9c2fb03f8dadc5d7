from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from pytorch_metric_learning.trainers import MetricLossOnly
from torch import nn

from hgld.losses import ProxyLoss, RankingLoss, hxe_loss, sup_hap_loss
from tests.worlds.commands.readme import ROOT, fenced

# Of the trainer's own progress bar, once a process.
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")
_PICTURE = "docs/losses_steps.svg"


def shapes(picture: Path) -> int:
    return len(ElementTree.parse(picture).getroot().findall(".//{*}path"))  # noqa: S314 - our own file


def test_the_examples_run_and_draw_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for example in fenced(ROOT / "docs/losses.md", "python"):
        exec(example, names)  # noqa: S102 - what a reader would type
    proxies = names["happier"].clustering.proxies  # of an example that trains
    assert not torch.equal(proxies, ProxyLoss(names["clustering_loss"], 4, 64).proxies)
    assert shapes(tmp_path / _PICTURE) == shapes(ROOT / _PICTURE) > 10


LABELS = torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0], [2, 1], [2, 1]])


@pytest.mark.parametrize(
    "loss",
    [
        RankingLoss(sup_hap_loss, alpha=2.0),
        ProxyLoss(hxe_loss, 3, 4, proxy_labels=torch.unique(LABELS, dim=0)),
    ],
)
def test_a_trainer_of_pytorch_metric_learning_is_a_plain_loop(loss: nn.Module) -> None:
    vectors = nn.functional.normalize(torch.arange(24.0).sin().reshape(6, 4))
    networks = [nn.Linear(4, 4) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    steps = [torch.optim.SGD(one.parameters(), lr=0.01) for one in networks]
    for _ in range(3):
        steps[0].zero_grad()
        loss(networks[0](vectors), LABELS).backward()
        steps[0].step()
    MetricLossOnly(
        models={"trunk": networks[1]},
        optimizers={"trunk_optimizer": steps[1]},
        loss_funcs={"metric_loss": loss},
        dataset=torch.utils.data.TensorDataset(vectors, LABELS),
        sampler=torch.utils.data.SequentialSampler(vectors),
        batch_size=6,
        label_hierarchy_level="all",
        dataloader_num_workers=0,
        data_device=torch.device("cpu"),
    ).train(num_epochs=3)
    torch.testing.assert_close(networks[1].weight, networks[0].weight)


def test_proxies_take_no_pairs_of_a_miner() -> None:
    loss = ProxyLoss(hxe_loss, 3, 4, proxy_labels=torch.unique(LABELS, dim=0))
    with pytest.raises(ValueError, match="miner"):
        loss(torch.eye(6, 4), LABELS, (torch.tensor([0]), torch.tensor([1])))
