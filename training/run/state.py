"""What the steps of a run change (weights, optimiser, place in the run), and how that starts."""

import dataclasses
import threading
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hgld import losses
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.images import seed_of
from hgld.training.methods import CSL, Batch, Cost, TrainingMethod
from hgld.training.model.embed import choose_device, place_model
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.layer import VectorLayer
from hgld.training.model.saved import load_model


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of the processes that train one model together this one is.

    Each embeds a part of every batch. What the others embedded is gathered, so that each process
    computes the loss of the whole batch, and of its gradient takes its own part back through the
    model; the gradients of all that is learned are then summed. So N processes take the step of
    one, whatever the loss: no part of it is averaged. Only the first writes.
    """

    rank: int = 0
    count: int = 1
    stopping: threading.Event = field(default_factory=threading.Event)
    """To be set where the first is to write a checkpoint after its step, and to end."""

    def own(self, rows: Tensor) -> Tensor:
        """Returns the rows of a whole batch that are this process's.

        Args:
            rows: (B, ...), B a multiple of the number of processes.

        Returns:
            (B / count, ...), a view.
        """
        size = len(rows) // self.count
        return rows[self.rank * size : (self.rank + 1) * size]

    def gathered(self, rows: Tensor) -> Tensor:
        """Returns the rows of all processes, in their order, without gradient.

        Args:
            rows: (B / count, ...), of this process.

        Returns:
            (B, ...); where there is one process, the rows themselves.
        """
        if self.count == 1:
            return rows.detach()
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        distributed.all_gather(parts, rows.detach().contiguous())
        return torch.cat(parts)

    def shared(self, content: dict[str, object]) -> dict[str, object]:
        """Returns what the first process passes, in each of them.

        Args:
            content: tensors, numbers, texts, and lists and dicts of them; those that the other
                processes pass count for nothing.
        """
        if self.count == 1:
            return content
        passed = [content]
        distributed.broadcast_object_list(passed, src=0)
        return passed[0]

    def sum_gradients(
        self, parts: Iterable[nn.Parameter], wholes: Iterable[nn.Parameter] = ()
    ) -> None:
        """Replaces gradients by those of the whole batch, equal in all processes to the last bit.

        Args:
            parts: weights whose gradient is of this process's part of a batch: they are summed.
            wholes: weights whose gradient each process has of the whole batch, up to rounding:
                their mean is taken. Of both, which have a gradient must be the same everywhere.
        """
        if self.count == 1:
            return
        whole = [one.grad for one in wholes if one.grad is not None]
        for gradient in whole:
            gradient.div_(self.count)
        gradients = [*(one.grad for one in parts if one.grad is not None), *whole]
        total = torch.cat([one.flatten() for one in gradients])  # in one message, not in hundreds
        distributed.all_reduce(total)
        summed = torch.split(total, [one.numel() for one in gradients])
        for gradient, one in zip(gradients, summed, strict=True):
            gradient.copy_(one.view_as(gradient))


class MethodLoss(nn.Module):
    """The loss of a training method, with the proxies and the memory it keeps.

    A memory adds the embeddings of past batches to what a batch is compared with. Methods that
    compare images rank them too. Those that compare images with proxies only (as CSL and NSM do)
    have the decomposability loss against the memory added, with weight 1: the contrastive loss
    that cross-batch memory was published with, in the form that ROADMAP gave it.

    Attributes:
        proxies: (C, D) parameter, a direction for each landmark; None where the method has none.

    Example:
        >>> from hgld.training.methods import NSM
        >>> landmarks = torch.tensor([[0, 0], [1, 0]])
        >>> loss = MethodLoss(NSM(temperature=1.0), landmarks, embedding_dim=2)
        >>> embeddings, labels = torch.eye(2)[[0, 0, 1]], landmarks[[0, 0, 1]]
        >>> loss(embeddings, labels).total.backward()
        >>> loss.proxies.grad.shape
        torch.Size([2, 2])
    """

    landmark_labels: Tensor

    def __init__(
        self,
        method: TrainingMethod,
        landmark_labels: Tensor,
        embedding_dim: int,
        *,
        seed: int = 0,
        memory_size: int = 0,
    ) -> None:
        """Makes the proxies and the memory that the method needs.

        Args:
            method: its settings.
            landmark_labels: (C, L) int64, the labels of each landmark at every level: that of
                landmark c in row c.
            embedding_dim: D.
            seed: what the proxies are drawn from.
            memory_size: embeddings of past batches to keep; 0: none.

        Raises:
            ValueError: the method does not fit the levels.
        """
        super().__init__()
        self.method = method
        self.register_buffer("landmark_labels", landmark_labels.clone())
        landmarks, levels = landmark_labels.shape
        if isinstance(method, CSL) and len(method.margins) != levels:
            raise ValueError(
                f"margins of method csl must be one a level, {levels}, got {list(method.margins)}"
            )
        self.proxies = None
        if method.compares_with != "images":
            generator = torch.Generator().manual_seed(seed_of(f"proxies, seed {seed}"))
            drawn = torch.randn(landmarks, embedding_dim, generator=generator)
            # Of unit norm: the longer a proxy, the less a step of Adam turns it. A larger learning
            # rate for them made retrieval worse (demo, 2 epochs at 3e-4: H-AP 0.67; with 1e-3 for
            # proxies 0.64).
            self.proxies = nn.Parameter(functional.normalize(drawn, dim=1))
        self.memory = None
        if memory_size:
            self.memory = losses.CrossBatchMemory(memory_size, embedding_dim, levels)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Cost:
        """Computes the loss of a batch.

        Args:
            embeddings: (B, D) unit norm, float32.
            labels: (B, L) int64; column 0 numbers the landmarks from 0.

        Returns:
            The loss and its parts.
        """
        memory = self.memory if self.memory is not None and len(self.memory) else None
        ranks = self.method.compares_with != "proxies"
        references, reference_labels = (
            memory.with_batch(embeddings, labels) if memory is not None and ranks else (None, None)
        )
        batch = Batch(
            embeddings=embeddings,
            labels=labels,
            references=references,
            reference_labels=reference_labels,
            proxies=embeddings[:0] if self.proxies is None else self.proxies,
            proxy_labels=self.landmark_labels,
        )
        cost = self.method.cost(batch)
        if memory is None or ranks:
            return cost
        past, past_labels = memory.contents()
        spread = losses.decomposability_loss(
            embeddings, labels, ref_embeddings=past, ref_labels=past_labels
        )
        return Cost(cost.total + spread, {self.method.name: cost.total, "memory": spread})


def landmark_labels(labels: Tensor) -> Tensor:
    """Returns the labels of each landmark, from those of its images.

    Args:
        labels: (N, L) int64; column 0 numbers the landmarks from 0, and each has an image.

    Returns:
        (C, L) int64, those of landmark c in row c.

    Example:
        >>> landmark_labels(torch.tensor([[1, 0], [0, 4], [1, 0]])).tolist()
        [[0, 4], [1, 0]]
    """
    of_each = labels.new_empty(int(labels[:, 0].max()) + 1, labels.shape[1])
    of_each[labels[:, 0]] = labels
    return of_each


@dataclass(slots=True, kw_only=True)
class RunState:
    """What steps change, and what they add up for the log."""

    model: EmbeddingModel | VectorLayer
    """What is trained: all of a model, or of a frozen one its layer."""
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
    def result(self) -> EmbeddingModel | VectorLayer:
        """What the run is to leave: the average, where there is one."""
        averaged = self.model if self.average is None else self.average.module
        return typing.cast("EmbeddingModel | VectorLayer", averaged)

    def begin(self) -> None:
        """Lets the average begin with the weights that there are, before the first step."""
        if self.average is not None:
            self.average.module.load_state_dict(self.model.state_dict())

    def content(self) -> dict[str, object]:
        """Returns what a checkpoint holds."""
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            "step": self.step,
            "sums": self.sums,
            "summed": self.summed,
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Takes over what `content` returned, of a run of the same settings and images."""
        for name, part in self._parts().items():
            if content[name]:  # a scaler that does nothing has no state
                part.load_state_dict(content[name])
        self.step, self.summed = content["step"], content["summed"]
        self.sums = dict(content["sums"])

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

    def _parts(self) -> dict[str, Any]:
        average = {} if self.average is None else {"average": self.average}
        parts = {"model": self.model, "loss": self.loss, **average}
        return {**parts, "optimiser": self.optimiser, "scaler": self.scaler}


