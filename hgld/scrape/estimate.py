"""What a scrape would ask for, before its first request: `hgld scrape --estimate`."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_PAGES, WIKIDATA_ITEMS, WIKIDATA_PLACES, newest_generation
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.questions import opening
from hgld.scrape.stage import landmarks_to_scrape, titles_to_ask
from hgld.scrape.wikimedia.commons import CommonsPages
from hgld.scrape.wikimedia.wikidata import Entities, find, is_qid

_MOST_CLASSES = 10_000  # of GLDv2's landmarks; those of fewer items are at most as many
_QUESTIONS_ON_CLASSES = 3  # what they are, what they are subclasses of, other names
_REQUEST_S = 1.0  # of a server that answers as it usually does, where no pace is set
# Of a key in an answer as kept, packed. Real servers gave 45 a page, 33 an item, and 200 an item
# with all facts of its place.
_TITLE_BYTES, _ITEM_BYTES = 50, 120


class Estimate(NamedTuple):
    """Requests to one service."""

    address: str
    requests: int
    minutes: int
    bytes: int
    """As kept in raw/, compressed."""


def estimate_scrape(workspace: Workspace, config: ScrapeConfig) -> list[Estimate]:
    """Returns what a scrape would ask for that the raw archive lacks; asks nobody.

    Args:
        workspace: the build.
        config: the settings.

    Returns:
        About the requests to Commons and to the SPARQL service. How many pages are redirects, and
        how many items there are, only answers tell: one item a page is counted.

    Raises:
        InputError: the CSV file is unusable.
        MissingInputError: no CSV file is given, and the metadata stage has not run.
    """
    named = titles_to_ask(landmarks_to_scrape(workspace, config))
    titles = [one for one in named if not is_qid(one)]
    items = [one for one in named if is_qid(one)]
    pages, counts = titles, [len(named)] * 2
    if not config.refresh:
        opened = opening(workspace, config, newest_generation(workspace), services=None)
        known = CommonsPages()
        pages = opened(COMMONS_PAGES, known).missing(titles)
        items += [known[one].qid for one in titles if one in known and is_qid(known[one].qid)]
        about, places = Entities(), Entities()
        asked_items = opened(WIKIDATA_ITEMS, about).missing(items)
        # Where something is, is asked of what it was merged into, or is a category about.
        ends = (find(one, about).qid or one for one in items)
        asked_places = opened(WIKIDATA_PLACES, places).missing(ends)
        counts = [len(pages) + len(some) for some in (asked_items, asked_places)]
    classes = [min(counts[0], _MOST_CLASSES)] * _QUESTIONS_ON_CLASSES
    public = config.without_logins()
    asked = (
        (public.commons, [len(pages)], config.titles_per_request, _TITLE_BYTES),
        (public.sparql, [*counts, *classes], config.keys_per_request, _ITEM_BYTES),
    )
    return [_estimate(config, address, keys, size, each) for address, keys, size, each in asked]


def _estimate(
    config: ScrapeConfig, address: str, keys: Sequence[int], size: int, each: int
) -> Estimate:
    requests = sum(math.ceil(count / size) for count in keys)
    pace = config.pace(address)
    minutes = math.ceil(requests * max(60 / pace if pace else 0, _REQUEST_S) / 60)
    return Estimate(address, requests, minutes, sum(keys) * each)
