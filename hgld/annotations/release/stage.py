"""Stage `release`: turns the annotations into a release; the last stage of the step `annotate`.

It reads the tables of the stages before and adds their version, the changes since the previous
release, cards for people and programs, and finally the checksums of all files. Every byte depends
only on the tables, the settings and the previous release: no clock is read.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from hgld.annotations.levels import STAGE as HIERARCHY
from hgld.annotations.release.cards import citation, dataset_card, datasheet, release_note
from hgld.annotations.release.changes import label_changes
from hgld.annotations.release.croissant import croissant
from hgld.annotations.release.facts import Files, ReleaseConfig, release_facts, release_list
from hgld.annotations.release.released import (
    RELEASE_FOLDER,
    RELEASES_FILE,
    read_release,
    read_releases,
    relative_to_release,
)
from hgld.annotations.stage import STAGE as ANNOTATE
from hgld.engine.config import row_settings
from hgld.engine.dataset import write_shard
from hgld.engine.files import file_digest, record_file
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.verify import RELEASE_SUMS, verify_sums
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import LABEL_CHANGES

logger = logging.getLogger(__name__)

_CHANGES = relative_to_release(LABEL_CHANGES.path)
_SUMS = f"{RELEASE_FOLDER}/{RELEASE_SUMS}"
_TEXTS = {
    f"{RELEASE_FOLDER}/{RELEASES_FILE}": release_list,
    f"{RELEASE_FOLDER}/RELEASE_NOTE.md": release_note,
    f"{RELEASE_FOLDER}/README.md": dataset_card,
    f"{RELEASE_FOLDER}/DATASHEET.md": datasheet,
    f"{RELEASE_FOLDER}/CITATION.cff": citation,
    f"{RELEASE_FOLDER}/croissant.json": croissant,
}

STAGE = Stage(
    name="release",
    version=4,
    inputs=(*ANNOTATE.outputs, *HIERARCHY.outputs),
    input_files=ANNOTATE.output_files,
    # The changes are a plain file without the fingerprint of a run, so that a release with the same
    # tables as the previous one is identical to it, byte for byte.
    output_files=(LABEL_CHANGES.path, *_TEXTS, _SUMS),
)


def run_release(workspace: Workspace, config: ReleaseConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `annotate` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts the changes since the previous release.

    Raises:
        MissingInputError: `annotate` has not finished.
        InputError: `previous` is not a release, or cannot be compared.
        DamagedError: a file of the previous release does not match its SHA256SUMS.
    """
    settings = row_settings(config) | found_settings(workspace)
    if config.previous is not None:
        settings["previous"] = _previous_digest(workspace, config.previous)
    return run_stage(workspace, STAGE, settings, lambda writer: _produce(workspace, config, writer))


def found_settings(workspace: Workspace) -> dict[str, object]:
    """Returns a digest of the annotation files, which the stage treats as a setting.

    It covers their bytes because SHA256SUMS does: `annotate` may write the same rows as different
    bytes, and its own digests cover only rows.
    """
    files = _annotated_files(workspace)
    lines = "\n".join(f"{record.sha256} {name}" for name, record in sorted(files.items()))
    return {"files": hashlib.sha256(lines.encode()).hexdigest()}


def sums_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the list of checksums if it does not describe the current files.

    This happens when a run ends between the two stages: each file is intact, but the list still
    describes the previous release.
    """
    annotated, released = (workspace.manifest(stage.name) for stage in (ANNOTATE, STAGE))
    files = found_settings(workspace)["files"]
    if annotated and released and released.settings["files"] != files:
        again = workspace.command(ANNOTATE.name)
        yield Damage(_SUMS, f"belongs to the previous release, not to these files; run {again}")


def _annotated_files(workspace: Workspace) -> Files:
    """Returns the files of the stages before, by their paths in the release."""
    manifests = filter(None, (workspace.manifest(one.name) for one in (ANNOTATE, HIERARCHY)))
    records = (item for one in manifests for item in one.records.items())
    return {relative_to_release(name): one for name, one in records if one is not None}


def _previous_digest(workspace: Workspace, previous: Path) -> str:
    """Checks that `previous` is a release, and returns its digest."""
    is_written = previous.resolve() == workspace.path(RELEASE_FOLDER).resolve()
    lacking = [one for one in (RELEASE_SUMS, RELEASES_FILE) if not (previous / one).is_file()]
    if is_written or lacking:
        why = f"lacks {lacking[0]}" if lacking else "is the release that this build writes"
        raise InputError(
            f"[release] previous must be the folder of the previous release, but {previous} {why}; "
            f"name a copy of that release, or leave it out for a first release"
        )
    return file_digest(previous / RELEASE_SUMS)


def _produce(workspace: Workspace, config: ReleaseConfig, writer: StageWriter) -> None:
    files = _annotated_files(workspace)
    for damage in verify_sums(config.previous) if config.previous else ():
        if damage.what:
            raise DamagedError(f"[release] previous: {damage.path} {damage.what}")
    if config.previous is not None and _says_the_same(config.previous, config, files):
        for name in (LABEL_CHANGES.path, *_TEXTS):
            with writer.file(name) as path:
                shutil.copyfile(config.previous / relative_to_release(name), path)
    else:
        _write_new(workspace, config, writer, files)
    _write_sums(writer, files)


def _says_the_same(previous: Path, config: ReleaseConfig, files: Files) -> bool:
    """Says whether the previous release has the same tables and settings.

    If so, it is kept: publishing a build twice gives one release.
    """
    before = read_releases(previous / RELEASES_FILE)[0]
    ours = {name: record.sha256 for name, record in files.items()}
    theirs = {name: one for name, one in before["files"].items() if name != _CHANGES}
    return theirs == ours and before.get("settings") == row_settings(config)


def _write_new(
    workspace: Workspace, config: ReleaseConfig, writer: StageWriter, files: Files
) -> None:
    """Writes the changes since the previous release, and all texts."""
    folder = workspace.path(RELEASE_FOLDER)
    tables, changes = read_release(folder), LABEL_CHANGES.schema.empty_table()
    if config.previous is not None:
        changes = label_changes(read_release(config.previous), tables)
    with writer.file(LABEL_CHANGES.path) as path:
        write_shard(changes, path)
    files = {**files, _CHANGES: record_file(writer.path(LABEL_CHANGES.path))}
    facts = release_facts(folder, config, files, tables, changes)
    logger.info("release: version %s", facts.release["version"])
    for name, text in _TEXTS.items():
        writer.write_text(name, text(facts))


def _write_sums(writer: StageWriter, files: Files) -> None:
    """Writes the SHA-256 of every file of both stages."""
    digests = {name: record.sha256 for name, record in files.items()}
    for name in (LABEL_CHANGES.path, *_TEXTS):
        digests[relative_to_release(name)] = file_digest(writer.path(name))
    lines = (f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    writer.write_text(_SUMS, "".join(lines))
