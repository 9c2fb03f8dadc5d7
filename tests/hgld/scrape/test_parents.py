"""The parents: which categories are asked about, the rows, and the stage on a small Commons."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.parents import asked_categories, rows_of_parents, run_parents
from hgld.scrape.verify import archive_findings
from hgld.scrape.wikimedia.parents import CategoryParents, CommonsParents
from hgld.tables import CLASSES, PARENTS
from tests.worlds.builders import write_taxonomy
from tests.worlds.wikimedia.answers import TIME
from tests.worlds.wikimedia.scraping import Small, fast_config, kept_answers
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server

_ABOVE = {"Bergamo", "Churches in Bergamo", "Old churches", "Ring X", "Towers in Bergamo"}
LEVELS = [sorted(FOUND_PARENTS), sorted(f"Category:{name}" for name in _ABOVE)]


def run_small(workspace: Workspace, server: Server, **settings: Any) -> StageReport:  # noqa: ANN401
    return run_parents(workspace, fast_config(server, **settings))


def found_parents(workspace: Workspace) -> dict[str, tuple[list[str], list[str]]]:
    rows = workspace.read(PARENTS).to_pylist()
    assert [row["page_title"] for row in rows] == sorted({row["page_title"] for row in rows})
    assert all(row["fetched_at"] and row["status"] == "ok" for row in rows)
    return {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}


def asked_titles(server: Server) -> list[list[str]]:
    """Returns the titles of each request for parents, in order; a continued one is there again."""
    return [form["titles"].split("|") for _, form in server.hits if "clshow" in form]


@pytest.fixture
def scraped(small: Small) -> Workspace:
    """A scrape; what it asked is forgotten."""
    small.scrape()
    small.server.hits.clear()
    return small.workspace


def _tables(titles: dict[int, str | None], classes: dict[int, str]) -> tuple[pa.Table, pa.Table]:
    """Returns CATEGORIES with titles and CLASSES with classes by landmark, as far as is read."""
    tables = [
        pa.table(
            {"split": ["train"] * len(by_id), "landmark_id": [*by_id], name: [*by_id.values()]}
        )
        for name, by_id in (("page_title", titles), ("class_qid", classes))
    ]
    return tables[0], tables[1]


def _drawn(count: int, first: int = 0) -> set[str]:
    """Returns what is asked about where every landmark has a class."""
    numbers = range(first, first + count)
    tables = _tables({n: f"Category:{n}" for n in numbers}, dict.fromkeys(numbers, "Q1"))
    return set(asked_categories(*tables, set()))


def test_every_page_of_a_landmark_without_a_class_that_counts_is_asked_about_once() -> None:
    titles = {1: "Category:B", 2: "Category:A", 3: "Category:B", 4: None, 5: "Category:C"}
    many = {n: f"Category:{n}" for n in range(1_000, 1_200)}
    pages, rows = _tables({**titles, **many}, {5: "Q1", **dict.fromkeys(many, "Q2")})
    index = pa.table({"split": ["index"], "landmark_id": [1_000], "page_title": ["Category:D"]})
    asked = asked_categories(pa.concat_tables([pages, index]), rows, {"Q1"})
    without = {"Category:A", "Category:B", "Category:C", "Category:D"}
    assert without < set(asked)
    assert asked == sorted(set(asked))
    assert len(asked) == len(without) + 100


def test_of_the_others_a_share_is_drawn_which_stays_when_others_come_and_go() -> None:
    assert [len(_drawn(count)) for count in (99, 101)] == [99, 100]
    before = _drawn(10_000)
    assert 440 < len(before) < 560
    both = {f"Category:{n}" for n in range(2_000, 10_000)}
    assert before & both == _drawn(9_000, first=2_000) & both


_MANY = [f"{n:02}" for n in range(21)]


@pytest.mark.parametrize(
    ("parents", "failed", "expected"),
    [
        ({"A": "BC", "B": "CE", "C": "DE"}, "", ("ok", None, "BC", "DE")),
        # In each other, and in themselves.
        ({"A": "AB", "B": "ABC"}, "", ("ok", None, "B", "C")),
        ({"A": "B", "B": "D"}, "A", ("failed", "no answer", "", "")),
        ({"A": "BC", "B": "D"}, "C", ("failed", "Category:C: no answer", "BC", "D")),
        ({"A": ["B", "gone"], "B": "D"}, "", ("ok", None, ["B", "gone"], "D")),
        # Of many the first twenty are climbed.
        ({"A": _MANY, "19": "X", "20": "Y"}, ["20"], ("ok", None, _MANY, "X")),
    ],
)
def test_a_category_has_its_parents_and_theirs_as_far_as_known(
    parents: Mapping[str, Sequence[str]],
    failed: Sequence[str],
    expected: tuple[str, str | None, Sequence[str], Sequence[str]],
) -> None:
    known = CommonsParents()
    for title, names in parents.items():
        known.update({f"Category:{title}": CategoryParents(fetched_at=TIME, names=tuple(names))})
    known.update({"Category:gone": CategoryParents(fetched_at=TIME, status="no_page", error="x")})
    known.failed = {f"Category:{title}": "no answer" for title in failed}
    row, gone = rows_of_parents(["Category:A", "Category:gone"], known)
    status, error, above, further = expected
    assert (row["status"], row["error"]) == (status, error)
    assert (row["parents"], row["grandparents"]) == ([*above], [*further])
    assert row["page_title"] == "Category:A"
    assert (gone["status"], gone["error"], gone["parents"]) == ("no_page", "x", [])


def test_each_category_is_asked_for_once_at_any_level(server: Server, scraped: Workspace) -> None:
    report = run_small(scraped, server)
    first = [LEVELS[0][start : start + 4] for start in range(0, len(LEVELS[0]), 4)]
    assert found_parents(scraped) == FOUND_PARENTS
    # And a row for its list of answers.
    assert (report.manifest.rows, report.manifest.problems) == (len(FOUND_PARENTS) + 1, 0)
    asked = asked_titles(server)
    assert asked[: len(first)] == first
    # `Bergamo` and `Old churches` have no page of their own, the last title of all is asked alone.
    assert sorted(title for batch in asked[len(first) :] for title in batch) == LEVELS[1]
    assert server.count("sparql") == 0
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    assert [list(one.keys) for one in kept] == asked
    assert run_small(scraped, server).skipped


def test_a_landmark_whose_classes_were_all_ignored_is_asked_about(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.scrape.parents.SAMPLE_SHARE", 0)
    monkeypatch.setattr("hgld.scrape.parents.SAMPLE_AT_LEAST", 0)
    run_small(scraped, server)
    assert list(found_parents(scraped)) == ["Category:Bare", "Category:Unknown value"]
    kept = {"Q103": ("undecided", None, None)}  # and every other class is ignored
    write_taxonomy(scraped, scraped.read(CLASSES), kept)  # type: ignore[arg-type]
    run_small(scraped, server)
    with_class = {"Category:Castle", "Category:Ranks"}
    assert found_parents(scraped).keys() == FOUND_PARENTS.keys() - with_class
    asked = [title for batch in asked_titles(server) for title in batch]
    assert sorted(asked) == sorted({*asked})  # none that the first run has asked about


def test_a_refresh_asks_for_them_again(small: Small, server: Server, scraped: Workspace) -> None:
    run_small(scraped, server)
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    small.scrape(refresh=True)
    assert not run_small(scraped, server).skipped
    assert found_parents(scraped) == FOUND_PARENTS
    assert kept_answers(scraped.path(COMMONS_PARENTS)) == kept
    assert len(kept_answers(scraped.path("raw/refresh-1/commons-parents"))) == len(kept)


def test_a_replay_without_any_answer_says_how_to_ask(server: Server, scraped: Workspace) -> None:
    with pytest.raises(InputError, match="--no-replay"):
        run_small(scraped, server, replay=True)


@pytest.mark.fault(51, "archived answer altered, gone or added")
def test_a_replay_asks_nobody_and_names_damage(server: Server, scraped: Workspace) -> None:
    done = run_small(scraped, server).manifest
    first = scraped.path(COMMONS_PARENTS) / "000000.json.gz"
    server.hits.clear()
    assert run_small(scraped, server, replay=True).manifest.outputs == done.outputs
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=first.name):
        run_small(scraped, server, replay=True)
    assert found_parents(scraped) == FOUND_PARENTS
    assert archive_findings(scraped, "scrape", "evidence") == []
    assert [path for path, _ in archive_findings(scraped)] == [f"{COMMONS_PARENTS}/{first.name}"]
    assert server.hits == []
