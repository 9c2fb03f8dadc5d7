"""From a title to the page where it ends: through soft redirects and, where asked, moves.

Hard redirects are MediaWiki's own business: a page answer is of the page behind them.
"""

from dataclasses import dataclass, replace

from hgld.scrape.wikimedia.commons import CommonsPages, Landing, MoveLog, SoftRedirects

_MOST_HOPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How far a title can be followed with what is known."""

    landing: Landing | None = None
    """The end of the way."""
    ask_title: str = ""
    """Set where a page answer is missing for this title."""
    ask_wikitext: str = ""
    """Set where the text of this page is missing."""
    ask_log: str = ""
    """Set where the log of this page is missing."""


def walk(
    title: str, pages: CommonsPages, redirects: SoftRedirects, moves: MoveLog | None = None
) -> Walk:
    """Follows a title through soft redirects and moves, as far as the answers go.

    A page that has an item of its own is the end of the way, marked as a redirect or not.

    Args:
        title: where to start.
        pages: the page answers.
        redirects: the texts of soft redirects.
        moves: the logs of pages that are not there; None leaves those pages missing.

    Returns:
        The end, or what has to be asked to go on.
    """
    seen: set[str] = set()
    while title in pages:
        landing = pages[title]
        step = _onward(landing, redirects, moves)
        if isinstance(step, Walk):
            return step
        if landing.title + landing.missing_title in seen or len(seen) >= _MOST_HOPS:
            return Walk(landing=_end_of_loop(landing, moves))
        seen.add(landing.title + landing.missing_title)
        title = step
    return Walk(ask_title=title)


def _end_of_loop(landing: Landing, moves: MoveLog | None) -> Landing:
    if landing.missing_title and moves is not None:
        # Moved to and fro, and not there all the same.
        return replace(landing, error=moves[landing.missing_title][1])
    return Landing(title="", fetched_at=landing.fetched_at, status="redirect_loop")


def _onward(landing: Landing, redirects: SoftRedirects, moves: MoveLog | None) -> str | Walk:
    """Returns the title to go on with, or the end of the walk."""
    if landing.is_soft_redirect and not landing.qid:
        if landing.title not in redirects:
            return Walk(ask_wikitext=landing.title)
        return redirects[landing.title] or Walk(landing=landing)
    if landing.missing_title and moves is not None:
        if landing.missing_title not in moves:
            return Walk(ask_log=landing.missing_title)
        target, fate = moves[landing.missing_title]
        return target or Walk(landing=replace(landing, error=fate))
    return Walk(landing=landing)
