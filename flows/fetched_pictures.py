"""Pictures of a bare list, fetched from Commons with their authors and licenses.

A category gives the files in itself; an item of Wikidata gives those of its Commons category (P373)
and its picture (P18). Answers are kept in `raw/`, and pictures in a folder of their own, where an
empty file stands for one that cannot be decoded: nothing is asked for again. SHA256SUMS beside the
pictures says what they were when the list was complete; one that has changed is fetched again.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from urllib.parse import unquote

from hgld.engine.files import atomic_file, file_damage, file_digest, write_text
from hgld.engine.progress import progress
from hgld.engine.verify import RELEASE_SUMS, read_sums
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import (
    AnswerError,
    DamagedError,
    IncompleteError,
    InputError,
    NotFoundError,
    PictureError,
)
from hgld.http.redirects import PoliteSession
from hgld.http.session import make_session, require_contact
from hgld.http.transfer import discard_notes, download
from hgld.pictures import measure_picture
from hgld.scrape.archive import COMMONS_FILES, OF_LISTS, WIKIDATA_MEDIA, set_aside
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge
from hgld.scrape.questions import Open, gather_entities, gather_landings, opening
from hgld.scrape.services import POLICY, open_services
from hgld.scrape.verify import archive_findings
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.files import CommonsFile, CommonsFiles
from hgld.scrape.wikimedia.titles import canonical_title, is_askable, title_of_url
from hgld.scrape.wikimedia.wikidata import COMMONS_CATEGORY, PICTURE, Entities, is_qid, merged

logger = logging.getLogger(__name__)

PICTURES = 12
"""The most of a category: three batches of four in training, or nine to search and three queries.
At 60 requests a minute, five categories take a minute."""

FETCHED = "source/fetched"
"""The folder of the pictures, relative to the build."""

_MOST_FAILURES_IN_A_ROW = 5
_EMPTY = "it has no usable pictures itself; name one of its subcategories"
_FAILED = "the server failed; run the command again"
_NO_PAGE = "Commons has no such page"
_NO_TITLE = "the item has neither a Commons category (P373) nor a picture (P18)"


def fetch_pictures(
    workspace: Workspace, config: ScrapeConfig, categories: Sequence[str]
) -> tuple[dict[str, list[CommonsFile]], dict[str, str]]:
    """Fetches up to `PICTURES` of each category; goes on where an earlier run stopped.

    Args:
        workspace: the build, which gets answers and pictures.
        config: which services to ask, and how.
        categories: addresses of categories, and Q-ids, each once.

    Returns:
        The pictures of each category, which are in `FETCHED`, none of them twice; and the
        categories that have none, with the reason.

    Raises:
        FetchError: a server cannot be reached, or fails again and again; what came is kept.
        IncompleteError: an answer is missing.
    """
    with open_services(config) as services:
        # Generation 0: a refresh asks again what things are, not what they look like.
        opened = opening(workspace, config, 0, services)
        files, lost = _files(opened, categories, follows_moves=config.follow_moves)
    policy = replace(POLICY, requests_per_minute=config.pace(config.commons))
    logger.info("fetching up to %d pictures from Commons", PICTURES * len(files))
    folder = workspace.path(FETCHED)
    damaged = [workspace.path(path) for path, _ in _picture_damages(workspace)]
    for path in filter(Path.exists, damaged):
        set_aside(path)
    found, taken = dict[str, list[CommonsFile]](), set[str]()
    with (
        make_session(config.contact, policy) as session,
        progress("source: categories", len(files)) as advance,
    ):
        fetcher = _Fetcher(session, config, folder)
        for category, some in files.items():
            new = {one.name: one for one in some if one.name not in taken}.values()
            # Those that are or were there come first, so that a rerun takes no others.
            there = {*damaged, *folder.glob("*")}
            in_order = sorted(new, key=lambda one: folder / one.name not in there)
            found[category] = list(islice(filter(fetcher.has, in_order), PICTURES))
            taken.update(one.name for one in found[category])
            if not found[category]:
                lost[category] = _FAILED if fetcher.failures else _EMPTY
            advance(1, problems=not found[category])
    lines = (f"{file_digest(folder / name)}  {name}\n" for name in sorted(taken))
    write_text(folder / RELEASE_SUMS, "".join(lines))
    return found, lost


def fetched_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the pictures of a list, and the answers about them, that are not what was written."""
    yield from _picture_damages(workspace)
    yield from archive_findings(workspace, OF_LISTS)


