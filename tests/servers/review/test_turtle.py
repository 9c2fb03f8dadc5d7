"""The taxonomy as SKOS is Turtle for a second parser, that of oxigraph."""

import subprocess
import sys
from pathlib import Path

import pytest
from rdflib import Graph

from hgld.review.exchange.skos import skos_text
from tests.hgld.review.test_skos import ODD, graph_of


def test_the_file_is_turtle_for_two_parsers_that_agree() -> None:
    oxigraph = Path(sys.executable).with_name("oxigraph")
    if not oxigraph.exists():
        pytest.skip("needs `pip install oxigraph`")
    text = skos_text(ODD, {}, "here")
    done = subprocess.run(
        [oxigraph, "convert", "--from-format", "ttl", "--to-format", "nt"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    theirs = Graph().parse(data=done.stdout, format="nt")
    assert {*theirs} == {*graph_of(text)}
    assert len(theirs) > 60