def start_run(
    config: TrainConfig,
    landmarks: Tensor,
    ranks: Ranks | None = None,
    layer: VectorLayer | None = None,
) -> RunState:
    """Builds the model, the loss and the optimiser of a run, before its first step.

    Args:
        config: of the run.
        landmarks: (C, L) int64, the labels of each landmark.
        ranks: which of the processes that train together this is.
        layer: of a frozen run, what is trained.

    Returns:
        The run, on the device of the settings.

    Raises:
        InputError: a backbone, weights or a device that cannot be had, or a method that does not
            fit the levels.
        FetchError: weights cannot be fetched.
    """
    place = choose_device(config.device)
    model = place_model(_new_model(config) if layer is None else layer, place)
    model.train()
    try:
        loss = MethodLoss(
            config.method,
            landmarks,
            model.embedding_dim,
            seed=config.seed,
            memory_size=config.memory_size,
        ).to(place)
    except ValueError as error:
        raise InputError(f"[train] {error}") from error
    average = None
    if config.average_decay:
        decayed = get_ema_multi_avg_fn(config.average_decay)  # type: ignore[no-untyped-call]
        average = AveragedModel(model, multi_avg_fn=decayed)
    return RunState(
        model=model,
        loss=loss,
        optimiser=_make_optimiser(model, loss.proxies, config),
        scaler=torch.amp.GradScaler(place.type, enabled=config.precision == "float16"),
        average=average,
        ranks=ranks or Ranks(),
    )


