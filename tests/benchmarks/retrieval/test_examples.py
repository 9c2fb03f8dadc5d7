import math

import pytest

from hgld.benchmarks.pages import category_name
from hgld.benchmarks.retrieval.examples import spread_queries


def test_the_worst_and_the_best_change_are_always_shown() -> None:
    changes = [0.1 * ((7 * number) % 11) - 0.5 for number in range(11)]
    chosen = spread_queries(changes, [f"{number:02d}" for number in range(11)])
    assert list(chosen) == [0.0, 0.25, 0.5, 0.75, 1.0]
    picked = [changes[number] for number in chosen.values()]
    # Changes -0.5, -0.4, ... 0.5 in steps of 0.1: places 0, 2.5 (up), 5, 7.5 (up) and 10.
    assert picked == pytest.approx([-0.5, -0.2, 0.0, 0.3, 0.5])


def test_equal_changes_go_by_image_id_and_not_by_position() -> None:
    assert spread_queries([0.0] * 3, ["c", "a", "b"]) == {0.0: 1, 0.5: 2, 1.0: 0}


def test_an_undefined_query_is_never_chosen() -> None:
    assert spread_queries([math.nan, 0.1, math.nan], ["a", "b", "c"]) == {0.0: 1}
    assert spread_queries([math.nan], ["a"]) == {}
    assert spread_queries([], []) == {}


def test_few_queries_are_each_shown_once() -> None:
    for count in range(1, 5):
        chosen = spread_queries([float(number) for number in range(count)], list("abcd")[:count])
        assert sorted(chosen.values()) == list(range(count))
        assert list(chosen.values()) == sorted(chosen.values())


def test_a_category_is_read_from_its_address() -> None:
    address = "http://commons.wikimedia.org/wiki/Category:O%27Hara%27s_Mill_%26_Dam"
    assert category_name(address) == "O'Hara's Mill & Dam"
    assert category_name("no address") == "no address"
    assert category_name("") == ""
