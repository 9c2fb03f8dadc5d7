"""What the steps of a run change: the weights, the optimiser, and where the run is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from hgld.training.model.embedding import EmbeddingModel

LOGGED = ("loss", "sup_hap", "clustering", "gradient_norm")


@dataclass(slots=True, kw_only=True)
class RunState:
    """What steps change, and what they add up for the log."""

    model: EmbeddingModel
    proxies: nn.Parameter
    """(landmarks, D), a direction for each landmark."""
    optimiser: torch.optim.Adam
    step: int = 0
    """Steps done."""
    decay: float = 1.0
    """Of the learning rate, from 1 at the start to 0 at the end."""
    sums: Tensor = field(default_factory=lambda: torch.zeros(len(LOGGED), dtype=torch.float64))
    """Of what is logged, over the steps since the last line."""
    summed: int = 0

    def content(self) -> dict[str, object]:
        """Returns what a checkpoint holds."""
        return {
            "model": self.model.state_dict(),
            "proxies": self.proxies.detach(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "sums": self.sums,
            "summed": self.summed,
        }

    def restore(self, content: Mapping[str, object], steps: int) -> None:
        """Takes over what a checkpoint held, all of it or nothing.

        Args:
            content: as `content` returned it.
            steps: of the whole run.

        Raises:
            ValueError: it does not fit this run; the text says what does not.
        """
        step, summed = (_count(content, name, most=steps) for name in ("step", "summed"))
        model = _tensors(content.get("model"), self.model.state_dict(), "model")
        others = {"proxies": self.proxies, "sums": self.sums}
        flat = _tensors({name: content.get(name) for name in others}, others, "checkpoint")
        moments = self._moments(content.get("optimiser"))
        self.model.load_state_dict(model)
        with torch.no_grad():
            self.proxies.copy_(flat["proxies"])
        # The settings of the optimiser are those of the run, whatever the file says.
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        self.step, self.summed, self.sums = step, summed, flat["sums"].clone()

    def means(self) -> dict[str, float]:
        """Returns the means since the last line, and the learning rate of the last step."""
        means = dict(zip(LOGGED, (self.sums / self.summed).tolist(), strict=True))
        self.sums, self.summed = torch.zeros_like(self.sums), 0
        return {**means, "learning_rate": self.optimiser.param_groups[0]["lr"]}

    def _moments(self, optimiser: object) -> dict[int, dict[str, Tensor]]:
        """Returns what Adam keeps of each parameter, by its number.

        A parameter that has had no gradient yet has none.
        """
        match optimiser:
            case {"state": dict(state)}:
                pass
            case _:
                raise ValueError("its optimiser has no state")
        parameters = [one for group in self.optimiser.param_groups for one in group["params"]]
        moments = {}
        for number, kept in state.items():
            if not isinstance(number, int) or not 0 <= number < len(parameters):
                raise ValueError(f"its optimiser knows a parameter {number!r} that is not there")
            parameter = parameters[number]
            like = {"step": torch.tensor(0.0), "exp_avg": parameter, "exp_avg_sq": parameter}
            moments[number] = _tensors(kept, like, f"optimiser, parameter {number}")
        return moments


def _count(content: Mapping[str, object], name: str, *, most: int) -> int:
    value = content.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 0 to {most}, got {value!r}")
    return value


def _tensors(got: object, like: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Returns tensors that have the names, shapes and types of others, and finite values."""
    if not isinstance(got, dict) or got.keys() != like.keys():
        raise ValueError(f"{where}: it has other tensors than this run")
    for name, wanted in like.items():
        value = got[name]
        wants = f"{tuple(wanted.shape)} {wanted.dtype}"
        has = f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else "no tensor"
        if has != wants:
            raise ValueError(f"{where}: {name} is {has}, and in this run {wants}")
        if not value.isfinite().all():
            raise ValueError(f"{where}: {name} is not finite")
    return got
