"""The settings of the stage `look`, and the stage that they make it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.labels.looks.clip import PixelNormalisation
from hgld.tables import CLASSES, IMAGE_FILES, IMAGES, LANDMARKS, PICTURE_VOTES, TAXONOMY

_SPLITS = ("train", "index")

STAGE = Stage(
    name="look",
    version=1,
    inputs=(LANDMARKS, IMAGES, CLASSES, TAXONOMY, *(IMAGE_FILES[split] for split in _SPLITS)),
    outputs=(PICTURE_VOTES,),
)

_MOST_PICTURES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LookConfig:
    """Settings of the stage."""

    model: str = setting("ViT-L-14", "Name of an open_clip model.")
    weights: str = setting("laion2b_s32b_b82k", "A tag of that model's weights, or a file.")
    normalisation: PixelNormalisation = setting(
        "auto",
        "Mean and deviation of the pixels that the model was trained with. auto: those of the tag, "
        "and of a file those of clip. inception: 1/2, as laion2b_s32b_b82k has.",
    )
    prompt: str = setting(
        "A picture of a {label}",
        "The text that pictures are compared with; {label} stands for the super-category.",
    )
    names: Path | None = setting(
        None,
        "A CSV file of what pictures may show, with the columns hierarchical_label and "
        "natural_or_human_made; none: the super-categories that the taxonomy has in use.",
        changes_rows=False,
    )
    split: Literal["", "train", "index"] = setting(
        "", "The one split whose landmarks are looked at; none: both."
    )
    train: Literal["clean", "all"] = setting(
        "clean", "Which train images are looked at: those of train_clean.csv, or all."
    )
    checked: int = setting(
        500,
        "Landmarks of a split that have a label and are looked at as well: they show `hgld fill` "
        "how often pictures are right.",
    )
    pictures: int = setting(30, "Pictures of a landmark that are looked at, at most.")
    min_share: float = setting(
        0.5, "Share of a landmark's pictures that must agree on a label, from 0 to 1."
    )
    min_confidence: float = setting(
        0.5, "How sure those pictures must be of it on average, from 0 to 1."
    )
    landmarks_per_shard: int = setting(
        500, "Landmarks in a file; a run that was killed looks at no more than so many again."
    )
    workers: int = setting(4, "Threads that read and decode pictures.", changes_rows=False)

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a prompt without `{label}`, a share or confidence that is none, or a count
                of nothing, or below it.
        """
        check_settings(self)
        if "{label}" not in self.prompt:
            raise ValueError(f"prompt must contain {{label}}, got {self.prompt!r}; add it")
        for name in ("min_share", "min_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if self.checked < 0:
            raise ValueError(f"checked must be 0 or more, got {self.checked}")
        for name in ("pictures", "landmarks_per_shard", "workers"):
            if not 1 <= getattr(self, name) <= _MOST_PICTURES:
                raise ValueError(
                    f"{name} must be from 1 to {_MOST_PICTURES:,}, got {getattr(self, name)}"
                )

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits whose landmarks are looked at."""
        return (self.split,) if self.split else _SPLITS


def look_stage(config: LookConfig) -> Stage:
    """Returns the stage with the inputs that the settings make it read."""
    unread = [IMAGE_FILES[split] for split in _SPLITS if split not in config.splits]
    return replace(STAGE, inputs=tuple(one for one in STAGE.inputs if one not in unread))
