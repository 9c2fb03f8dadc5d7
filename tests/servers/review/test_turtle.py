"""The taxonomy as SKOS is Turtle for a second parser, that of oxigraph."""

import subprocess
import sys
from pathlib import Path

import pytest
from rdflib import Graph
from rdflib.compare import isomorphic

from tests.hgld.review.test_skos import odd_graph


def test_the_file_is_turtle_for_two_parsers_that_agree() -> None:
    oxigraph = Path(sys.executable).with_name("oxigraph")
    if not oxigraph.exists():
        pytest.skip("needs `pip install oxigraph`")
    graph = odd_graph()
    done = subprocess.run(
        [oxigraph, "convert", "--from-format", "ttl", "--to-format", "nt"],
        input=graph.serialize(format="turtle", encoding="utf-8"),
        capture_output=True,
        check=True,
    )
    theirs = Graph().parse(data=done.stdout, format="nt")
    assert isomorphic(theirs, graph)
    assert len(theirs) > 40
