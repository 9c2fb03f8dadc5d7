"""What the text of a soft redirect says: the category that the page points to."""

import html
import re
from collections.abc import Iterable
from urllib.parse import unquote

from hgld.scrape.wikimedia.titles import canonical_title, is_askable

REDIRECTS_CATEGORY = "Category:Category redirects"
"""Commons puts every soft redirect here, whichever template made it one."""

REDIRECT_TEMPLATE = "Template:Category redirect"
"""MediaWiki also lists it for pages that use one of its other names."""

REDIRECT_TEMPLATES = frozenset(
    (
        *("categoryredirect", "catredirect", "catred", "catredir", "redircat", "rediscat"),
        *("endashcatredirect", "categoryredirected", "redirectedcategory", "categorymove"),
        *("redirectcategory", "redirectcat", "seecat", "seecategory"),
        *("synonymtaxoncategoryredirect", "invalidtaxoncategoryredirect"),
        "monotypictaxoncategoryredirect",
    )
)
"""Template:Category redirect on Commons and the names that redirect to it, in lower case, without
spaces and hyphens: `catred` stands for `Cat-red` and `Cat red`."""

# Start and end of what MediaWiki does not read as wikitext.
_UNREAD = re.compile(r"<!--|<(nowiki|pre)\b[^<>/]*>", re.I)
_UNREAD_ENDS = {
    "": re.compile("-->"),
    "nowiki": re.compile(r"</nowiki\s*>", re.I),
    "pre": re.compile(r"</pre\s*>", re.I),
}
_LINK_TEXT = re.compile(r"(\[\[[^\[\]|]*)\|[^\[\]]*\]\]")
_INNERMOST_TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")
_DEEPEST_TEMPLATE = 100  # MediaWiki expands no deeper
# In place of a nested template, whose value only MediaWiki knows. Never in a title.
_UNKNOWN = "\0"
_NO_TITLE = frozenset("[]{}<>")
# With its semicolon: HTML reads the `&sect` of "Bed&section" as an entity, MediaWiki does not.
_ENTITY = re.compile(r"&#?\w+;")


def redirect_target(wikitext: str, links: Iterable[str] = ()) -> str:
    """Returns the category that a soft redirect points to, or an empty string.

    The text usually says it, but a template may have any name, and other templates may build its
    parameter. Then the links, which MediaWiki expanded, decide: a page that links to only one
    category points there, as in Commons' own tools (HotCat).

    Args:
        wikitext: the page's source.
        links: titles of the categories that the page links to.

    Returns:
        The title, with its namespace.

    Example:
        >>> redirect_target("{{Category redirect|1=Wadi Rum (renamed)}}")
        'Category:Wadi Rum (renamed)'
    """
    text = _LINK_TEXT.sub(r"\1]]", _without_unread(wikitext))
    targets: list[str] = []

    def read(template: re.Match[str]) -> str:
        name, _, parameters = template[1].partition("|")
        plain = re.sub(r"[\s_-]", "", name.lower()).removeprefix("template:")
        if plain in REDIRECT_TEMPLATES:
            targets.append(_category(_first_parameter(parameters)))
        return _UNKNOWN

    for _ in range(_DEEPEST_TEMPLATE):
        text, found = _INNERMOST_TEMPLATE.subn(read, text)
        if not found:
            break
    linked = set(links) - {REDIRECTS_CATEGORY}
    return next(filter(None, targets), linked.pop() if len(linked) == 1 else "")


def _without_unread(wikitext: str) -> str:
    """Returns a text without comments, and without the content of `nowiki` and `pre`.

    Anyone can edit Commons, so the time must stay linear in the length.
    """
    kept, at, endless = list[str](), 0, set[str]()
    while start := _UNREAD.search(wikitext, at):
        name = (start[1] or "").lower()
        end = None if name in endless else _UNREAD_ENDS[name].search(wikitext, start.end())
        if name and end is None:
            # A tag without an end is text; a comment without one goes to the end of the page.
            endless.add(name)
            kept.append(wikitext[at : start.end()])
            at = start.end()
            continue
        kept.append(wikitext[at : start.start()])
        at = len(wikitext) if end is None else end.end()
    return "".join([*kept, wikitext[at:]])


def _first_parameter(parameters: str) -> str:
    """Returns parameter 1 of a template: the last one given, by name or by position."""
    first, place = "", 0
    for part in parameters.split("|"):
        name, is_named, value = part.partition("=")
        if not is_named:
            place += 1
            name, value = str(place), part
        if name.strip() == "1":
            first = value
    return first


def _category(text: str) -> str:
    """Returns the title of the category that a text names, or an empty string."""
    # A link's target may be percent-encoded, and any text may have entities.
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), unquote(text))
    link = text.strip().strip("[]").strip()
    title = canonical_title(link.lstrip(":").partition("#")[0])
    name = re.sub(r"^category\s*:\s*", "", title, flags=re.I)
    return f"Category:{name}" if is_askable(name) and _NO_TITLE.isdisjoint(name) else ""
