"""Stage `fill`: a label for landmarks that no class gives one, or why there is none.

What is guessed, of what, and how sure that is: `guessing`. A guess is a label where guesses as sure
as it are right as often as `[fill] precision` says; else it stays a guess, with the reason. What a
person accepted is the label; what a person refused is not guessed again of that category, and such
names are less sure of that super-category.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from hgld.engine.config import row_settings
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.fills.config import STAGE, FillConfig, fill_stage
from hgld.labels.fills.explaining import told_guesses
from hgld.labels.fills.guessing import Guesses, guess
from hgld.labels.fills.landmarks import Build, read_build
from hgld.labels.fills.lexicon import read_lexicon
from hgld.labels.scikit_learn import library_settings, one_thread
from hgld.tables import FILL_CHECKS, FILLS

__all__ = ["STAGE", "FillConfig", "fill_stage", "run_fill"]

logger = logging.getLogger(__name__)

_REVIEWED = "reviewed"
"""The method of a label that a person accepted."""


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
    return run_stage(
        workspace,
        fill_stage(config),
        row_settings(config) | library_settings(workspace, STAGE.name),
        lambda writer: _produce(workspace, config, writer),
    )


def _produce(workspace: Workspace, config: FillConfig, writer: StageWriter) -> None:
    with one_thread("fill"):
        build = read_build(workspace, config)
        fills, checks = _filled(build, config)
    writer.write(FILLS, "fills", fills)
    writer.write(FILL_CHECKS, "checks", checks)
    counts = Counter(fills["status"].to_pylist())
    logger.info(
        "fill: %s", ", ".join(f"{counts[status]:,} {status}" for status in sorted(counts)) or "none"
    )


def _filled(build: Build, config: FillConfig) -> tuple[pa.Table, pa.Table]:
    """Returns the rows of FILLS and of FILL_CHECKS."""
    if not build.known.labels:
        logger.warning("fill: no class has a super-category yet; there is nothing to choose from")
        why = "there is no super-category to choose from; decide on classes first"
        nothing = {"status": "unsure", "evidence": why, "method": "words"}
        rows = [row | nothing for row in build.asked.rows()]
        return pa.Table.from_pylist(rows, FILLS.schema), FILL_CHECKS.schema.empty_table()
    lexicon = read_lexicon()
    refused = {
        row: build.refused[category]
        for row, category in enumerate(build.asked.categories)
        if category is not None and category in build.refused
    }
    guesses = guess(
        build.known,
        build.asked.subjects,
        refused,
        lexicon=lexicon,
        precision=config.precision,
        say=lambda text: logger.info("fill: %s", text),
    )
    told = told_guesses(build.asked.subjects, build.known, guesses, lexicon, config.precision)
    return _fill_rows(build, told), _check_rows(build, guesses)


def _fill_rows(build: Build, told: Iterable[Mapping[str, Any]]) -> pa.Table:
    rows = []
    for row, guessed in zip(build.asked.rows(), told, strict=True):
        accepted = build.accepted.get(row["category"] or "")
        if accepted:
            label, side, reviewer = accepted
            how = {"confidence": 1.0, "evidence": f"{reviewer} accepted it", "method": _REVIEWED}
            rows.append(row | _labelled(label, side) | how | {"reviewer": reviewer})
            continue
        label = guessed["best_guess"]
        filled = row | _labelled(label, build.sides[label])
        if guessed["unsure"]:
            filled |= {"status": "unsure", "hierarchical_label": None}
            filled |= {"natural_or_human_made": None}
        rows.append(filled | {name: guessed[name] for name in ("confidence", "evidence", "method")})
    return pa.Table.from_pylist(rows, FILLS.schema)


def _labelled(label: str, side: str) -> dict[str, str]:
    return {
        "status": "ok",
        "hierarchical_label": label,
        "natural_or_human_made": side,
        "best_guess": label,
        "best_guess_side": side,
    }


def _check_rows(build: Build, guesses: Guesses) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "split": build.known_keys[check.row][0],
                "landmark_id": build.known_keys[check.row][1],
                "hierarchical_label": build.known.truth[check.row] or None,
                "best_guess": check.guess,
                "confidence": check.confidence,
                "method": check.method,
            }
            for check in guesses.checks
        ],
        FILL_CHECKS.schema,
    )
