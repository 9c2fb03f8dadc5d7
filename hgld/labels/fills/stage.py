"""Stage `fill`: a label for landmarks that no class gives one, or why there is none.

What is guessed, of what, and how sure that is: `guessing`. A guess is a label where guesses as sure
as it are right as often as `[fill] precision` says; else it stays a guess, with the reason. What a
person accepted is the label; what a person refused is not guessed again of that category, and such
names are less sure of that super-category, and of no other.
"""

import logging
from collections import Counter

import pyarrow as pa

from hgld.engine.config import row_settings
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.fills.config import FILLS_PAGE, STAGE, FillConfig, fill_stage
from hgld.labels.fills.explaining import Explainer
from hgld.labels.fills.guessing.combining import guess
from hgld.labels.fills.guessing.lexicon import read_lexicon
from hgld.labels.fills.landmarks import Build, read_build
from hgld.labels.fills.page import fills_page
from hgld.labels.fills.rows import check_rows, fill_rows, nothing_to_choose, told_guesses
from hgld.labels.scikit_learn import library_settings, one_thread
from hgld.tables import FILL_CHECKS, FILLS

__all__ = ["STAGE", "FillConfig", "fill_stage", "run_fill"]

logger = logging.getLogger(__name__)


def run_fill(workspace: Workspace, config: FillConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `metadata`, `scrape`, `review` and `decided` have finished, and
            `look` where the votes of pictures are to count. Parents count where there are any.
        config: the settings.

    Returns:
        The report; `rows` counts landmarks, those without a label among the problems, and the
        guesses that were checked.

    Raises:
        MissingInputError: one of these has not, or the extra `cluster` is not installed.
    """
    settings = row_settings(config) | library_settings(workspace, STAGE.name)
    return run_stage(
        workspace,
        fill_stage(config),
        settings,
        lambda writer: _produce(workspace, config, writer),
    )


def _produce(workspace: Workspace, config: FillConfig, writer: StageWriter) -> None:
    with one_thread("fill"):
        build = read_build(workspace, config)
        fills, checks = _filled(build, config)
    writer.write(FILLS, "fills", fills)
    writer.write(FILL_CHECKS, "checks", checks)
    with writer.file(FILLS_PAGE) as path:
        path.write_text(fills_page(fills, checks, config.precision), encoding="utf-8")
    counts = Counter(fills["status"].to_pylist())
    logger.info(
        "fill: %s", ", ".join(f"{counts[status]:,} {status}" for status in sorted(counts)) or "none"
    )


def _filled(build: Build, config: FillConfig) -> tuple[pa.Table, pa.Table]:
    if not build.known.labels:
        logger.warning("fill: no class has a super-category yet; there is nothing to choose from")
        return nothing_to_choose(build), FILL_CHECKS.schema.empty_table()
    lexicon = read_lexicon()
    refused = {
        row: build.decided.refused[category]
        for row, category in enumerate(build.asked.categories)
        if category is not None and category in build.decided.refused
    }
    guesses = guess(
        build.known,
        build.asked.subjects,
        refused,
        lexicon=lexicon,
        precision=config.precision,
        say=lambda text: logger.info("fill: %s", text),
    )
    told = told_guesses(
        build.asked.subjects,
        build.known,
        guesses,
        Explainer(lexicon, build.known),
        config.precision,
    )
    return fill_rows(build, told), check_rows(build, guesses)
