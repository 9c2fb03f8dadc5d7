"""What the steps of a run change: the weights, the optimiser, and where the run is."""

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from hgld.training.methods.loss import MethodLoss
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.together.ranks import Ranks


@dataclass(slots=True, kw_only=True)
class RunState:
    """What steps change, and what they add up for the log."""

    model: EmbeddingModel
    loss: MethodLoss
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    """Of the gradients of float16; one that does nothing at any other precision."""
    average: AveragedModel | None = None
    """The moving average of the weights, where there is one."""
    ranks: Ranks = field(default_factory=Ranks)
    step: int = 0
    """Steps done."""
    sums: dict[str, float] = field(default_factory=dict)
    """Of what is logged, by name, over the steps since the last line."""
    summed: int = 0

    @property
    def place(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def result(self) -> EmbeddingModel:
        """The model that the run is to leave: the average, where there is one."""
        averaged = self.model if self.average is None else self.average.module
        return typing.cast("EmbeddingModel", averaged)

    def begin(self) -> None:
        """Lets the average begin with the weights that there are, before the first step."""
        if self.average is not None:
            self.average.module.load_state_dict(self.model.state_dict())

    def content(self) -> dict[str, object]:
        """Returns what a checkpoint holds."""
        return {
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
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
        loss = _tensors(content.get("loss"), self.loss.state_dict(), "loss")
        averaged = {} if self.average is None else self.average.state_dict()
        average = _tensors(content.get("average"), averaged, "average")
        moments = self._moments(content.get("optimiser"))
        scaler = _numbers(content.get("scaler"), "scaler")
        if scaler.keys() != self.scaler.state_dict().keys():
            raise ValueError("its scaler has other values than that of this run")
        sums = _numbers(content.get("sums"), "sums")
        self.model.load_state_dict(model)
        self.loss.load_state_dict(loss)
        if self.average is not None:
            self.average.load_state_dict(average)
        if scaler:
            self.scaler.load_state_dict(scaler)
        # The settings of the optimiser are those of the run, whatever the file says.
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        self.step, self.summed, self.sums = step, summed, dict(sums)

    def note(self, values: Mapping[str, float]) -> None:
        """Adds what is to be logged of a step."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.summed += 1

    def means(self) -> dict[str, float]:
        """Returns the means since the last line, and the learning rate of the last step.

        Of what is logged there is nothing where each step since overflowed.
        """
        means = {name: value / self.summed for name, value in self.sums.items()}
        self.sums, self.summed = {}, 0
        return {**means, "learning_rate": max(one["lr"] for one in self.optimiser.param_groups)}

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


def _numbers(got: object, where: str) -> dict[str, float]:
    if not isinstance(got, dict) or not all(
        isinstance(name, str) and isinstance(value, int | float) and math.isfinite(value)
        for name, value in got.items()
    ):
        raise ValueError(f"{where} must be finite numbers by name")
    return got


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
