"""Checks that the raw archive is the one that the tables were made from.

A stage records the digest of each list of answers when it ends (`hgld.tables.ANSWER_LISTS`), and
its manifest has the digest of that table. Lines are only ever appended to a list. So an answer that
is removed, added or altered together with its line is found, and so is a missing folder.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.dataset import Dataset
from hgld.engine.files import GONE, file_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Damage, Workspace, command_of
from hgld.errors import DamagedError, FetchError
from hgld.scrape.archive import SUMS, RawArchive, folders_of, newest_generation, set_aside
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.questions import KINDS, Open, Question, opening
from hgld.scrape.services import open_services
from hgld.scrape.wikimedia.answers import Facts
from hgld.tables import ANSWER_LISTS

logger = logging.getLogger(__name__)

_NAMED = 3
_NOT_THE_LIST = "is not the list of the answers that the tables were made from"


def run_on_archive(
    workspace: Workspace,
    stage: Stage,
    settings: Mapping[str, object],
    config: ScrapeConfig,
    produce: Callable[[StageWriter, Open], None],
) -> StageReport:
    """Runs a stage that asks the services, after checking its part of the raw archive.

    Args:
        workspace: the build.
        stage: a key of `ANSWER_LISTS`.
        settings: those that decide its rows.
        config: which services to ask, and how.
        produce: writes the tables from the questions that it opens.

    Raises:
        DamagedError: in a replay, a file or list of the archive is damaged or missing.
    """
    unproven = _unproven_folders(workspace, stage.name, replay=config.replay)

    def write(writer: StageWriter) -> None:
        for folder in unproven if not config.replay else ():
            if folder.exists():
                aside = set_aside(folder).name
                logger.warning("%s was set aside as %s; asking again", folder, aside)
        with open_services(config) as services:
            opened = opening(workspace, config, newest_generation(workspace), services)

            def opened_whole(folder: str, facts: Facts[Any]) -> Question:
                question = opened(folder, facts)
                if config.replay and question.misfits:
                    misfits = question.misfits.items()
                    told = [f"{path.parent.name}/{path.name} {what}" for path, what in misfits]
                    raise _damaged(workspace, stage.name, told)
                return question

            produce(writer, opened_whole)
        _write_lists(writer)

    # A replay always makes the rows again, even if the tables are up to date.
    return run_stage(workspace, stage, settings, write, force=config.replay)


def archive_findings(workspace: Workspace, *stages: str) -> list[Damage]:
    """Returns what is damaged in `raw/`; changes nothing. Files that were set aside do not count.

    Args:
        workspace: a build, with an archive or without.
        stages: the stages whose answers to check; none given: all stages.

    Returns:
        Each path with what is wrong with it. A list that does not continue the one that its stage
        ended with is one finding, whatever its files are.
    """
    found: dict[str, str] = {}
    for stage in stages or ANSWER_LISTS:
        found |= _changed_lists(workspace, stage)
        for name, folder in folders_of(workspace, stage):
            archive = RawArchive(workspace.path(folder))
            if damage := archive.list_damage():
                found.setdefault(f"{folder}/{SUMS}", damage)
            misfits = archive.load(KINDS[name].facts().add)
            found |= {f"{folder}/{path.name}": what for path, what in misfits.items()}
    return [Damage(path, what) for path, what in found.items()]


def _write_lists(writer: StageWriter) -> None:
    """Records the digest of each list of a stage, as it is when the stage ends."""
    stage, workspace = writer.stage.name, writer.workspace
    names = [f"{path}/{SUMS}" for _, path in folders_of(workspace, stage)]
    names = [name for name in names if workspace.path(name).is_file()]
    digests = [file_digest(workspace.path(name)) for name in names]
    dataset = ANSWER_LISTS[stage]
    writer.write(dataset, "", pa.table([names, digests], schema=dataset.schema))


def _changed_lists(workspace: Workspace, stage: str) -> dict[str, str]:
    """Returns the lists that do not continue those that a stage ended with, with the reason."""
    return {
        name: _NOT_THE_LIST if workspace.path(name).exists() else GONE
        for name, digest in _ended_with(workspace, stage).items()
        if not RawArchive(workspace.path(name).parent).continues(digest)
    }


def _unproven_folders(workspace: Workspace, stage: str, *, replay: bool) -> list[Path]:
    """Returns the folders whose list does not continue the one that a stage ended with.

    Their answers cannot be trusted and must be asked for again. A list whose files are all intact
    is rewritten instead.

    Raises:
        DamagedError: there are any in a replay. `--force` accepts them.
    """
    ended, folders = _ended_with(workspace, stage), []
    changed = _changed_lists(workspace, stage)
    for name, what in changed.items():
        archive = RawArchive(workspace.path(name).parent)
        if archive.list_again(ended[name]):
            logger.warning("%s %s; it was rewritten from its files", workspace.path(name), what)
            continue
        logger.warning("%s %s", workspace.path(name), what)
        folders.append(archive.folder)
    if folders and replay and not workspace.remakes:
        raise _damaged(workspace, stage, [f"{name} {what}" for name, what in changed.items()])
    return folders


def _damaged(workspace: Workspace, stage: str, told: list[str]) -> DamagedError:
    more = f", and {len(told) - _NAMED} more files" if len(told) > _NAMED else ""
    named = f"{', '.join(told[:_NAMED])}{more}; the tables are unchanged"
    return DamagedError(f"{named}. {_mending(workspace, stage)}")


def refuse_loss(writer: StageWriter, statuses: Counter[str], *, replay: bool) -> None:
    """Refuses to replace a finished table with rows that would only lose something.

    Args:
        writer: of the stage, which has not ended: what it wrote lies beside the table.
        statuses: of the rows that it wrote.
        replay: whether the run is offline.

    Raises:
        DamagedError: the archive lacks some answers behind the same rows, or all answers.
        FetchError: no row is ok, because the services gave no useful answer.
    """
    workspace, stage, failed = writer.workspace, writer.stage.name, statuses["failed"]
    done = workspace.manifest(stage)
    if not failed or done is None or done.failed:
        return
    stands = f"{failed} rows of {stage} failed, but the existing table has them"
    if replay and (done.fingerprint == writer.fingerprint or not statuses["ok"]):
        lacks = f"{stands}: answers are missing from raw/"
        raise DamagedError(f"{lacks}. {_mending(workspace, stage)}")
    if not statuses["ok"]:
        raise FetchError(f"{stands}: the services gave no useful answer; rerun later")


def write_incomplete(
    writer: StageWriter, dataset: Dataset, shards: Iterable[pa.Table], *, replay: bool
) -> None:
    """Writes a table without which the scrape is complete, and warns of its failed rows.

    Raises:
        HgldError: as `refuse_loss`.
    """
    statuses, first_error = Counter[str](), ""
    for number, shard in enumerate(shards):
        writer.write(dataset, f"{number:05d}", shard)
        statuses.update(shard["status"].to_pylist())
        if statuses["failed"] and not first_error:
            first_error = shard.filter(pc.equal(shard["status"], "failed"))["error"][0].as_py()
    refuse_loss(writer, statuses, replay=replay)
    if statuses["failed"]:
        logger.warning(
            "%s: %s of %s rows failed, the first as %s; the scrape is complete without them, and "
            "the next scrape tries again",
            *(writer.stage.name, f"{statuses['failed']:,}", f"{statuses.total():,}"),
            first_error,
        )


def _ended_with(workspace: Workspace, stage: str) -> dict[str, str]:
    """Returns the digest of each list that a stage ended with, by its path."""
    manifest = workspace.manifest(stage)
    if manifest is None:
        return {}
    names = ANSWER_LISTS[stage].own(manifest.records)
    if not names or workspace.damages({name: manifest.records[name] for name in names}, []):
        return {}  # no record, or a damaged one, which the engine reports and mends
    rows = pq.read_table(workspace.path(names[0]), partitioning=None).to_pylist()
    return {row["path"]: row["sha256"] for row in rows}


def _mending(workspace: Workspace, stage: str) -> str:
    """Returns the advice for an archive with damaged or missing answers."""
    again = workspace.command(f"{command_of(stage)} --no-replay --force")
    return (
        f"Restore raw/ from a backup (for a demo: delete the folder and run `hgld demo`), or ask "
        f"for the answers again with {again}"
    )
