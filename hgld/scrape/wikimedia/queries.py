"""The queries to Wikidata, in SPARQL; `hgld.scrape.wikimedia.wikidata` reads the answers.

`item_query` asks for the *instance of* (P31) and *main topic* (P301) statements of items,
`class_query` for the labels and *subclass of* (P279) statements of classes, `evidence_query` for
the names of classes in other ontologies (`EVIDENCE`), `place_query` for where items lie, since
when, and in which style (`PLACING`), and `media_query` for the Commons category (P373) and picture
(P18) of items; all of them also ask for merges.
"""

from collections.abc import Iterable, Sequence

from hgld.scrape.wikimedia import wikidata

_MERGE_FACTS = '?entity owl:sameAs ?value . BIND("sameAs" AS ?property)'
_LABEL_FACTS = (
    '?entity rdfs:label ?value . FILTER(LANG(?value) IN ("en", "mul")) BIND("label" AS ?property)'
)

_PREFIXES = """PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
PREFIX p: <http://www.wikidata.org/prop/>
PREFIX ps: <http://www.wikidata.org/prop/statement/>
PREFIX psv: <http://www.wikidata.org/prop/statement/value/>
PREFIX pq: <http://www.wikidata.org/prop/qualifier/>
PREFIX wikibase: <http://wikiba.se/ontology#>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
"""


def item_query(qids: Iterable[str]) -> str:
    """Returns the query for the facts of items, of their merge targets and of their main topics.

    Args:
        qids: Q-ids, at most 500.
    """
    return _facts_query(
        qids,
        links=("owl:sameAs", "wdt:P301"),
        facts=(_MERGE_FACTS, *map(_statements_of, (wikidata.INSTANCE_OF, wikidata.MAIN_TOPIC))),
    )


def class_query(qids: Iterable[str]) -> str:
    """Returns the query for the facts of classes and of their merge targets.

    Args:
        qids: Q-ids, at most 500.
    """
    facts = (_MERGE_FACTS, _LABEL_FACTS, _statements_of(wikidata.SUBCLASS_OF))
    return _facts_query(qids, links=("owl:sameAs",), facts=facts)


def evidence_query(qids: Iterable[str]) -> str:
    """Returns the query for the names of classes, and of their merge targets, elsewhere.

    Args:
        qids: Q-ids, at most 500.
    """
    facts = (_MERGE_FACTS, *map(_statements_of, wikidata.EVIDENCE))
    return _facts_query(qids, links=("owl:sameAs",), facts=facts)


def place_query(qids: Iterable[str]) -> str:
    """Returns the query for where items, and the places that they lie in, are, and since when.

    Args:
        qids: Q-ids, at most 500, of items, places, countries, continents or styles.
    """
    return _facts_query(
        qids,
        # So that most places come with what lies in them: 200,000 landmarks lie in some 40,000.
        links=("wdt:P131",),
        facts=(_MERGE_FACTS, _LABEL_FACTS, *map(_dated_statements_of, wikidata.PLACING)),
        more="?started ?ended ?latitude ?longitude ?precision",
    )


def media_query(qids: Iterable[str]) -> str:
    """Returns the query for where pictures of items and of their merge targets are.

    Args:
        qids: Q-ids, at most 500.
    """
    of_media = map(_statements_of, (wikidata.COMMONS_CATEGORY, wikidata.PICTURE))
    return _facts_query(qids, links=("owl:sameAs",), facts=(_MERGE_FACTS, _LABEL_FACTS, *of_media))


def _statements_of(prop: str, value: str = "", more: str = "") -> str:
    """Returns the pattern for every statement of a property, with its rank.

    Args:
        prop: the property.
        value: the pattern for its value, where that is not a plain one.
        more: patterns for what else is asked, each with a space behind it.
    """
    # Not `wdt:`: it has only the best statements, without their rank.
    value = value or f"OPTIONAL {{ ?statement ps:{prop} ?value }}"
    rank = f"?entity p:{prop} ?statement . ?statement wikibase:rank ?rank ."
    return f'{rank} {value} {more}BIND("{prop}" AS ?property)'


def _dated_statements_of(prop: str) -> str:
    """Returns the pattern for every statement of a property, with its rank and times."""
    node = f"?statement psv:{prop} ?node . ?node wikibase:"
    value = ""
    if prop == wikidata.COORDINATES:
        value = (
            f"OPTIONAL {{ {node}geoLatitude ?latitude ; wikibase:geoLongitude ?longitude ; "
            f"wikibase:geoGlobe ?value }} OPTIONAL {{ ?statement psv:{prop} ?exact . "
            "?exact wikibase:geoPrecision ?precision }"
        )
    elif prop in wikidata.TIMES:
        value = f"OPTIONAL {{ {node}timeValue ?value ; wikibase:timePrecision ?precision }}"
    times = "OPTIONAL { ?statement pq:P580 ?started } OPTIONAL { ?statement pq:P582 ?ended } "
    return _statements_of(prop, value, times)


def _facts_query(
    qids: Iterable[str], *, links: Sequence[str], facts: Sequence[str], more: str = ""
) -> str:
    """Returns the query for facts of items and of those that they link to.

    Each part of the UNION lists the items again and follows one link, because engines differ on
    the rest: some evaluate a UNION before the bindings outside of it, and Virtuoso finds nothing
    for a path of any length from listed items. Longer paths take another round
    (`hgld.scrape.questions`).

    Args:
        qids: Q-ids, at most 500.
        links: the properties to follow, such as `owl:sameAs`.
        facts: patterns about `?entity`, such as `_MERGE_FACTS`.
        more: variables beside those of every query.
    """
    items = " ".join(f"wd:{qid}" for qid in qids)
    starts = [f"VALUES ?entity {{ {items} }}"]
    starts += [f"VALUES ?item {{ {items} }} ?item {link} ?entity ." for link in links]
    parts = [f"{{ {start} {fact} }}" for start in starts for fact in facts]
    # Last, so that a result that is cut off loses these rows first.
    parts.append(f"{{ {starts[0]} {wikidata.ASKED} }}")
    variables = f"?entity ?property ?statement ?rank ?value {more}".rstrip()
    return f"{_PREFIXES}SELECT DISTINCT {variables} WHERE {{\n" + "\nUNION\n".join(parts) + "\n}"