def _picture_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the pictures that are not those of the last complete list."""
    folder = workspace.path(FETCHED)
    try:
        sums = read_sums(folder / RELEASE_SUMS) if folder.is_dir() else {}
    except DamagedError:
        yield Damage(f"{FETCHED}/{RELEASE_SUMS}", "is damaged or gone")
        return
    for name, sha256 in sums.items():
        if what := file_damage(folder / name, None, sha256):
            yield Damage(f"{FETCHED}/{name}", what)


def _files(
    opened: Open, categories: Sequence[str], *, follows_moves: bool
) -> tuple[dict[str, list[CommonsFile]], dict[str, str]]:
    """Returns the files of each category that has a page, and why the others have none."""
    items, known, files = Entities(), Knowledge(follows_moves=follows_moves), CommonsFiles()
    gather_entities(opened(WIKIDATA_MEDIA, items), items, list(filter(is_qid, categories)))
    titles = {one: _titles(one, items) for one in categories}
    gather_landings(known, opened, list(dict.fromkeys(chain(*titles.values()))))
    ends = {
        category: [end.title for end in map(known.landing, some) if isinstance(end, Landing)]
        for category, some in titles.items()
    }
    question = opened(COMMONS_FILES, files)
    if asked := question.missing(filter(None, chain(*ends.values()))):
        question.fetch(asked)
    asked_of = (items, known.pages, known.redirects, known.moves, files)
    if failed := [one for facts in asked_of for one in facts.failed.items()]:
        what, why = failed[0]
        raise IncompleteError(
            f"{len(failed)} answers are missing, such as that on {what} ({why}); rerun, what was "
            "fetched is kept, or take it off the list"
        )
    lost = {one: _NO_PAGE if titles[one] else _NO_TITLE for one in ends if not any(ends[one])}
    of_pages = {one: [files[end] for end in some if end] for one, some in ends.items()}
    return {one: list(chain(*some)) for one, some in of_pages.items() if one not in lost}, lost


def _titles(category: str, items: Entities) -> list[str]:
    """Returns the titles of the pages to take pictures from, best first."""
    if not is_qid(category):
        return [title_of_url(category)]
    end = merged(category, items)
    if end not in items:
        return []
    # Such as http://commons.wikimedia.org/wiki/Special:FilePath/A%20b.jpg
    files = [unquote(url.rpartition("/")[2]) for url in items[end].best_texts(PICTURE)]
    names = [f"Category:{name}" for name in items[end].best_texts(COMMONS_CATEGORY)]
    named = [f"File:{name}" for name in files] + names
    return [canonical_title(name) for name in named if is_askable(name)]


@dataclass(slots=True)
class _Fetcher:
    """Fetches pictures until too many fail in a row."""

    session: PoliteSession
    config: ScrapeConfig
    folder: Path
    failures: int = 0

    def has(self, file: CommonsFile) -> bool:
        """Says whether a picture is there; fetches it unless that was tried before."""
        path = self.folder / file.name
        if not path.exists():
            try:
                self._fetch(file, path)
            except (AnswerError, NotFoundError) as error:
                self.failures += 1
                if self.failures == _MOST_FAILURES_IN_A_ROW:
                    raise
                logger.warning("%s; skipped, the next run tries again", error)
                return False
            self.failures = 0
        return path.stat().st_size > 0

    def _fetch(self, file: CommonsFile, path: Path) -> None:
        if self.config.replay:
            raise InputError(f"{file.page} was not fetched yet; --no-replay does that")
        require_contact(self.config.contact, file.url)
        with atomic_file(path) as temporary:
            try:
                download(self.session, file.url, temporary)
                measure_picture(temporary.read_bytes())
            except PictureError as error:
                logger.warning("%s %s; it is left out", file.page, error)
                temporary.write_bytes(b"")
            finally:
                discard_notes(temporary)
