"""The taxonomy as SKOS is Turtle for a second parser, that of oxigraph."""

import subprocess
import sys
from pathlib import Path

import pytest
from rdflib import Graph

from tests.hgld.review.test_skos import odd_turtle


def test_the_file_is_turtle_for_two_parsers_that_agree() -> None:
    oxigraph = Path(sys.executable).with_name("oxigraph")
    if not oxigraph.exists():
        pytest.skip("needs `pip install oxigraph`")
    text = odd_turtle()
    done = subprocess.run(
        [oxigraph, "convert", "--from-format", "ttl", "--to-format", "nt"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    theirs = Graph().parse(data=done.stdout, format="nt")
    assert {*theirs} == {*Graph().parse(data=text)}
    assert len(theirs) > 40
