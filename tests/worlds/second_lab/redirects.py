"""Redirects, hard and soft, and their chains.

The right target is the one that the tools which move pages on Commons take (pywikibot, HotCat).
"""

from collections.abc import Iterator
from dataclasses import replace

from tests.worlds.second_lab.files import PLAIN, WIKI, Trap

_CASTLE = "Category:Castle"
_CASTLE_QID = "Q1000"

_SYNONYMS = (
    "Category Redirect",
    "Categoryredirect",
    "Catredirect",
    "Cat redirect",
    "Cat-redirect",
    "Catredir",
    "Cat-red",
    "Redir cat",
    "See cat",
    "Seecat",
    "See category",
    "Redirect category",
    "Redirect cat",
    "Moved category",
    "Kategorieweiterleitung",
)
"""What pywikibot and the bots of Commons took for synonyms over the years, and two that a Commons
of tomorrow may have: the category tells a soft redirect, not the name of its template."""

_TAXA = ("Synonym", "Invalid", "Monotypic")

TEMPLATES = {
    "Template:Category redirect": (
        "This category is now at [[:Category:{{{1}}}]]. {{{reason|{{{2|}}}}}}"
        "[[Category:Category redirects]]<noinclude>{{Documentation}}</noinclude>"
    ),
    **{f"Template:{name}": "#REDIRECT [[Template:Category redirect]]" for name in _SYNONYMS},
    **{
        f"Template:{name} taxon category redirect": "{{Category redirect|1={{{1}}}}}"
        for name in _TAXA
    },
    "Template:Endashcatredirect": "{{Category redirect|1={{{1}}}}}",
    "Template:Wikidata Infobox": "<div></div>",
    "Template:En": "{{{1}}}",
    "Template:Bad name": "Soon to be deleted; see [[:Category:{{{1}}}]].",
}


def _at_castle(name: str, url: str, pages: dict[str, str]) -> Trap:
    return Trap(
        name=name,
        url=WIKI + url,
        title=_CASTLE,
        qid=_CASTLE_QID,
        classes=("Q20",),
        pages={_CASTLE: PLAIN, **pages},
        items={_CASTLE: _CASTLE_QID},
        facts={_CASTLE_QID: "P31:Q20"},
    )


def soft_redirect_traps() -> Iterator[Trap]:
    """One page each with a text that points to the castle."""
    names = [*_SYNONYMS, *(f"{name} taxon category redirect" for name in _TAXA)]
    synonyms = [(name, f"{{{{{name}|Castle}}}}") for name in [*names, "Endashcatredirect"]]
    for name, text in (*synonyms, *_SOFT):
        title = f"Category:Soft {name}"
        yield _at_castle(f"soft redirect: {name}", title.replace(" ", "_"), {title: text})


_LINK = "[[:Category:Linked {}]]"

_SOFT = (
    ("plain", "{{Category redirect|Castle}}"),
    ("lower-case template", "{{category redirect|Castle}}"),
    ("template with underscores", "{{Category_redirect_|Castle}}"),
    ("template with two spaces", "{{ Category  redirect\n|Castle}}"),
    ("template with its namespace", "{{template:category redirect|Castle}}"),
    ("comment in the template", "{{Category redirect<!-- x -->|Castle}}"),
    ("1=", "{{Category redirect|1=Castle}}"),
    ("1= with spaces", "{{Category redirect\n | 1 = \n Castle \n}}"),
    ("the last 1 counts", "{{Category redirect|Nowhere|1=Castle}}"),
    ("namespace", "{{Category redirect|Category:Castle}}"),
    ("colon and namespace", "{{Category redirect|: category : Castle}}"),
    ("lower-case target", "{{Category redirect|castle}}"),
    ("underscores", "{{Category redirect|_Castle_}}"),
    ("fragment", "{{Category redirect|Castle#History}}"),
    ("comment", "{{Category redirect|Cas<!-- {{{ }} | -->tle}}"),
    ("comment without an end", "{{Category redirect|Castle}}<!-- {{Category redirect|Nowhere}}"),
    ("earlier in nowiki", "<nowiki>{{Category redirect|No}}</nowiki>{{Category redirect|Castle}}"),
    ("earlier in pre", "<pre>{{Category redirect|No}}</pre>{{Category redirect|Castle}}"),
    ("reason", "{{Category redirect|Castle|moved, see [[:Category:Two words]]}}"),
    ("reason with =", "{{Category redirect|reason=a|Castle|b}}"),
    ("template in the reason", "{{Category redirect|reason={{En|1=moved|x}}|Castle}}"),
    ("link in the reason", "{{Category redirect|reason=see [[:Category:A/B|A or B]]|Castle}}"),
    ("template around", "{{En|1=Moved: {{Category redirect|Castle}}}}"),
    ("another template before", "{{Bad name|Two words}}{{Category redirect|Castle}}"),
    ("infobox before", "{{Wikidata Infobox}}\n{{Category redirect|Castle}}\n[[Category:X]]"),
    ("in noinclude", "<noinclude>{{Category redirect|Castle}}</noinclude>"),
    ("entity", "{{Category redirect|&#67;astle}}"),
    ("self-closing nowiki", "<nowiki />{{Category redirect|Castle}}<nowiki></nowiki>"),
    ("percent-encoding", "{{Category redirect|%43astle}}"),
    ("link", "{{Category redirect|[[:Category:Castle]]}}"),
    ("link with a text", "{{Category redirect|[[:Category:Castle|the castle]]}}"),
    ("mark of direction", "{{Category redirect|Castle\u200e}}"),
    # More links than MediaWiki tells at once: those of the pages after it come in a second answer.
    ("many links", f"{{{{Category redirect|Castle}}}}{''.join(map(_LINK.format, range(600)))}"),
    ("parser function", "{{Category redirect|{{#if:x|Castle|No}}}}"),
    ("magic word", "{{Category redirect|{{ucfirst:castle}}}}"),
    ("default of a parameter", "{{Category redirect|{{{1|Castle}}}}}"),
    ("by hand", "Now at [[:Category:Castle]]. [[Category:Category redirects]]"),
)


