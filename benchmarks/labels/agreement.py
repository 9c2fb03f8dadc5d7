"""The comparison of a build's labels, or of a release's, with official ones; light to import."""

import dataclasses
import json
import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hgld import __version__
from hgld.benchmarks.labels import label_files
from hgld.engine.config import Settings, setting
from hgld.engine.files import file_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import BelowGateError, InputError
from hgld.tables import CLASSES, SUSPECTS, TAXONOMY
from hgld.tables.csv_files import table_text

logger = logging.getLogger(__name__)

AGREEMENT_FILE = f"{SUSPECTS.path}/results.json"
AGREEMENT_PAGE = f"{SUSPECTS.path}/report.html"
SUSPECTS_SHEET = f"{SUSPECTS.path}/suspicious_official.csv"
"""Where a comparison leaves them, relative to the workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreeConfig(Settings):
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
    min_accuracy: float | None = setting(
        None,
        "Least share of the officially labelled landmarks that must have the same super-category "
        "of ours; below, the command fails once everything is written.",
        changes_rows=False,
        least=0,
        most=1,
    )


def agree_stage(config: AgreeConfig) -> Stage:
    """Returns the stage of a comparison: of the build's labels, or of those of a file."""
    is_build = config.ours is None
    return Stage(
        name="agree",
        version=4,
        inputs=(CLASSES, TAXONOMY) if is_build else (),
        input_files=tuple(label_files.LABEL_FILES.values()) if is_build else (),
        outputs=(SUSPECTS,),
        output_files=(AGREEMENT_FILE, AGREEMENT_PAGE, SUSPECTS_SHEET),
        result=AGREEMENT_PAGE,
    )


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
        InputError: a file that cannot be used, no annotations yet, or no landmark in both.
        MissingInputError: the build has no classes.
        DamagedError: a file of the build is not what was written.
        BelowGateError: all is written, and less agrees than `min_accuracy` asks for.
    """
    official = label_files.official_files(config.official)
    ours = label_files.our_files(config.ours or workspace.root, official)
    read = {"official": official}
    if config.ours is not None:
        read["ours"] = ours
    try:
        settings = {
            side: {split: file_digest(path) for split, path in paths.items()}
            for side, paths in read.items()
        }
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from error
    report = run_stage(
        workspace,
        agree_stage(config),
        settings,
        lambda writer: _produce(writer, config, official, ours),
    )
    if config.min_accuracy is not None:
        level = json.loads(workspace.path(AGREEMENT_FILE).read_text(encoding="utf-8"))["levels"][0]
        accuracy = level["measures"]["accuracy"]["value"]
        # What could not be measured passes no gate.
        if accuracy is None or accuracy < config.min_accuracy:
            raise BelowGateError(
                f"accuracy of {level['column']} must be {config.min_accuracy:g} or more, got "
                f"{math.nan if accuracy is None else accuracy:.4f}; {report.result} shows the "
                f"worst classes"
            )
    return report


def _produce(
    writer: StageWriter, config: AgreeConfig, official: Mapping[str, Path], ours: Mapping[str, Path]
) -> None:
    # It needs the extra `cluster`, which a build that is only looked at may lack.
    from hgld.benchmarks.labels import findings

    rows = label_files.read_label_files(official), label_files.read_label_files(ours)
    landmarks = label_files.side_by_side(*rows)
    if config.ours is None:
        landmarks = label_files.with_classes(landmarks, writer.workspace)
    levels = [findings.compare_level(one, landmarks) for one in findings.LEVEL_COLUMNS]
    suspects, testable = findings.find_suspects(landmarks)
    accuracy = levels[0].measures["accuracy"].value
    logger.info(
        "agree: accuracy %.4f; rows that could be tested: %s by their class, %s by their label",
        *(accuracy, *(f"{testable[one]:,}" for one in ("peers", "side"))),
    )
    compared = {"official": rows[0], "ours": rows[1], "both": landmarks}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    found = {
        "metadata": {"date": date, "hgld": __version__, "peers": findings.PEERS},
        "files": {
            split: {name: sum(one[0] == split for one in each) for name, each in compared.items()}
            for split in sorted(official)
        },
        "levels": levels,
        "testable": testable,
        "suspects": dict(sorted(Counter(suspects["reason"].to_pylist()).items())),
    }
    writer.write(SUSPECTS, "suspicious_official", suspects)
    # JSON has no NaN: what is undefined is null.
    told = json.dumps(found, default=dataclasses.asdict)
    known = json.loads(told, parse_constant=lambda _: None)
    content = json.dumps(known, indent=1, ensure_ascii=False)
    page = findings.render_agreement(found, suspects)
    writer.write_text(SUSPECTS_SHEET, table_text(suspects))
    writer.write_text(AGREEMENT_FILE, f"{content}\n")
    writer.write_text(AGREEMENT_PAGE, page)
