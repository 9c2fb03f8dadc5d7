"""The settings of the comparison with official labels, and the stage it is; light to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import CLASSES, SUSPECTS, TAXONOMY

AGREEMENT_FILE = f"{SUSPECTS.path}/results.json"
AGREEMENT_PAGE = f"{SUSPECTS.path}/report.html"
SUSPECTS_SHEET = f"{SUSPECTS.path}/suspicious_official.csv"
"""Where a comparison leaves them, relative to the workspace."""

LABEL_FILES = {
    split: f"annotations/{split}_label_to_hierarchical.csv" for split in ("train", "index")
}
"""The labels of a build in the published format, by label space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreeConfig:
    """Settings of `hgld agree`."""

    official: tuple[Path, ...] = setting(
        (),
        "CSV file of official labels, in the published format. Its rows count, wherever it lies.",
        changes_rows=False,
    )
    split: Literal["", "train", "index"] = setting(
        "",
        "Label space of a file whose name does not say it as train_label_to_hierarchical.csv does.",
        changes_rows=False,
    )
    ours: Path | None = setting(
        None,
        "Labels to compare instead of the build's: a CSV file in the published format, or a folder "
        "of such files, as of a release.",
        changes_rows=False,
    )
    draws: int = setting(1000, "Bootstrap draws for the intervals; 0: no intervals.")
    seed: int = setting(0, "Seed of the draws.")
    peers: int = setting(
        10,
        "An official row looks wrong only where at least so many other landmarks of its class, or "
        "of its label, are officially labelled.",
    )
    rare_share: float = setting(
        0.1, "And where fewer than this share of them have what the row has."
    )
    min_accuracy: float | None = setting(
        None,
        "Least share of the officially labelled landmarks that must have the same super-category "
        "of ours; below, the command fails once everything is written.",
        changes_rows=False,
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a number out of its range.
        """
        check_settings(self)
        for name, least in (("draws", 0), ("seed", 0), ("peers", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if not 0 < self.rare_share <= 0.5:  # noqa: PLR2004 - a half is no longer rare
            raise ValueError(f"rare_share must be above 0 and at most 0.5, got {self.rare_share}")
        if self.min_accuracy is not None and not 0 <= self.min_accuracy <= 1:
            raise ValueError(f"min_accuracy must be from 0 to 1, got {self.min_accuracy}")


def agree_stage(config: AgreeConfig) -> Stage:
    """Returns the stage of a comparison: of the build's labels, or of those of a file."""
    is_build = config.ours is None
    return Stage(
        name="agree",
        version=1,
        inputs=(CLASSES, TAXONOMY) if is_build else (),
        input_files=tuple(LABEL_FILES.values()) if is_build else (),
        outputs=(SUSPECTS,),
        output_files=(AGREEMENT_FILE, AGREEMENT_PAGE, SUSPECTS_SHEET),
        result=AGREEMENT_PAGE,
    )
