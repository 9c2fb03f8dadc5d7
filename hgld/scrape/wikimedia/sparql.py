"""How Wikidata is asked in SPARQL: facts of items, and a row of its own for each item."""

from collections.abc import Iterable, Sequence

ASKED = 'BIND("asked" AS ?property)'
"""The pattern for the row that every query asks for, for each item that it names."""

MERGE_FACTS = '?entity owl:sameAs ?value . BIND("sameAs" AS ?property)'
LABEL_FACTS = (
    '?entity rdfs:label ?value . FILTER(LANG(?value) IN ("en", "mul")) BIND("label" AS ?property)'
)

_PREFIXES = """PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
PREFIX p: <http://www.wikidata.org/prop/>
PREFIX ps: <http://www.wikidata.org/prop/statement/>
PREFIX wikibase: <http://wikiba.se/ontology#>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
"""


def statements_of(prop: str) -> str:
    """Returns the pattern for every statement of a property, with its rank."""
    # Not `wdt:`, which has the best statements already: it does not tell their rank.
    return (
        f"?entity p:{prop} ?statement . ?statement wikibase:rank ?rank . "
        f'OPTIONAL {{ ?statement ps:{prop} ?value }} BIND("{prop}" AS ?property)'
    )


def facts_query(qids: Iterable[str], *, links: Sequence[str], facts: Sequence[str]) -> str:
    """Returns the query for facts of items and of those that they link to.

    Each part names the items anew, and follows one link: that is what engines agree on. Some work
    out a UNION before they look at what is known outside of it, and to a path of any length from
    items that are listed Virtuoso finds nothing. Longer ways take another round
    (`hgld.scrape.live.gather`).

    Args:
        qids: Q-ids, at most 500.
        links: the properties that are followed, as in `owl:sameAs`.
        facts: patterns about `?entity`, such as `MERGE_FACTS`.
    """
    items = " ".join(f"wd:{qid}" for qid in qids)
    starts = [f"VALUES ?entity {{ {items} }}"]
    starts += [f"VALUES ?item {{ {items} }} ?item {link} ?entity ." for link in links]
    parts = [f"{{ {start} {fact} }}" for start in starts for fact in facts]
    # The last one: of a result that is cut off it goes first.
    parts.append(f"{{ {starts[0]} {ASKED} }}")
    return (
        f"{_PREFIXES}SELECT DISTINCT ?entity ?property ?statement ?rank ?value WHERE {{\n"
        + "\nUNION\n".join(parts)
        + "\n}"
    )
