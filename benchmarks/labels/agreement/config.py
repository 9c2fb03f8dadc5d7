"""The settings of the comparison with official labels, and the stage it is; light to import."""

from dataclasses import dataclass
from pathlib import Path

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
        "CSV file of official labels, in the published format; its name says train or index. Its "
        "rows count, wherever it lies.",
        changes_rows=False,
    )
    ours: Path | None = setting(
        None,
        "Labels to compare instead of the build's: a CSV file in the published format, or a folder "
        "of such files, as of a release.",
        changes_rows=False,
    )
    peers: int = setting(
        10,
        "An official row is tested for looking wrong only where at least so many other landmarks "
        "of its class, or of its label, are officially labelled.",
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
        if self.peers < 1:
            raise ValueError(f"peers must be 1 or more, got {self.peers}")
        if self.min_accuracy is not None and not 0 <= self.min_accuracy <= 1:
            raise ValueError(f"min_accuracy must be from 0 to 1, got {self.min_accuracy}")


def agree_stage(config: AgreeConfig) -> Stage:
    """Returns the stage of a comparison: of the build's labels, or of those of a file."""
    is_build = config.ours is None
    return Stage(
        name="agree",
        version=3,
        inputs=(CLASSES, TAXONOMY) if is_build else (),
        input_files=tuple(LABEL_FILES.values()) if is_build else (),
        outputs=(SUSPECTS,),
        output_files=(AGREEMENT_FILE, AGREEMENT_PAGE, SUSPECTS_SHEET),
        result=AGREEMENT_PAGE,
    )
