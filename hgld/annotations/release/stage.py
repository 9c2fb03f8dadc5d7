"""Stage `release`: what makes the annotations a release, the second stage of the step `annotate`.

It reads the tables of the stage `annotate` and writes beside them what they are called (a version),
what changed since the release before, cards for people and programs, and, last, the checksums of
all files. Every byte follows from the tables, the settings and the release before: no clock is
read.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from hgld.annotations.release.cards.card import citation, dataset_card, datasheet
from hgld.annotations.release.cards.croissant import croissant
from hgld.annotations.release.cards.note import release_note
from hgld.annotations.release.config import ReleaseConfig
from hgld.annotations.release.facts import (
    ReleaseFacts,
    compare_with_previous,
    release_facts,
    release_list,
)
from hgld.annotations.release.released import (
    RELEASE_FOLDER,
    RELEASES_FILE,
    check_release_before,
    read_release,
    read_released,
    relative_to_release,
)
from hgld.annotations.release.versions import read_releases
from hgld.annotations.stage import STAGE as ANNOTATE
from hgld.engine.config import row_settings
from hgld.engine.dataset import conform, write_shard
from hgld.engine.files import FileRecord, file_digest, record_file
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.verify import RELEASE_SUMS, read_sums
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import LABEL_CHANGES

logger = logging.getLogger(__name__)

_SUMS = f"{RELEASE_FOLDER}/{RELEASE_SUMS}"
_TEXTS = {
    f"{RELEASE_FOLDER}/{name}": text
    for name, text in (
        (RELEASES_FILE, release_list),
        ("RELEASE_NOTE.md", release_note),
        ("README.md", dataset_card),
        ("DATASHEET.md", datasheet),
        ("CITATION.cff", citation),
        ("croissant.json", croissant),
    )
}

_CHANGES = relative_to_release(LABEL_CHANGES.path)

STAGE = Stage(
    name="release",
    version=3,
    inputs=ANNOTATE.outputs,
    input_files=ANNOTATE.output_files,
    # The changes are a file among files, without the fingerprint of a run: a release whose tables
    # are those of the one before is that one, byte for byte.
    output_files=(LABEL_CHANGES.path, *_TEXTS, _SUMS),
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
    settings = row_settings(config) | found_settings(workspace)
    if config.previous is not None:
        settings["previous"] = _previous_digest(workspace, config.previous)
    return run_stage(
        workspace, STAGE, settings, lambda writer: _produce(workspace, config, writer, files)
    )


def found_settings(workspace: Workspace) -> dict[str, object]:
    """Returns what the stage takes for a setting and nobody sets: which tables there are.

    It is of their bytes, too, since those are summed: a run of `annotate` may write the same rows
    in other bytes, and its digests are of rows.
    """
    files = _annotated_files(workspace)
    lines = "\n".join(f"{record.sha256} {name}" for name, record in sorted(files.items()))
    return {"files": hashlib.sha256(lines.encode()).hexdigest()}


def sums_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the list of checksums where it is not that of the files which were written last.

    So it is between the two stages, and after a death there: each file is as it was written, and
    what is said of them all is of the release before.
    """
    path = workspace.path(_SUMS)
    try:
        manifests = [workspace.manifest(stage.name) for stage in (ANNOTATE, STAGE)]
        listed = read_sums(path) if path.is_file() else None
    except DamagedError:  # which is told of that file
        return
    written = {
        relative_to_release(name): record.sha256
        for manifest in manifests
        for name, record in (manifest.records.items() if manifest else ())
        if record is not None and name != _SUMS
    }
    if listed is not None and all(manifests) and listed != written:
        again = workspace.command(ANNOTATE.name)
        yield Damage(_SUMS, f"is of the release before, and not of these files; {again} ends it")


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
    released = {relative_to_release(name): record for name, record in files.items()}
    facts = _facts_of_previous(folder, config, released)
    if facts is None:
        compared = compare_with_previous(folder, config)
        with writer.file(LABEL_CHANGES.path) as path:
            write_shard(conform(compared[1], LABEL_CHANGES.schema), path)
        record = record_file(writer.path(LABEL_CHANGES.path))
        facts = release_facts(folder, config, released | {_CHANGES: record}, compared)
    elif config.previous is not None:
        with writer.file(LABEL_CHANGES.path) as path:
            shutil.copyfile(config.previous / _CHANGES, path)
    _log(facts)
    for name, text in _TEXTS.items():
        with writer.file(name) as path:
            path.write_text(text(facts), encoding="utf-8")
    _write_sums(writer, files)


def _facts_of_previous(
    folder: Path, config: ReleaseConfig, files: Mapping[str, FileRecord]
) -> ReleaseFacts | None:
    """Returns what the release before says of itself, where this one would say the same.

    Then nothing follows it: who publishes a build twice publishes one release.
    """
    previous = config.previous
    if previous is None:
        return None
    check_release_before(previous)
    texts = {relative_to_release(name) for name in STAGE.output_files}
    sums = read_sums(previous / RELEASE_SUMS)
    tables = {name: digest for name, digest in sums.items() if name not in texts}
    if tables != {name: record.sha256 for name, record in files.items()}:
        return None
    releases = read_releases(previous / RELEASES_FILE)
    record = record_file(previous / _CHANGES)
    compared = (read_release(folder), read_released(previous, LABEL_CHANGES), None)
    facts = release_facts(folder, config, {**files, _CHANGES: record}, compared)
    facts = replace(facts, releases=tuple(releases))
    is_same = all(
        _content(previous / relative_to_release(name)) == text(facts).encode()
        for name, text in _TEXTS.items()
    )
    return facts if is_same else None


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


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
    sums = "".join(
        f"{digest}  {PurePosixPath(name).relative_to(folder)}\n"
        for name, digest in sorted(digests.items())
        if name != _SUMS
    )
    with writer.file(_SUMS) as path:
        path.write_text(sums, encoding="utf-8")
