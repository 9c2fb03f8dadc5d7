"""What is known: where a title ends, which landmark a page stands for, and why it is not known.

What fills it (answers of the services) is elsewhere, and so is what is made of it. Hard redirects
are MediaWiki's own business: a page answer is of the page behind them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hgld.scrape.wikimedia.commons import CommonsPages, Landing, MoveLog, SoftRedirects
from hgld.scrape.wikimedia.wikidata import MOST_HOPS, SUBCLASS_OF, Entities, Found, find, merged


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


@dataclass(frozen=True, slots=True)
class Failure:
    """Why it is not known what a title or an item leads to; a rerun may find out."""

    error: str


@dataclass(slots=True, kw_only=True)
class Knowledge:
    """All that is known of titles, items and classes, or why it is not."""

    pages: CommonsPages = field(default_factory=CommonsPages)
    redirects: SoftRedirects = field(default_factory=SoftRedirects)
    follows_moves: bool = False
    """Whether a page that is not there is followed to where it was moved."""
    moves: MoveLog = field(default_factory=MoveLog)
    items: Entities = field(default_factory=Entities)
    classes: Entities = field(default_factory=Entities)

    def walk(self, title: str) -> Walk:
        """Follows a title through soft redirects and moves, as far as the answers go.

        A page that has an item of its own is the end of the way, marked as a redirect or not.

        Returns:
            The end, or what has to be asked to go on.
        """
        seen: set[str] = set()
        while title in self.pages:
            landing = self.pages[title]
            step = self._onward(landing)
            if isinstance(step, Walk):
                return step
            if landing.title + landing.missing_title in seen or len(seen) >= MOST_HOPS:
                return Walk(landing=self._end_of_loop(landing))
            seen.add(landing.title + landing.missing_title)
            title = step
        return Walk(ask_title=title)

    def _onward(self, landing: Landing) -> str | Walk:
        """Returns the title to go on with, or the end of the walk."""
        if landing.is_soft_redirect and not landing.qid:
            if landing.title not in self.redirects:
                return Walk(ask_wikitext=landing.title)
            return self.redirects[landing.title] or Walk(landing=landing)
        if landing.missing_title and self.follows_moves:
            if landing.missing_title not in self.moves:
                return Walk(ask_log=landing.missing_title)
            fate = self.moves[landing.missing_title]
            return fate.moved_to or Walk(landing=replace(landing, error=fate.last_event))
        return Walk(landing=landing)

    def _end_of_loop(self, landing: Landing) -> Landing:
        if landing.missing_title:
            # Moved to and fro, and not there all the same.
            return replace(landing, error=self.moves[landing.missing_title].last_event)
        return Landing(title="", fetched_at=landing.fetched_at, status="redirect_loop")

    def landing(self, title: str) -> Landing | Failure:
        """Returns where a title leads, once each key on its way is known or has failed."""
        step = self.walk(title)
        if step.landing is not None:
            return step.landing
        if step.ask_title:
            return Failure(self.pages.failed[step.ask_title])
        if step.ask_log:
            return Failure(self.moves.failed[step.ask_log])
        return Failure(self.redirects.failed[step.ask_wikitext])

    def landmark(self, landing: Landing) -> Found | Failure:
        """Returns what a page's item, a Q-id, stands for, once each key is known or has failed."""
        found = find(landing.qid, self.items)
        if found.ask:
            return Failure(self.items.failed[found.ask])
        for qid in found.classes:
            if (end := merged(qid, self.classes)) in self.classes.failed:
                return Failure(self.classes.failed[end])
        return found


def superclasses(classes: Iterable[str], known: Entities) -> dict[str, None]:
    """Returns the direct superclasses of classes, each once, as far as they are known."""
    ends = (merged(qid, known) for qid in classes)
    return {
        merged(superclass, known): None
        for end in dict.fromkeys(ends)
        if end in known
        for superclass in known[end].best(SUBCLASS_OF)
    }