def _new_model(config: TrainConfig) -> EmbeddingModel:
    """Builds the model of a run all of which is trained.

    Raises:
        InputError: as `start_run`.
        FetchError: weights cannot be fetched.
    """
    # A run that starts from another one's model needs no weights of its backbone.
    built = dataclasses.replace(config.model, weights="random") if config.init else config.model
    model = build_model(built, seed=config.seed)
    if config.crop_side != config.image_size and not model.takes_any_size:
        raise InputError(
            f"[train] crop_size must be image_size ({config.image_size}) or left out, got "
            f"{config.crop_size}: {config.backbone} takes images of one size only"
        )
    model.config = config.model
    return model


def _make_optimiser(
    model: EmbeddingModel | VectorLayer, proxies: nn.Parameter | None, config: TrainConfig
) -> torch.optim.Optimizer:
    """Returns an optimiser, whose groups each have a `factor` of the learning rate."""
    decay = config.weight_decay
    groups: list[dict[str, Any]] = []
    layer: nn.Module | None = model
    if isinstance(model, EmbeddingModel):
        groups, layer = [{"params": list(model.backbone.parameters())}], model.projection
        if config.layer_decay != 1:
            from timm.optim import param_groups_layer_decay  # type: ignore[attr-defined]

            groups = param_groups_layer_decay(
                model.backbone, weight_decay=decay, layer_decay=config.layer_decay
            )
    if layer is not None:
        groups.append({"params": list(layer.parameters())})
    if proxies is not None:
        # Only their direction counts.
        groups.append({"params": [proxies], "weight_decay": 0.0})
    for group in groups:
        group["factor"] = group.pop("lr_scale", 1.0)
    kind = torch.optim.Adam if config.optimiser == "adam" else torch.optim.AdamW
    # Of a layer the proxies are most of a step: in one pass they take a seventh of the time.
    is_fused = isinstance(model, VectorLayer)
    return kind(groups, lr=config.learning_rate, weight_decay=decay, fused=is_fused or None)


def take_over(model: EmbeddingModel, workspace: Workspace, config: TrainConfig) -> None:
    """Gives a model the weights of an earlier run's, fitted to its own image size.

    Args:
        model: of a new run.
        workspace: of the build.
        config: of the run; `init` names the earlier one.

    Raises:
        InputError: there is no model, or it is of another architecture.
        DamagedError: it is not what its run wrote.
    """
    earlier = load_model(workspace.path(config.init), image_size=config.image_size).state_dict()
    earlier.pop("centre", None)  # of its own training images, taken once all was learned
    centre = {} if model.centre is None else {"centre": model.centre}
    try:
        model.load_state_dict({**earlier, **centre})
    except RuntimeError as error:
        raise InputError(
            f"init must name a run of the same backbone, pooling and embedding_dim, got "
            f"{config.init!r}: {error}"
        ) from error
