"""Stage `release`: what makes the annotations a release, the second stage of the step `annotate`.

It reads the tables of the stage `annotate` and writes beside them what they are called (a version),
what changed since the release before, cards for people and programs, and, last, the checksums of
all files. Every byte follows from the tables, the settings and the release before: no clock is
read.
"""

import hashlib
import json
import logging
from pathlib import Path, PurePosixPath

from hgld.annotations.release.cards.card import citation, dataset_card, datasheet
from hgld.annotations.release.cards.croissant import croissant, croissant_for_older_readers
from hgld.annotations.release.cards.note import release_note
from hgld.annotations.release.config import ReleaseConfig
from hgld.annotations.release.facts import (
    ReleaseFacts,
    compare_with_previous,
    release_facts,
)
from hgld.annotations.release.released import (
    RELEASE_FOLDER,
    RELEASES_FILE,
    relative_to_release,
)
from hgld.annotations.stage import STAGE as ANNOTATE
from hgld.engine.config import row_settings
from hgld.engine.files import FileRecord, file_digest, record_file
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.verify import RELEASE_SUMS
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import LABEL_CHANGES

logger = logging.getLogger(__name__)

_SUMS = f"{RELEASE_FOLDER}/{RELEASE_SUMS}"
_LIST = f"{RELEASE_FOLDER}/{RELEASES_FILE}"
_TEXTS = {
    f"{RELEASE_FOLDER}/{name}": text
    for name, text in (
        ("RELEASE_NOTE.md", release_note),
        ("README.md", dataset_card),
        ("DATASHEET.md", datasheet),
        ("CITATION.cff", citation),
        ("croissant.json", croissant),
        ("croissant-1.0.json", croissant_for_older_readers),
    )
}

STAGE = Stage(
    name="release",
    version=1,
    inputs=ANNOTATE.outputs,
    input_files=ANNOTATE.output_files,
    outputs=(LABEL_CHANGES,),
    output_files=(_LIST, *_TEXTS, _SUMS),
)


def run_release(workspace: Workspace, config: ReleaseConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `annotate` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts what changed since the release before.

    Raises:
        MissingInputError: `annotate` has not finished.
        InputError: the release before is none, or cannot be compared.
        DamagedError: a file of the release before is not what was released.
    """
    files = _annotated_files(workspace)
    # The bytes of the tables, too, since they are summed: a run of `annotate` may write the same
    # rows in other bytes, and its digests are of rows.
    lines = "\n".join(f"{record.sha256} {name}" for name, record in sorted(files.items()))
    settings = row_settings(config) | {"files": hashlib.sha256(lines.encode()).hexdigest()}
    if config.previous is not None:
        settings["previous"] = _previous_digest(workspace, config.previous)
    return run_stage(
        workspace, STAGE, settings, lambda writer: _produce(workspace, config, writer, files)
    )


def _annotated_files(workspace: Workspace) -> dict[str, FileRecord]:
    """Returns every file of the stage `annotate`, by its path in the build."""
    manifest = workspace.manifest(ANNOTATE.name)
    records = manifest.records if manifest else {}
    return {name: record for name, record in records.items() if record is not None}


def _previous_digest(workspace: Workspace, previous: Path) -> str:
    ours = workspace.path(RELEASE_FOLDER)
    if previous.resolve() == ours.resolve():
        raise InputError(
            f"[release] previous must be another folder than the one that is written, got "
            f"{previous}; keep a copy of the release before and name that"
        )
    sums = previous / RELEASE_SUMS
    if not sums.is_file():
        raise InputError(
            f"[release] previous must be the folder of a release, with {RELEASE_SUMS} in it, got "
            f"{previous}; name another, or none for a first release"
        )
    return file_digest(sums)


def _produce(
    workspace: Workspace,
    config: ReleaseConfig,
    writer: StageWriter,
    files: dict[str, FileRecord],
) -> None:
    folder = workspace.path(RELEASE_FOLDER)
    compared = compare_with_previous(folder, config)
    writer.write(LABEL_CHANGES, "", compared[1])
    tables = files | {LABEL_CHANGES.path: record_file(writer.path(LABEL_CHANGES.path))}
    released = {relative_to_release(name): record for name, record in tables.items()}
    facts = release_facts(folder, config, released, compared)
    _log(facts)
    with writer.file(_LIST) as path:
        path.write_text(json.dumps(facts.releases, indent=2) + "\n", encoding="utf-8")
    for name, text in _TEXTS.items():
        with writer.file(name) as path:
            path.write_text(text(facts), encoding="utf-8")
    _write_sums(writer, files)


def _log(facts: ReleaseFacts) -> None:
    counts = facts.release["counts"]
    logger.info(
        "release: version %s, %s labelled images of %s landmarks with a label",
        facts.version,
        f"{sum(counts['images'].values()):,}",
        f"{counts['landmarks_with_label']:,}",
    )


def _write_sums(writer: StageWriter, files: dict[str, FileRecord]) -> None:
    """Writes the SHA-256 of every file of both stages."""
    folder = PurePosixPath(_SUMS).parent
    digests = {name: record.sha256 for name, record in files.items()}
    digests |= {name: file_digest(writer.path(name)) for name in writer.written}
    with writer.file(_SUMS) as path, path.open("w", encoding="utf-8") as sums:
        for name, digest in sorted(digests.items()):
            if name != _SUMS:
                sums.write(f"{digest}  {PurePosixPath(name).relative_to(folder)}\n")