def chain_traps() -> Iterator[Trap]:
    for name, pages in _CHAINS.items():
        yield _at_castle(f"chain: {name}", next(iter(pages)).replace(" ", "_"), pages)
    # MediaWiki follows a redirect before it looks for an item.
    trap = _at_castle(
        "chain: hard, with an item", "Category:C0", {"Category:C0": _hard(f":{_CASTLE}")}
    )
    items = {**trap.items, "Category:C0": "Q1001"}
    yield replace(trap, items=items, facts={**trap.facts, "Q1001": "P31:Q9"})
    for name, (status, title, pages) in _ENDS.items():
        url = WIKI + next(iter(pages)).replace(" ", "_")
        yield Trap(name=f"end: {name}", url=url, status=status, title=title, pages=pages)


def _hard(target: str) -> str:
    return f"#REDIRECT [[{target}]]"


def _soft(target: str) -> str:
    return f"{{{{Category redirect|{target}}}}}"


_CHAINS = {
    "soft, soft": {"Category:C1": _soft("C2"), "Category:C2": _soft("Castle")},
    "soft, hard": {"Category:C3": _soft("C4"), "Category:C4": _hard(":Category:Castle")},
    "hard, soft": {"Category:C5": _hard(":Category:C6"), "Category:C6": _soft("Castle")},
    "hard, hard": {"Category:C7": _hard(":Category:C8"), "Category:C8": _hard(":Category:Castle")},
    "hard, soft, hard, soft": {
        "Category:C9": _hard(":Category:C10"),
        "Category:C10": _soft("C11"),
        "Category:C11": _hard(":Category:C12"),
        "Category:C12": _soft("Castle"),
    },
    "hard, to a section": {"Category:C13": _hard(":Category:Castle#History")},
    "hard, lower-case and underscores": {"Category:C14": _hard(":category:castle_")},
    "soft, to an odd title": {
        "Category:C15": _soft("1=&quot;1=1&#39; & C&eacute;"),
        "Category:\"1=1' & C\u00e9": _soft("Castle"),
    },
    "soft, to what looks like an entity": {
        "Category:C18": _soft("Bed&section"),
        "Category:Bed&section": _soft("Castle"),
    },
    "hard, without a colon": {"Category:C17": "#redirect: [[Category:Castle|x]]\n[[Category:Y]]"},
    "hard, from the main namespace": {"C16": _hard(":Category:Castle")},
    "five soft ones": {
        f"Category:D{number}": _soft(f"D{number + 1}" if number < 5 else "Castle")
        for number in range(1, 6)
    },
}

_ENDS = {
    "soft to itself": ("redirect_loop", "", {"Category:E1": _soft("E1")}),
    "soft to itself in another case": ("redirect_loop", "", {"Category:E2": _soft("e2_")}),
    "hard to itself": ("redirect_loop", "", {"Category:E3": _hard(":Category:E3")}),
    "soft ring": (
        "redirect_loop",
        "",
        {"Category:E4": _soft("E5"), "Category:E5": _soft("E6"), "Category:E6": _soft("E4")},
    ),
    "hard ring": (
        "redirect_loop",
        "",
        {"Category:E7": _hard(":Category:E8"), "Category:E8": _hard(":Category:E7")},
    ),
    "mixed ring": (
        "redirect_loop",
        "",
        {"Category:E9": _hard(":Category:E10"), "Category:E10": _soft("E9")},
    ),
    "way into a ring": ("redirect_loop", "", {"Category:E11": _soft("E4")}),
    "hard to a missing page": ("no_page", "", {"Category:E12": _hard(":Category:Nowhere")}),
    "soft to a missing page": ("no_page", "", {"Category:E13": _soft("Nowhere")}),
    "hard to another wiki": ("no_page", "", {"Category:E14": _hard("wikipedia:Castle")}),
    "soft to a page without an item": (
        "no_item",
        "Category:E16",
        {"Category:E15": _soft("E16"), "Category:E16": PLAIN},
    ),
    "a template in nowiki makes no redirect": (
        "no_item",
        "Category:E17",
        {"Category:E17": f"<nowiki>{_soft('Castle')}</nowiki>"},
    ),
    "another template makes no redirect": (
        "no_item",
        "Category:E18",
        {"Category:E18": "{{Bad name|Castle}}"},
    ),
    "category of the redirects": (
        "no_item",
        "Category:Category redirects",
        {"Category:Category redirects": "Soft redirects."},
    ),
    "soft to nothing": ("no_item", "Category:E21", {"Category:E21": "{{Category redirect|}}"}),
    "an empty page": ("no_item", "Category:E19", {"Category:E19": ""}),
    "a link to the category of redirects makes none": (
        "no_item",
        "Category:E20",
        {"Category:E20": "See [[:Category:Category redirects]] and [[:Category:Castle]]."},
    ),
}
