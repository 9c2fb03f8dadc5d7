"""Which landmarks are held out, and how well their images find one another, measured amid a run."""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hgld.engine.progress import progress
from hgld.metrics import EvaluationSettings, evaluate
from hgld.metrics.relevance import UNKNOWN
from hgld.training.data.images import EvalImages, load_batches
from hgld.training.data.labels import LabelledImages
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import enough_memory

_BITS = 1 << 53
"""As many as a float can tell apart."""
_FEWEST = 2
"""Landmarks: of one alone, every answer to a query is right."""
# No recalls: nothing of them is shown, and counting them takes time.
_SETTINGS = EvaluationSettings(recall_at=(), average_precision_at=(), mistake_severity_at=())
_BATCH = 64
"""Pictures at a time."""


def hold_out_landmarks(
    labels: Tensor, names: Sequence[Sequence[str]], *, share: float = 0.1, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Holds out a share of the landmarks of each super-category, with all of their images.

    Of a super-category of n landmarks, floor(share n + u) are held out and one stays at least,
    u in [0, 1) drawn from the super-category's name: on average that is the share, of small
    super-categories too, of which rounding would hold out none. Which ones is the order of the
    digests of their ids. Numbers of landmarks and ids decide alone, so another image of a landmark
    goes where the landmark is, and another landmark moves at most one of its super-category.

    Args:
        labels: (N, L) int64, finest level first, each the position of its name in `names`. A
            landmark whose images name several super-categories counts for the first of them by
            name; with one level all are of one super-category.
        names: L sequences, the names of the labels by level (`LabelledImages.names`).
        share: of the landmarks, above 0 and below 1.
        seed: another one holds out others.

    Returns:
        The positions of the images to train on, (n,) int64, and to validate on, (m,); both ascend,
        and every image is in one of them. Each of the latter queries all others, itself excluded,
        as is usual where one set is searched (CUB, SOP, iNaturalist), so that no image is lost to
        being an index image only.

    Raises:
        ValueError: fewer than two landmarks are left on one side.

    Example:
        >>> labels = torch.tensor([[0, 0], [1, 0], [0, 0], [2, 0], [3, 0]])
        >>> names = [["31", "907", "55", "8"], ["church"]]
        >>> train, validation = hold_out_landmarks(labels, names, share=0.5)
        >>> train.tolist(), validation.tolist()
        ([0, 2, 3], [1, 4])
    """
    chosen = torch.zeros(len(names[0]), dtype=torch.bool)
    members = _members(labels, names)
    for supercategory, landmarks in members.items():
        drawn = math.floor(share * len(landmarks) + _unit(f"{seed}, {supercategory}"))
        order = sorted(landmarks, key=lambda one: _unit(f"{seed}, landmark {names[0][one]}"))
        chosen[order[: min(drawn, len(landmarks) - 1)]] = True
    held, landmarks_of_all = int(chosen.sum()), sum(map(len, members.values()))
    if not _FEWEST <= held <= landmarks_of_all - _FEWEST:
        raise ValueError(
            f"share must hold out at least {_FEWEST} landmarks and leave as many, got {share}, "
            f"which holds out {held} of {landmarks_of_all} in {len(members)} super-categories; "
            f"choose another share, or do without validation"
        )
    is_held = chosen[labels[:, 0]]
    return (~is_held).nonzero().squeeze(1), is_held.nonzero().squeeze(1)


def images_at(images: LabelledImages, positions: Tensor) -> LabelledImages:
    """Returns some of the images, their labels numbered anew, so that each is carried by one.

    Args:
        images: N images.
        positions: (n,) int64, which of them, in the order wanted.

    Returns:
        n images; the names of each level keep their order.
    """
    chosen = images.at(positions.tolist())
    labels, names = [], []
    for column, called in zip(chosen.labels.unbind(1), images.names, strict=True):
        kept = torch.unique(column[column != UNKNOWN])
        is_known = column != UNKNOWN
        number = torch.searchsorted(kept, column.contiguous())
        labels.append(torch.where(is_known, number, UNKNOWN))
        ends = () if bool(is_known.all()) else called[-1:]
        names.append((*(called[label] for label in kept.tolist()), *ends))
    return dataclasses.replace(chosen, labels=torch.stack(labels, dim=1), names=tuple(names))


def _members(labels: Tensor, names: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Returns the landmarks of each super-category that images are of, by its name."""
    of_landmark: dict[int, str] = {}
    for landmark, *coarser in torch.unique(labels[:, :2], dim=0).tolist():
        name = names[1][coarser[0]] if coarser else ""
        of_landmark[landmark] = min(name, of_landmark.get(landmark, name))
    members: dict[str, list[int]] = {}
    for landmark, name in of_landmark.items():
        members.setdefault(name, []).append(landmark)
    return members


def _unit(text: str) -> float:
    """Returns a number in [0, 1) that is the text's own on every machine."""
    digest = hashlib.sha256(f"hold out, seed {text}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / _BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What one look at the held-out images gave."""

    means: dict[str, float]
    """`h_ap` and `map_landmark`, `map_supercategory`, `map_top`: from 0 to 1, NaN where no query
    has anything to find."""
    undefined: dict[str, int]
    """Of each, the queries that have nothing to find, and are no part of the mean."""
    h_ap: Tensor
    """(m,) float64 of each query, NaN where it is undefined."""
    embeddings: Tensor
    """(m, D) float32 on the CPU."""
    mean_similarity: float
    """See `mean_similarity`."""

    def line(self) -> dict[str, float | int | None]:
        """Returns what the log has of it, as JSON has it: None where nothing is defined."""
        numbers = {**self.means, "mean_similarity": self.mean_similarity}
        return {
            **{key: value if math.isfinite(value) else None for key, value in numbers.items()},
            "queries": len(self.embeddings),
            **{f"undefined_{key}": count for key, count in self.undefined.items()},
        }


def measure_images(
    model: nn.Module, images: LabelledImages, config: ModelConfig, *, workers: int = 0
) -> Validation:
    """Embeds held-out images and has each search all others.

    Args:
        model: that of the run, or the moving average of its weights; uint8 (B, 3, S, S) to unit
            vectors (B, D). Each of its modules keeps its mode, and every random generator its
            state: the run goes on as if nothing had been.
        images: the held-out ones.
        config: how pictures are resized (`resize_picture`).
        workers: processes that read images; 0: this process itself.

    Raises:
        InputError: an image cannot be read, or there is not enough memory.
        DamagedError: an image is not what was recorded.
    """
    dataset = EvalImages(images.files(), config)
    place = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    # No model should draw numbers in evaluation; one that does takes none from the run.
    generators = torch.random.fork_rng(devices=[place] if place.type == "cuda" else [])
    batches: list[Tensor] = []
    places: list[int] = []
    try:
        # Not inference mode: what a model keeps for later, such as positions at a new size, could
        # take no part in a gradient ever after.
        with torch.no_grad(), generators, progress("validate: images", len(dataset)) as advance:
            model.eval()
            for rows, pixels, _ in load_batches(dataset, batch_size=_BATCH, workers=workers):
                with enough_memory(place, len(pixels), config.image_size):
                    batches.append(model(pixels.to(place)).float().cpu())
                places += rows
                advance(len(rows))
    finally:
        for module, mode in modes:
            module.training = mode
    in_order = torch.tensor(places).argsort()
    return measure_embeddings(torch.cat(batches)[in_order], images.labels)


def measure_embeddings(embeddings: Tensor, labels: Tensor) -> Validation:
    """Measures how well images find one another: each is a query, and all others its index.

    Args:
        embeddings: (m, D) float32, unit norm; m is at least 2, a query and what it searches.
        labels: (m, L) int64, finest level first.

    Returns:
        H-AP and, for each level, the mean of the average precision over the whole ranking.

    Raises:
        ValueError: shapes that do not fit, or a value that is not finite.

    Example:
        >>> embeddings = torch.eye(3)[[0, 0, 1]]
        >>> found = measure_embeddings(embeddings, torch.tensor([[4, 0], [4, 0], [5, 1]]))
        >>> found.means, found.undefined["h_ap"]
        ({'h_ap': 1.0, 'map_landmark': 1.0, 'map_supercategory': 1.0}, 1)
    """
    keys = level_keys(labels.shape[1])
    evaluation = evaluate(
        *(embeddings, labels, embeddings, labels),
        query_ids=torch.arange(len(embeddings)),
        index_ids=torch.arange(len(embeddings)),
        level_names=keys,
        settings=_SETTINGS,
    )
    shown = {"h_ap": "h_ap", **{f"map_{key}": f"ap_{key}" for key in keys}}
    means, undefined = evaluation.means(), evaluation.undefined()
    return Validation(
        means={name: means[key] for name, key in shown.items()},
        undefined={name: undefined[key] for name, key in shown.items()},
        h_ap=evaluation.per_query["h_ap"],
        embeddings=embeddings,
        mean_similarity=mean_similarity(embeddings),
    )


def level_keys(levels: int) -> list[str]:
    """Returns how the log names L levels, finest first.

    Example:
        >>> level_keys(3), level_keys(4)
        (['landmark', 'supercategory', 'top'], ['landmark', 'supercategory', 'level2', 'top'])
    """
    middle = [f"level{number}" for number in range(2, levels - 1)]
    top = ["top"] if levels > 2 else []  # noqa: PLR2004 - the two levels below it
    return [*["landmark", "supercategory"][:levels], *middle, *top]


def mean_similarity(embeddings: Tensor) -> float:
    """Returns the mean cosine of two different embeddings: near 1 where all images look the same.

    Of unit vectors x_i it is (|sum_i x_i|^2 - n) / (n (n - 1)), so no matrix of pairs is needed.

    Args:
        embeddings: (n, D), of any norm but 0.

    Returns:
        From -1 / (n - 1) to 1; NaN where there are fewer than two.

    Example:
        >>> mean_similarity(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))  # 0, 1 and 0
        0.333...
    """
    count = len(embeddings)
    if count < 2:  # noqa: PLR2004 - a pair
        return math.nan
    units = nn.functional.normalize(embeddings.detach().double(), dim=1)
    return float((units.sum(dim=0).square().sum() - count) / (count * (count - 1)))
