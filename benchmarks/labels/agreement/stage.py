"""The comparison of a build's labels, or of a release's, with official ones."""

import csv
import dataclasses
import json
import logging
import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from hgld import __version__
from hgld.benchmarks.labels.agreement import label_files
from hgld.benchmarks.labels.agreement.config import (
    AGREEMENT_FILE,
    AGREEMENT_PAGE,
    LABEL_FILES,
    SUSPECTS_SHEET,
    AgreeConfig,
    agree_stage,
)
from hgld.benchmarks.labels.agreement.findings import (
    LEVEL_COLUMNS,
    Comparison,
    compare_level,
    find_suspects,
)
from hgld.benchmarks.labels.agreement.page import render_agreement
from hgld.engine.config import row_settings
from hgld.engine.files import file_digest
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import BelowGateError, InputError, MissingInputError
from hgld.tables import SUSPECTS
from hgld.tables.csv_files import escape_cell

logger = logging.getLogger(__name__)


def run_agree(workspace: Workspace, config: AgreeConfig) -> StageReport:
    """Compares labels with official ones, and writes `benchmarks/agreement/`.

    That is `report.html`, `results.json`, and the official rows that look wrong as
    `suspicious_official.parquet` and `.csv`.

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
    official = label_files.official_files(config.official)
    if config.ours is None and not any(
        workspace.path(LABEL_FILES[one]).exists() for one in official
    ):
        raise MissingInputError(
            f"there are no annotations yet; run {workspace.command('annotate')}, or name other "
            f"labels with --ours"
        )
    ours = label_files.our_files(config.ours or workspace.root, official)
    settings = row_settings(config)
    settings["official"] = {split: _digest(path) for split, path in official.items()}
    if config.ours is not None:
        settings["ours"] = {split: _digest(path) for split, path in ours.items()}
    report = run_stage(
        workspace,
        agree_stage(config),
        settings,
        lambda writer: _produce(writer, config, official, ours),
    )
    if config.min_accuracy is not None:
        _pass_gate(workspace, config.min_accuracy)
    return report


def compare_labels(
    official: label_files.LabelRows,
    ours: label_files.LabelRows,
    config: AgreeConfig,
    build: Workspace | None,
) -> tuple[Comparison, pa.Table]:
    """Compares labels with official ones.

    Args:
        official: the rows of these files.
        ours: likewise.
        config: the settings.
        build: the build that ours are of, for the classes behind them; None: there is none.

    Returns:
        What was found, and the rows of SUSPECTS.

    Raises:
        InputError: no landmark is in both.
        MissingInputError: the build has no classes.
    """
    landmarks = label_files.side_by_side(official, ours)
    if build is not None:
        landmarks = label_files.with_classes(landmarks, build)
    suspects, testable = find_suspects(landmarks, peers=config.peers)
    counts = {
        "official": Counter(split for split, _ in official),
        "ours": Counter(split for split, _ in ours),
        "both": Counter(one.split for one in landmarks),
    }
    metadata = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "hgld": __version__}
    comparison = Comparison(
        metadata={**metadata, "peers": config.peers},
        files={
            split: {name: count[split] for name, count in counts.items()}
            for split in sorted(counts["official"])
        },
        levels=[compare_level(each, landmarks) for each in LEVEL_COLUMNS],
        testable=testable,
        suspects=dict(sorted(Counter(suspects["reason"].to_pylist()).items())),
    )
    return comparison, suspects


def _produce(
    writer: StageWriter, config: AgreeConfig, official: Mapping[str, Path], ours: Mapping[str, Path]
) -> None:
    build = writer.workspace if config.ours is None else None
    rows = label_files.read_label_files(official), label_files.read_label_files(ours)
    found, suspects = compare_labels(*rows, config, build)
    for level in found.levels:
        logger.info("agree: %s: accuracy %.4f", level.title, level.measures["accuracy"].value)
    logger.info(
        "agree: %d official rows could be tested by the others of their class, %d by those of "
        "their label; the others have fewer than %d to compare with",
        *(found.testable["peers"], found.testable["side"], config.peers),
    )
    writer.write(SUSPECTS, "suspicious_official", suspects)
    with writer.file(SUSPECTS_SHEET) as path, path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(suspects.column_names)
        for row in suspects.to_pylist():  # a spreadsheet runs none of the cells
            cells = ("" if cell is None else str(cell) for cell in row.values())
            sheet.writerow([escape_cell(cell) for cell in cells])
    # JSON has no NaN: what is undefined is null.
    known = json.loads(json.dumps(dataclasses.asdict(found)), parse_constant=lambda _: None)
    content = json.dumps(known, indent=1, ensure_ascii=False)
    page = render_agreement(found, suspects)
    for relative, text in ((AGREEMENT_FILE, f"{content}\n"), (AGREEMENT_PAGE, page)):
        with writer.file(relative) as path:
            path.write_text(text, encoding="utf-8")


def _pass_gate(workspace: Workspace, least: float) -> None:
    level = json.loads(workspace.path(AGREEMENT_FILE).read_text(encoding="utf-8"))["levels"][0]
    accuracy = level["measures"]["accuracy"]["value"]
    if accuracy is None or accuracy < least:  # what could not be measured passes no gate
        raise BelowGateError(
            f"accuracy of {level['column']} must be {least:g} or more, got "
            f"{math.nan if accuracy is None else accuracy:.4f}; {workspace.path(AGREEMENT_PAGE)} "
            f"shows the worst classes"
        )


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name another file") from error
