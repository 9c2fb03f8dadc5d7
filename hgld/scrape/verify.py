"""What lies in the raw archive, held against its lists and read by its parsers."""

from collections.abc import Callable
from typing import Any

from hgld.engine.workspace import Damage, Workspace
from hgld.scrape.archive import (
    COMMONS_LOG,
    COMMONS_PAGES,
    COMMONS_PARENTS,
    COMMONS_WIKITEXT,
    SUMS,
    WIKIDATA_CLASSES,
    WIKIDATA_EVIDENCE,
    WIKIDATA_ITEMS,
    RawArchive,
    changed_lists,
    folders_of,
)
from hgld.scrape.wikimedia.answers import Facts
from hgld.scrape.wikimedia.commons import CommonsPages, MoveLog, SoftRedirects
from hgld.scrape.wikimedia.parents import CommonsParents
from hgld.scrape.wikimedia.wikidata import Entities

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
