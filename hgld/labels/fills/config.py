"""The settings of the stage `fill`, and the stage that they make it."""

from dataclasses import dataclass, replace

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import (
    CATEGORIES,
    CLASSES,
    FILL_CHECKS,
    FILL_DECISIONS,
    FILLS,
    LANDMARKS,
    PARENTS,
    PICTURE_VOTES,
    TAXONOMY,
)

PARENTS_FILE = f"{PARENTS.path}/00000.parquet"

STAGE = Stage(
    name="fill",
    version=3,
    inputs=(LANDMARKS, CATEGORIES, CLASSES, TAXONOMY, FILL_DECISIONS),
    input_files=(PARENTS_FILE,),  # a build may lack it, and fills do without
    outputs=(FILLS, FILL_CHECKS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillConfig:
    """Settings of the stage."""

    precision: float = setting(
        0.95,
        "How many of the labels that are given have to be right, from 0 to 1, as measured on "
        "labelled landmarks held out; less sure guesses are no labels.",
    )
    pictures: bool = setting(
        False, "Whether the votes of `hgld look` count too; it has to have finished."
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a precision that is none.
        """
        check_settings(self)
        if not 0 < self.precision <= 1:
            raise ValueError(f"precision must be above 0 and at most 1, got {self.precision}")


def fill_stage(config: FillConfig) -> Stage:
    """Returns the stage with the inputs that the settings make it read."""
    return replace(STAGE, inputs=(*STAGE.inputs, PICTURE_VOTES)) if config.pictures else STAGE
