"""What lies in the raw archive, held against its lists and read by its parsers."""

from collections.abc import Callable, Iterator

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
    RawAnswer,
    RawArchive,
    generation_path,
    newest_generation,
)
from hgld.scrape.wikimedia.commons import CommonsPages, MoveLog, SoftRedirects
from hgld.scrape.wikimedia.parents import CommonsParents
from hgld.scrape.wikimedia.wikidata import Entities


def archive_findings(workspace: Workspace) -> list[Damage]:
    """Returns what in `raw/` is not an answer that the scrape kept there; changes nothing.

    A file that was set aside is none any more, and no finding.

    Args:
        workspace: a build, with an archive or without.

    Returns:
        Of each file its path and what is wrong with it, by generation and service. A folder whose
        list is lost, or that an earlier version wrote, is one finding.
    """
    return _findings(workspace, _readers)


def parents_findings(workspace: Workspace) -> list[Damage]:
    """Returns what is not an answer about parents that was kept, as `archive_findings` does."""
    return _findings(workspace, _readers_of_parents)


_Readers = Callable[[], Iterator[tuple[str, Callable[[RawAnswer], object]]]]


def _findings(workspace: Workspace, readers: _Readers) -> list[Damage]:
    found: list[Damage] = []
    for generation in range(newest_generation(workspace) + 1):
        for name, take in readers():
            folder = generation_path(name, generation)
            archive = RawArchive(workspace.path(folder))
            if not archive.has_list():
                found.append(Damage(f"{folder}/{SUMS}", _NO_LIST))
            elif damage := archive.list_damage():
                found.append(Damage(f"{folder}/{SUMS}", damage))
            found += [Damage(f"{folder}/{path.name}", what) for path, what in archive.load(take)]
    return found


_NO_LIST = (
    "is gone, or an earlier version wrote the folder: nothing proves its files until a run that "
    "reads them (with --replay, for one) has listed them"
)


def _readers() -> Iterator[tuple[str, Callable[[RawAnswer], object]]]:
    """Yields each folder with what reads its answers."""
    yield COMMONS_PAGES, CommonsPages().add
    yield COMMONS_WIKITEXT, SoftRedirects().add
    yield COMMONS_LOG, MoveLog().add
    yield WIKIDATA_ITEMS, Entities().add
    yield WIKIDATA_CLASSES, Entities().add
    yield WIKIDATA_EVIDENCE, Entities().add


def _readers_of_parents() -> Iterator[tuple[str, Callable[[RawAnswer], object]]]:
    yield COMMONS_PARENTS, CommonsParents().add
