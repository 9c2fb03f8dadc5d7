"""The comparison of a build's labels, or of a release's, with official ones."""

import csv
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from hgld import __version__
from hgld.benchmarks.environment import git_commit
from hgld.benchmarks.labels.agreement.config import (
    AGREEMENT_FILE,
    AGREEMENT_PAGE,
    LABEL_FILES,
    SUSPECTS_SHEET,
    AgreeConfig,
    agree_stage,
)
from hgld.benchmarks.labels.agreement.label_files import (
    LEVEL_COLUMNS,
    official_files,
    our_files,
    read_label_files,
    side_by_side,
)
from hgld.benchmarks.labels.agreement.levels import compare_level
from hgld.benchmarks.labels.agreement.report import render_agreement
from hgld.benchmarks.labels.agreement.results import (
    AgreementResults,
    ComparedFiles,
    agreement_to_json,
    read_estimates,
)
from hgld.benchmarks.labels.agreement.suspects import find_suspects, with_classes, without_classes
from hgld.benchmarks.retrieval.results import Json
from hgld.engine.config import row_settings
from hgld.engine.files import file_digest
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import BelowGateError, InputError, MissingInputError
from hgld.tables import SUSPECTS
from hgld.tables.csv_files import escape_cell

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """The files that are compared, by split."""

    official: Mapping[str, Path]
    ours: Mapping[str, Path]


def run_agree(workspace: Workspace, config: AgreeConfig) -> StageReport:
    """Compares labels with official ones, and writes `benchmarks/agreement/`.

    That is `report.html`, `results.json` (`read_estimates`), and the official rows that look
    wrong as `suspicious_official.parquet` and `.csv`.

    Args:
        workspace: a build whose annotations are written; any folder where the settings name the
            labels to compare.
        config: the settings.

    Returns:
        The stage's report; its rows are the official ones that look wrong.

    Raises:
        MissingInputError: the build has no annotations yet.
        InputError: a file that cannot be used, or no landmark in both.
        DamagedError: a file of the build is not what was written.
        BelowGateError: all is written, and less agrees than `min_accuracy` asks for.
    """
    sides = _find_sides(workspace, config)
    settings = row_settings(config)
    settings["official"] = {split: _digest(path) for split, path in sides.official.items()}
    if config.ours is not None:
        settings["ours"] = {split: _digest(path) for split, path in sides.ours.items()}
    stage = agree_stage(config)
    report = run_stage(workspace, stage, settings, lambda writer: _produce(writer, config, sides))
    if config.min_accuracy is not None:
        _pass_gate(workspace, config.min_accuracy)
    return report


def compare_labels(
    official: pa.Table, ours: pa.Table, config: AgreeConfig, build: Workspace | None
) -> tuple[AgreementResults, pa.Table]:
    """Compares labels with official ones.

    Args:
        official: what `read_label_files` returns.
        ours: likewise.
        config: the settings.
        build: the build that ours are of, for the classes behind them; None: there is none.

    Returns:
        What was found, and the rows of SUSPECTS.

    Raises:
        InputError: no landmark is in both.
        MissingInputError: the build has no classes.
    """
    joined = side_by_side(official, ours)
    labels = without_classes(joined) if build is None else with_classes(joined, build)
    suspects = find_suspects(labels, peers=config.peers, rare_share=config.rare_share)
    results = AgreementResults(
        metadata=_metadata(config),
        files=_compared_files(official, ours, labels),
        has_classes=build is not None,
        levels=tuple(
            compare_level(
                column,
                labels,
                (official[column], ours[column]),
                draws=config.draws,
                seed=config.seed,
            )
            for column in LEVEL_COLUMNS
        ),
        suspects=dict(sorted(Counter(suspects["reason"].to_pylist()).items())),
    )
    return results, suspects


def _produce(writer: StageWriter, config: AgreeConfig, sides: _Sides) -> None:
    build = writer.workspace if config.ours is None else None
    official, ours = read_label_files(sides.official), read_label_files(sides.ours)
    results, suspects = compare_labels(official, ours, config, build)
    for level in results.levels:
        logger.info("agree: %s: accuracy %.4f", level.title, level.estimates["accuracy"].value)
    writer.write(SUSPECTS, "suspicious_official", suspects)
    with writer.file(SUSPECTS_SHEET) as path:
        _write_sheet(path, suspects)
    page = render_agreement(results, suspects)
    for relative, text in ((AGREEMENT_FILE, agreement_to_json(results)), (AGREEMENT_PAGE, page)):
        with writer.file(relative) as path:
            path.write_text(text, encoding="utf-8")


def _find_sides(workspace: Workspace, config: AgreeConfig) -> _Sides:
    official = official_files(config.official, config.split)
    if config.ours is not None:
        return _Sides(official=official, ours=our_files(config.ours, list(official), config.split))
    files = {split: workspace.path(LABEL_FILES[split]) for split in official}
    ours = {split: path for split, path in files.items() if path.is_file()}
    if not ours:
        raise MissingInputError(
            f"{next(iter(files.values()))} is not there yet; run {workspace.command('annotate')}, "
            f"or name other labels with --ours"
        )
    return _Sides(official=official, ours=ours)


def _pass_gate(workspace: Workspace, least: float) -> None:
    column, estimates = next(iter(read_estimates(workspace).items()))
    found = estimates["accuracy"]
    if found.value >= least:
        return
    # Also where it is NaN: nothing that could be measured passes no gate.
    raise BelowGateError(
        f"accuracy of {column} must be {least:g} or more, got {found.value:.4f} (95% interval "
        f"{found.low:.4f} to {found.high:.4f}); {workspace.path(AGREEMENT_PAGE)} shows the worst "
        f"classes"
    )


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name another file") from error


def _compared_files(
    official: pa.Table, ours: pa.Table, labels: pa.Table
) -> tuple[ComparedFiles, ...]:
    counts = [Counter(table["split"].to_pylist()) for table in (official, ours, labels)]
    return tuple(
        ComparedFiles(
            split=split,
            official_landmarks=counts[0][split],
            our_landmarks=counts[1][split],
            common=counts[2][split],
        )
        for split in sorted(counts[0])
    )


def _metadata(config: AgreeConfig) -> dict[str, Json]:
    settings = {str(key): value for key, value in row_settings(config).items()}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hgld": __version__,
        "git_commit": git_commit(Path(__file__).resolve().parents[3]),
        **{key: value for key, value in settings.items() if isinstance(value, int | float)},
    }


def _write_sheet(path: Path, suspects: pa.Table) -> None:
    """Writes rows for a spreadsheet, which runs none of their cells."""
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(suspects.column_names)
        for row in suspects.to_pylist():
            cells = ("" if cell is None else str(cell) for cell in row.values())
            sheet.writerow([escape_cell(cell) for cell in cells])
