"""Whether the raw archive is what the tables were made from.

A stage that ends keeps the digest of each list of answers (`hgld.tables.ANSWER_LISTS`), and its
manifest keeps that of this table. Lines are only ever appended to a list, so that an answer which
is dropped, added or altered together with its line, or is gone with its whole folder, is named.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.files import file_digest
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import GONE, Damage, Workspace, command_of
from hgld.errors import DamagedError, FetchError
from hgld.scrape.archive import (
    COMMONS_LOG,
    COMMONS_PAGES,
    COMMONS_PARENTS,
    COMMONS_WIKITEXT,
    SUMS,
    WIKIDATA_CLASSES,
    WIKIDATA_EVIDENCE,
    WIKIDATA_ITEMS,
    Misfit,
    RawArchive,
    folders_of,
    set_aside,
)
from hgld.scrape.wikimedia.answers import Facts
from hgld.scrape.wikimedia.commons import CommonsPages, MoveLog, SoftRedirects
from hgld.scrape.wikimedia.parents import CommonsParents
from hgld.scrape.wikimedia.wikidata import Entities
from hgld.tables import ANSWER_LISTS

logger = logging.getLogger(__name__)

_NAMED = 3
_NOT_THE_LIST = "is not the list of the answers that the tables were made from"

_READERS: dict[str, Callable[[], Facts[Any]]] = {
    COMMONS_PAGES: CommonsPages,
    COMMONS_WIKITEXT: SoftRedirects,
    COMMONS_LOG: MoveLog,
    COMMONS_PARENTS: CommonsParents,
    WIKIDATA_ITEMS: Entities,
    WIKIDATA_CLASSES: Entities,
    WIKIDATA_EVIDENCE: Entities,
}


def archive_findings(workspace: Workspace) -> list[Damage]:
    """Returns what in `raw/` is not an answer that the scrape kept there; changes nothing.

    A file that was set aside is none any more, and no finding.

    Args:
        workspace: a build, with an archive or without.

    Returns:
        Of each file its path and what is wrong with it. A list that does not go on from the one
        that its stage ended with is one finding, whatever its files are.
    """
    return [*_findings(workspace, "scrape"), *_findings(workspace, "evidence")]


def parents_findings(workspace: Workspace) -> list[Damage]:
    """Returns what is not an answer about parents that was kept, as `archive_findings` does."""
    return _findings(workspace, "parents")


def write_lists(writer: StageWriter) -> None:
    """Writes down the digest of each list of a stage, as it is when the stage ends."""
    stage, workspace = writer.stage.name, writer.workspace
    names = [f"{path}/{SUMS}" for _, path in folders_of(workspace, stage)]
    names = [name for name in names if workspace.path(name).is_file()]
    digests = [file_digest(workspace.path(name)) for name in names]
    dataset = ANSWER_LISTS[stage]
    writer.write(dataset, "", pa.table([names, digests], schema=dataset.schema))


def changed_lists(workspace: Workspace, stage: str) -> list[Damage]:
    """Returns the lists that do not go on from those that a stage ended with, and in what way."""
    return [
        Damage(name, _NOT_THE_LIST if workspace.path(name).exists() else GONE)
        for name, digest in _ended_with(workspace, stage).items()
        if not RawArchive(workspace.path(name).parent).continues(digest)
    ]


def check_lists(workspace: Workspace, stage: str, *, replay: bool) -> list[Path]:
    """Names the lists that do not go on from those that a stage ended with.

    One whose files are all there is written again.

    Args:
        workspace: the build.
        stage: which one is about to run.
        replay: whether nobody is to be asked.

    Returns:
        The folders of the others. Nothing proves their answers: they are to be asked for again.

    Raises:
        DamagedError: there are any, and nobody is to be asked. `--force` takes them as they are.
    """
    ended, folders = _ended_with(workspace, stage), []
    damages = changed_lists(workspace, stage)
    for name, what in damages:
        archive = RawArchive(workspace.path(name).parent)
        if archive.list_again(ended[name]):
            logger.warning("%s %s; it is made again", workspace.path(name), what)
            continue
        logger.warning("%s %s", workspace.path(name), what)
        folders.append(archive.folder)
    if folders and replay and not workspace.remakes:
        told = ", ".join(f"{name} {what}" for name, what in damages[:_NAMED])
        raise DamagedError(f"{told}; the tables stand as they were. {_mending(workspace, stage)}")
    return folders


def set_aside_all(folders: Iterable[Path]) -> None:
    """Sets folders aside, so that everything in them is asked for again."""
    for folder in folders:
        if folder.exists():
            aside = set_aside(folder)
            logger.warning("%s is set aside as %s, and asked for again", folder, aside.name)


def refuse_misfits(workspace: Workspace, stage: str, misfits: Sequence[Misfit]) -> None:
    """Refuses to replay an archive of which a file is damaged or gone.

    Raises:
        DamagedError: there is one; the text names the first few and says what to do.
    """
    if misfits:
        told = [f"{path.parent.name}/{path.name} {what}" for path, what in misfits[:_NAMED]]
        more = f", and {len(misfits) - _NAMED} more files" if len(misfits) > _NAMED else ""
        raise DamagedError(
            f"{', '.join(told)}{more}; the tables stand as they were. {_mending(workspace, stage)}"
        )


def refuse_loss(writer: StageWriter, statuses: Counter[str], *, replay: bool) -> None:
    """Refuses to put rows in the place of a finished table where that would only lose some.

    Args:
        writer: of the stage, which has not written yet.
        statuses: of the rows that it is about to write.
        replay: whether nobody was asked.

    Raises:
        DamagedError: the archive lacks what the same rows were made from before, or all of it.
        FetchError: a service gave nothing.
    """
    workspace, stage, failed = writer.workspace, writer.stage.name, statuses["failed"]
    done = workspace.manifest(stage)
    if not failed or done is None or done.failed:
        return
    stands = f"{failed} rows of {stage} failed, and the table that stands has them"
    if replay and (done.fingerprint == writer.fingerprint or not statuses["ok"]):
        raise DamagedError(
            f"{stands}: raw/ lacks answers that it had. {_mending(workspace, stage)}"
        )
    if not statuses["ok"]:
        raise FetchError(f"{stands}: the services answered nothing of use; rerun later")


def _findings(workspace: Workspace, stage: str) -> list[Damage]:
    found = dict(changed_lists(workspace, stage))
    for name, folder in folders_of(workspace, stage):
        archive = RawArchive(workspace.path(folder))
        if damage := archive.list_damage():
            found.setdefault(f"{folder}/{SUMS}", damage)
        facts = _READERS[name]()
        for path, what in archive.load(facts.add):
            found[f"{folder}/{path.name}"] = what
    return [Damage(path, what) for path, what in found.items()]


def _ended_with(workspace: Workspace, stage: str) -> dict[str, str]:
    """Returns the digest of each list that a stage ended with, by its path."""
    manifest = workspace.manifest(stage)
    if manifest is None:
        return {}
    names = ANSWER_LISTS[stage].own(manifest.records)
    if not names or workspace.damages({name: manifest.records[name] for name in names}, []):
        return {}  # there is no account, or it is damaged, which the engine names and mends
    rows = pq.read_table(workspace.path(names[0]), partitioning=None).to_pylist()
    return {row["path"]: row["sha256"] for row in rows}


def _mending(workspace: Workspace, stage: str) -> str:
    """Returns in words what mends an archive of which answers are damaged or gone."""
    command = command_of(stage)
    return (
        f"Put raw/ back from a copy (of a demo: delete the folder, then `hgld demo` writes it "
        f"again), or have it asked for again with "
        f"{workspace.command(f'{command} --no-replay --force')}"
    )
