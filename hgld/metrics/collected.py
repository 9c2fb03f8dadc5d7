"""H-AP as a metric of torchmetrics, for loops of one's own, Lightning's and others'."""

from torch import Tensor

from hgld.errors import needing
from hgld.metrics.arguments import EvaluationSettings, check_tensors, label_matrix
from hgld.metrics.evaluation import DEFAULT_SETTINGS, evaluate

_NAME = "hgld.metrics.HierarchicalAveragePrecision"
with needing("torchmetrics", _NAME, kind=ModuleNotFoundError):
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat


class HierarchicalAveragePrecision(Metric):
    """Mean H-AP of a set of items, each of which searches all others.

    Embeddings are collected batch by batch and, over all processes, ranked at the end. Give `ids`
    where several processes share out a data set: their samplers repeat items so that all have as
    many, and a repeated id counts once. With ids the value depends neither on the batches nor on
    the number of processes, also where similarities tie.

    Example:
        >>> import torch
        >>> metric = HierarchicalAveragePrecision()
        >>> metric.update(torch.eye(3)[[0, 0]], torch.tensor([[4, 0], [4, 0]]))
        >>> metric.update(torch.eye(3)[[1, 2]], torch.tensor([[5, 1], [6, 2]]))
        >>> metric.compute().item()  # the last two have nothing to find
        1.0

    Source:
        See `hierarchical_average_precision` and `evaluate`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    embeddings: list[Tensor]
    labels: list[Tensor]
    ids: list[Tensor]

    def __init__(self, settings: EvaluationSettings = DEFAULT_SETTINGS, **options: object) -> None:
        """Makes an empty metric.

        Args:
            settings: how relevant an item is, and the memory to rank in.
            **options: of `torchmetrics.Metric`, such as `compute_on_cpu`.
        """
        super().__init__(**options)
        self.settings = settings
        for name in ("embeddings", "labels", "ids"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, embeddings: Tensor, labels: Tensor, ids: Tensor | None = None) -> None:
        """Adds a batch.

        Args:
            embeddings: (B, D) floating point, of unit length for cosine similarity.
            labels: (B, L) integers, column 0 the finest level; (B,) where there is one level.
            ids: (B,) integers, such as the positions in the data set; for all batches or none.

        Raises:
            TypeError: what is no tensor, or labels or ids that are no integers.
            ValueError: shapes that do not fit, or ids for some batches only.
        """
        check_tensors(embeddings=embeddings)
        matrix = label_matrix("labels", labels)
        if ids is not None:
            ids = label_matrix("ids", ids)[:, 0]
        rows = (len(embeddings), len(matrix), len(matrix if ids is None else ids))
        if (embeddings.ndim, matrix.ndim) != (2, 2) or len(set(rows)) > 1:
            raise ValueError(
                "embeddings must have shape (B, D), labels (B, L) and ids (B,), got "
                f"{tuple(embeddings.shape)} and {tuple(labels.shape)}, and {rows[2]} ids"
            )
        if self.embeddings and (ids is None) == bool(self.ids):
            raise ValueError("ids must be given for all batches or for none")
        self.embeddings.append(embeddings.detach())
        self.labels.append(matrix.long())
        if ids is not None:
            self.ids.append(ids.long())

    def compute(self) -> Tensor:
        """Ranks all items for each.

        Returns:
            A float64 scalar, the mean over the items that have anything to find; NaN where none
            has.

        Raises:
            ValueError: there was no batch, or an embedding is not finite.
            TypeError: embeddings that are not floating point.
        """
        embeddings, labels = dim_zero_cat(self.embeddings), dim_zero_cat(self.labels)
        if len(self.ids):
            ids, order = dim_zero_cat(self.ids).sort(stable=True)
            chosen = order[ids.diff(prepend=ids[:1] - 1) != 0]
            embeddings, labels = embeddings[chosen], labels[chosen]
        every = range(len(embeddings))
        found = evaluate(
            *(embeddings, labels, embeddings, labels),
            query_ids=every,
            index_ids=every,
            settings=self.settings,
        )
        return found.per_query["h_ap"].nanmean()
