"""Redirects, hard and soft, and their chains; and pages that were moved or deleted.

The right target is the one that the tools which move pages on Commons take (pywikibot, HotCat);
of a page that is gone, the one that whoever reads the log on the empty page is sent to.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from tests.worlds.second_lab.files import PLAIN, WIKI, Trap, cells_of, landed

_CASTLE = "Category:Castle"
_CASTLE_QID = "Q1000"

# Names of the template, and two that a Commons of tomorrow may have: the category tells a soft
# redirect, not the name of its template.
_SYNONYMS = ("Catredirect", "Cat-red", "See cat", "Moved category", "Kategorieweiterleitung")

TEMPLATES = {
    "Template:Category redirect": (
        "This category is now at [[:Category:{{{1}}}]]. {{{reason|{{{2|}}}}}}"
        "[[Category:Category redirects]]<noinclude>{{Documentation}}</noinclude>"
    ),
    **{f"Template:{name}": "#REDIRECT [[Template:Category redirect]]" for name in _SYNONYMS},
    "Template:Synonym taxon category redirect": "{{Category redirect|1={{{1}}}}}",
    "Template:Wikidata Infobox": "<div></div>",
    "Template:En": "{{{1}}}",
    "Template:Bad name": "Soon to be deleted; see [[:Category:{{{1}}}]].",
}


def _at_castle(name: str, pages: dict[str, str]) -> Trap:
    """Returns a landmark whose category is the first of the pages, and leads to the castle."""
    url = WIKI + next(iter(pages)).replace(" ", "_")
    return landed(name, _CASTLE, _CASTLE_QID, url=url, pages={_CASTLE: PLAIN, **pages})


def soft_redirect_traps() -> Iterator[Trap]:
    """One page each with a text that points to the castle."""
    names = (*_SYNONYMS, "Synonym taxon category redirect")
    for number, text in enumerate((*(f"{{{{{name}|Castle}}}}" for name in names), *_SOFT)):
        yield _at_castle(f"soft redirect: {text:.40}", {f"Category:Soft {number}": text})


_LINK = "[[:Category:Linked {}]]"

# `tests/hgld/scrape/wikimedia` has more texts. These MediaWiki reads too: links, and what it makes
# of a template in a parameter.
_SOFT = (
    "{{category_redirect_|castle}}",
    "{{template:category redirect|1= _Castle_ \n}}",
    "{{Category redirect|Castle|moved, see [[:Category:Two words]]}}",
    "{{Bad name|Two words}}{{Category redirect|Castle}}",
    "<noinclude>{{Category redirect|&#67;astle}}</noinclude>",
    "{{Category redirect|%43astle}}",
    "{{Category redirect|[[:Category:Castle|the castle]]}}",
    "{{Category redirect|Castle\u200e}}",
    # More links than MediaWiki tells at once: those of the pages after it come in a second answer.
    f"{{{{Category redirect|Castle}}}}{''.join(map(_LINK.format, range(600)))}",
    "{{Category redirect|{{#if:x|Castle|No}}}}",
    "{{Category redirect|{{ucfirst:castle}}}}",
    "{{Category redirect|{{{1|Castle}}}}}",
    "Now at [[:Category:Castle]]. [[Category:Category redirects]]",
)

# Name | pages: ~ for a soft redirect, = for a hard one
_CHAINS = """
soft, soft | C1 ~C2; C2 ~Castle
soft, hard | C3 ~C4; C4 =Castle
hard, soft, hard, soft | C9 =C10; C10 ~C11; C11 =C12; C12 ~Castle
hard, to a section | C13 =Castle#History
five soft ones | D1 ~D2; D2 ~D3; D3 ~D4; D4 ~D5; D5 ~Castle
soft, to what looks like an entity | C18 ~Bed&section; Bed&section ~Castle
"""
_MORE_CHAINS = {
    "hard, lower-case and underscores": {"Category:C14": "#REDIRECT [[:category:castle_]]"},
    "hard, without a colon": {"Category:C17": "#redirect: [[Category:Castle|x]]\n[[Category:Y]]"},
    "hard, from the main namespace": {"C16": "#REDIRECT [[:Category:Castle]]"},
    "soft, to an odd title": {
        "Category:C15": "{{Category redirect|1=&quot;1=1&#39; & C&eacute;}}",
        "Category:\"1=1' & C\u00e9": "{{Category redirect|Castle}}",
    },
}

# Name | status | page where it ends | pages
_ENDS = """
soft to itself | redirect_loop | | E1 ~E1
soft to itself in another case | redirect_loop | | E2 ~e2_
hard to itself | redirect_loop | | E3 =E3
soft ring | redirect_loop | | E4 ~E5; E5 ~E6; E6 ~E4
hard ring | redirect_loop | | E7 =E8; E8 =E7
mixed ring | redirect_loop | | E9 =E10; E10 ~E9
way into a ring | redirect_loop | | E11 ~E4
hard to a missing page | no_page | | E12 =Nowhere
soft to a missing page | no_page | | E13 ~Nowhere
hard to another wiki | no_page | | E14 #REDIRECT [[wikipedia:Castle]]
soft to a page without an item | no_item | E16 | E15 ~E16; E16 A page.
in nowiki | no_item | E17 | E17 <nowiki>{{Category redirect^Castle}}</nowiki>
another template | no_item | E18 | E18 {{Bad name^Castle}}
category of the redirects | no_item | Category redirects | Category_redirects Soft redirects.
soft to nothing | no_item | E21 | E21 {{Category redirect^}}
an empty page | no_item | E19 | E19
links to the category | no_item | E20 | E20 [[:Category:Category redirects]], [[:Category:Castle]]
"""


def chain_traps() -> Iterator[Trap]:
    for name, told in cells_of(_CHAINS):
        yield _at_castle(f"chain: {name}", _pages_of(told))
    for name, pages in _MORE_CHAINS.items():
        yield _at_castle(f"chain: {name}", pages)
    # MediaWiki follows a redirect before it looks for an item.
    trap = _at_castle("chain: hard, with an item", _pages_of("C0 =Castle"))
    items, facts = {**trap.items, "Category:C0": "Q1001"}, {**trap.facts, "Q1001": "P31:Q9"}
    yield replace(trap, items=items, facts=facts)
    for name, status, end, told in cells_of(_ENDS):
        pages, title = _pages_of(told), f"Category:{end}" if end else ""
        url = WIKI + next(iter(pages)).replace(" ", "_")
        yield Trap(name=f"end: {name}", url=url, status=status, title=title, pages=pages)


def _pages_of(told: str) -> dict[str, str]:
    """Returns title to text; a `^` stands for the bar that parts cells here."""
    pages = {}
    for part in told.split(";"):
        title, _, text = part.strip().partition(" ")
        text = re.sub(r"^~(.*)", r"{{Category redirect|\1}}", text.replace("^", "|"))
        text = re.sub(r"^=(.*)", r"#REDIRECT [[:Category:\1]]", text)
        pages[f"Category:{title.replace('_', ' ')}"] = text
    return pages


class Step(NamedTuple):
    """What is done with a page: "move", "move and redirect" or "delete"."""

    kind: str
    title: str
    target: str


# Name | what is done | page where it ends | what is said where it ends nowhere
_FATES = """
moved | move M1 to M1a | M1a |
moved twice | move M2 to M2a; move M2a to M2b | M2b |
moved, and then on behind a redirect | move M3 to M3a; move and redirect M3a to M3b | M3b |
moved, and the redirect deleted | move and redirect M4 to M4a; delete M4 | M4a |
deleted | delete M5 | | last in its log: delete
moved, and deleted there | move M6 to M6a; delete M6a | | last in its log: delete
moved there and back | move M7 to M7a; move M7a to M7 | M7 |
moved there and back, and deleted | move M8 to M8a; move M8a to M8; delete M8 | | \
last in its log: delete
"""


def _steps_of(told: str) -> list[Step]:
    steps = []
    for part in told.split(";"):
        kind, title, target = re.fullmatch(r"(.+?) (M\w+)(?: to (M\w+))?", part.strip()).groups("")  # type: ignore[union-attr]
        steps.append(Step(kind, f"Category:{title}", f"Category:{target}" if target else ""))
    return steps


def gone_traps() -> Iterator[Trap]:
    """One landmark each, as it must end where the log is followed."""
    for number, (name, told, end, error) in enumerate(cells_of(_FATES), start=3001):
        done, qid = _steps_of(told), f"Q{number}"
        titles = dict.fromkeys(title for step in done for title in step[1:] if title)
        yield Trap(
            name=f"gone: {name}",
            url=WIKI + done[0].title,
            status="no_page" if error else "ok",
            title=f"Category:{end}" if end else "",
            qid=qid if end else "",
            classes=("Q20",) if end else (),
            pages={done[0].title: PLAIN},
            items=dict.fromkeys(titles, qid),
            facts={qid: "P31:Q20"},
        )


def errors() -> dict[str, str]:
    """Returns trap to what must be said of it."""
    return {f"gone: {name}": error for name, _, _, error in cells_of(_FATES)}


def steps() -> Iterator[list[Step]]:
    """Yields what is to be done at once, of all landmarks."""
    histories = [_steps_of(told) for _, told, _, _ in cells_of(_FATES)]
    for at in range(max(map(len, histories))):
        yield [history[at] for history in histories if at < len(history)]
