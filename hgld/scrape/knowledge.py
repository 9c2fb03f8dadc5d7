"""What is known so far: where a title leads, which landmark a page stands for, and what failed.

`hgld.scrape.questions` fills it and `hgld.scrape.rows` makes the rows. MediaWiki follows hard
redirects itself: its answer is about the page behind them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hgld.scrape.wikimedia import wikidata
from hgld.scrape.wikimedia.answers import Facts
from hgld.scrape.wikimedia.commons import CommonsPages, Landing, MoveLog, SoftRedirects


class Missing(NamedTuple):
    """The fact that is needed to follow a title further."""

    facts: Facts[Any]
    """The facts that lack the key."""
    key: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why it is unknown where a title or an item leads; a rerun may find out."""

    error: str


@dataclass(slots=True, kw_only=True)
class Knowledge:
    """Everything known about titles, items and classes, and what failed."""

    pages: CommonsPages = field(default_factory=CommonsPages)
    redirects: SoftRedirects = field(default_factory=SoftRedirects)
    follows_moves: bool = False
    """Whether to follow a missing page to where it was moved."""
    moves: MoveLog = field(default_factory=MoveLog)
    items: wikidata.Entities = field(default_factory=wikidata.Entities)
    classes: wikidata.Entities = field(default_factory=wikidata.Entities)

    def walk(self, title: str) -> Landing | Missing:
        """Follows a title through soft redirects and moves, as far as the answers go.

        A page with an item of its own ends the walk, even if it is marked as a redirect. A Q-id in
        place of a title is the item itself, which needs no page.
        """
        if wikidata.is_qid(title):
            return Landing(title="", qid=title)
        seen: set[str] = set()
        while title in self.pages:
            landing = self.pages[title]
            step = self._onward(landing)
            if not isinstance(step, str):
                return step
            if landing.title + landing.missing_title in seen or len(seen) >= wikidata.MOST_HOPS:
                return self._end_of_loop(landing)
            seen.add(landing.title + landing.missing_title)
            title = step
        return Missing(self.pages, title)

    def _onward(self, landing: Landing) -> str | Landing | Missing:
        """Returns the title to go on with, or the end of the walk."""
        if landing.is_soft_redirect and not landing.qid:
            if landing.title not in self.redirects:
                return Missing(self.redirects, landing.title)
            return self.redirects[landing.title] or landing
        if landing.missing_title and self.follows_moves:
            if landing.missing_title not in self.moves:
                return Missing(self.moves, landing.missing_title)
            fate = self.moves[landing.missing_title]
            return fate.moved_to or landing._replace(error=fate.last_event)
        return landing

    def _end_of_loop(self, landing: Landing) -> Landing:
        if landing.missing_title:
            # Moved back and forth, and still missing.
            return landing._replace(error=self.moves[landing.missing_title].last_event)
        return Landing(title="", fetched_at=landing.fetched_at, status="redirect_loop")

    def landing(self, title: str) -> Landing | Failure:
        """Returns where a title leads; each key on its way must be known or have failed."""
        step = self.walk(title)
        return step if isinstance(step, Landing) else Failure(step.facts.failed[step.key])

    def landmark(self, landing: Landing) -> wikidata.Found | Failure:
        """Returns what a page's item stands for; each key must be known or have failed."""
        found = wikidata.find(landing.qid, self.items)
        if found.ask:
            return Failure(self.items.failed[found.ask])
        for qid in found.classes:
            if (end := wikidata.merged(qid, self.classes)) in self.classes.failed:
                return Failure(self.classes.failed[end])
        return found


def superclasses(classes: Iterable[str], known: wikidata.Entities) -> dict[str, None]:
    """Returns the known direct superclasses of classes, each once."""
    ends = (wikidata.merged(qid, known) for qid in classes)
    return {
        wikidata.merged(superclass, known): None
        for end in dict.fromkeys(ends)
        if end in known
        for superclass in known[end].best(wikidata.SUBCLASS_OF)
    }
