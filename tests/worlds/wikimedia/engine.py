"""A SPARQL engine in this process."""

import json
from collections.abc import Mapping
from typing import Any

from pyoxigraph import QueryResultsFormat, QueryTriples, RdfFormat, Store

from tests.worlds.second_lab.files import triples_of


def answered(
    query: str, facts: Mapping[str, str], labels: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Returns what an engine that knows facts says to a query, as SPARQL's JSON."""
    store = Store()
    store.load("\n".join(triples_of(facts, labels)), format=RdfFormat.N_TRIPLES)
    found = store.query(query)
    assert not isinstance(found, QueryTriples)  # of a CONSTRUCT
    return dict(json.loads(found.serialize(format=QueryResultsFormat.JSON) or b""))
