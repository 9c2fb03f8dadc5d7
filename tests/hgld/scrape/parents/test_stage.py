"""The parents, asked of a small Commons: the rows, what is asked, and replay."""

import re
from itertools import chain
from pathlib import Path

import pytest

from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.flows.steps import known_settings, load_step
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.parents.stage import STAGE, ParentsConfig, run_parents
from hgld.scrape.stage import run_scrape
from hgld.tables import CATEGORIES, CLASSES, PARENTS
from tests.hgld.scrape.parents.asking import (
    LEVELS,
    asked_titles,
    failed_titles,
    found_parents,
    run_small,
    written_rows,
)
from tests.worlds.builders import write_taxonomy
from tests.worlds.wikimedia import small as small_wikimedia
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server


def test_each_category_has_its_parents_and_theirs(server: Server, scraped: Workspace) -> None:
    report = run_small(scraped, server)
    assert found_parents(scraped) == FOUND_PARENTS
    assert {row["status"] for row in written_rows(scraped)} == {"ok"}
    assert all(row["fetched_at"] and row["error"] is None for row in written_rows(scraped))
    assert (report.manifest.rows, report.manifest.problems) == (len(FOUND_PARENTS), 0)


def test_a_parent_that_is_a_soft_redirect_lies_in_what_it_points_to(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(small_wikimedia.PARENTS, "Category:Towers in Bergamo", ["Pages with maps"])
    soft = {"Category:Towers in Bergamo": "Category:Towers in Lombardy"}
    monkeypatch.setattr(small_wikimedia, "SOFT_PARENTS", soft)
    run_small(scraped, server)
    assert found_parents(scraped)["Category:Tower"] == (
        ["Towers in Bergamo"],
        ["Towers in Lombardy"],
    )
    assert len(asked_titles(server)) == sum(-(-len(level) // 4) for level in LEVELS)  # and no more


def test_every_title_is_asked_for_once_a_level_at_a_time(
    server: Server, scraped: Workspace
) -> None:
    run_small(scraped, server)
    first, second = (
        [level[start : start + 4] for start in range(0, len(level), 4)] for level in LEVELS
    )
    asked = asked_titles(server)
    assert asked[: len(first)] == first
    # `Bergamo` and `Old churches` have no page of their own, the last title of all is asked alone.
    titles = [title for batch in asked[len(first) :] for title in batch]
    assert sorted(titles) == sorted({*LEVELS[1]})
    assert len(asked) == len(first) + len(second)
    assert server.count("sparql") == 0
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    assert [list(one.keys) for one in kept] == asked
    assert all(one.endpoint == server.commons and one.fetched_at for one in kept)


def test_a_landmark_whose_classes_were_all_ignored_is_asked_about_once_that_is_known(
    server: Server, scraped: Workspace
) -> None:
    config, asking = ParentsConfig(sample_at_least=0, sample_share=0), fast_config(server)
    run_parents(scraped, config, asking)
    assert len(written_rows(scraped)) == 2
    classes = scraped.read(CLASSES)
    kept = classes["class_qid"][0].as_py()
    write_taxonomy(scraped, classes, {kept: ("undecided", None, None)})  # type: ignore[dict-item]
    keys = zip(*(classes[name].to_pylist() for name in ("split", "landmark_id")), strict=True)
    with_class = {
        key for key, qid in zip(keys, classes["class_qid"].to_pylist(), strict=True) if qid == kept
    }
    pages = scraped.read(CATEGORIES).to_pylist()
    asked = {
        row["page_title"]
        for row in pages
        if row["page_title"] and (row["split"], row["landmark_id"]) not in with_class
    }
    server.hits.clear()
    assert not run_parents(scraped, config, asking).skipped
    assert {row["page_title"] for row in written_rows(scraped)} == asked
    assert 2 < len(asked) < len(FOUND_PARENTS)
    # Only what is new is asked for, and nothing of that again.
    assert not {"Category:Bare", "Category:Unknown value"} & {*chain(*asked_titles(server))}
    assert run_parents(scraped, config, asking).skipped


def test_a_continued_answer_is_read_to_its_end(
    server: Server, scraped: Workspace, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_wikimedia, "CATEGORIES_AN_ANSWER", 1)
    assert run_small(scraped, server).manifest.outputs == whole
    assert max(len(one.answer) for one in kept_answers(scraped.path(COMMONS_PARENTS))) > 1


def test_one_level_asks_for_no_parents_of_parents_and_the_second_for_these_alone(
    server: Server, scraped: Workspace
) -> None:
    config = fast_config(server)
    run_parents(scraped, ParentsConfig(levels=1), config)
    assert sorted(title for batch in asked_titles(server) for title in batch) == LEVELS[0]
    assert found_parents(scraped) == {title: (own, []) for title, (own, _) in FOUND_PARENTS.items()}
    server.hits.clear()
    run_parents(scraped, ParentsConfig(), config)
    assert sorted(title for batch in asked_titles(server) for title in batch) == LEVELS[1]
    assert found_parents(scraped) == FOUND_PARENTS


def test_no_more_parents_of_a_category_are_climbed_than_the_settings_say(
    server: Server, scraped: Workspace
) -> None:
    run_parents(scraped, ParentsConfig(most_parents=1), fast_config(server))
    titles = {title for batch in asked_titles(server) for title in batch}
    assert "Category:Bergamo" in titles
    assert "Category:Ring X" not in titles
    assert found_parents(scraped)["Category:Unknown value"] == (
        ["Old churches", "Ring X"],
        ["Churches in Italy"],
    )


def test_without_a_sample_only_landmarks_without_a_class_are_asked_about(
    server: Server, scraped: Workspace
) -> None:
    run_parents(scraped, ParentsConfig(sample_share=0.0, sample_at_least=0), fast_config(server))
    expected = ("Category:Bare", "Category:Unknown value")
    assert found_parents(scraped) == {title: FOUND_PARENTS[title] for title in expected}


def test_where_every_landmark_has_a_class_and_no_sample_is_wished_for_nobody_is_asked(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    categories.write_text("landmark_id,category\n1,http://x/wiki/Category:Tower\n")
    run_scrape(scraped, fast_config(server), categories)
    server.hits.clear()
    config = ParentsConfig(sample_share=0.0, sample_at_least=0)
    report = run_parents(scraped, config, fast_config(server))
    assert (report.manifest.rows, server.hits) == (0, [])


def test_a_category_that_is_gone_since_the_scrape_is_no_page(
    server: Server, scraped: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAGES", "PARENTS"):
        there = dict(getattr(small_wikimedia, name))
        del there["Category:Bare"]
        monkeypatch.setattr(small_wikimedia, name, there)
    report = run_small(scraped, server)
    row = written_rows(scraped)[0]
    assert (row["page_title"], row["status"], row["parents"]) == ("Category:Bare", "no_page", [])
    assert (report.manifest.failed, report.manifest.problems) == (0, 1)


def test_a_second_run_does_nothing_and_other_landmarks_ask_for_what_is_new_alone(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    lines = categories.read_text(encoding="utf-8").splitlines()
    few = [line for line in lines if not re.search("Bare|Tower|Hard", line)]
    categories.write_text("\n".join(few) + "\n", encoding="utf-8")
    run_scrape(scraped, fast_config(server), categories)
    run_small(scraped, server)
    asked = {title for batch in asked_titles(server) for title in batch}
    server.hits.clear()
    assert run_small(scraped, server).skipped
    assert server.hits == []
    categories.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_scrape(scraped, fast_config(server), categories)
    server.hits.clear()
    run_small(scraped, server)
    new = {title for batch in asked_titles(server) for title in batch}
    assert new == {title for level in LEVELS for title in level} - asked
    assert found_parents(scraped) == FOUND_PARENTS


def test_a_refresh_of_the_scrape_has_them_asked_for_again(
    server: Server, scraped: Workspace, categories: Path
) -> None:
    before = run_small(scraped, server).manifest.outputs
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    run_scrape(scraped, fast_config(server, refresh=True), categories)
    report = run_small(scraped, server)
    assert not report.skipped
    assert report.manifest.outputs == before
    assert kept_answers(scraped.path(COMMONS_PARENTS)) == kept
    assert len(kept_answers(scraped.path("raw/refresh-1/commons-parents"))) == len(kept)


def test_a_replay_gives_the_same_files_bit_for_bit_and_asks_nobody(
    server: Server, scraped: Workspace
) -> None:
    run_small(scraped, server)
    (shard,) = scraped.shards(PARENTS)
    before = shard.read_bytes()
    shard.unlink()
    server.hits.clear()
    report = run_small(scraped, server, replay=True)
    assert not report.skipped
    assert server.hits == []
    assert shard.read_bytes() == before


def test_a_replay_without_answers_fails_every_row_and_the_next_run_asks(
    server: Server, scraped: Workspace, whole: dict[str, str]
) -> None:
    report = run_small(scraped, server, replay=True)
    assert server.hits == []
    failed = failed_titles(scraped)
    assert failed.keys() == FOUND_PARENTS.keys()
    assert all("--replay" in error for error in failed.values())
    assert report.manifest.failed == len(FOUND_PARENTS)
    assert run_small(scraped, server).manifest.outputs == whole


def test_its_settings_and_those_of_the_scrape_make_it_stale(
    server: Server, scraped: Workspace
) -> None:
    run_small(scraped, server)

    def state(**sections: dict[str, object]) -> str:
        scrape = {"commons": server.commons, **sections.get("scrape", {})}
        step = load_step("parents", {**sections, "scrape": scrape})
        status = stage_status(scraped, STAGE, known_settings(scraped, step, STAGE))
        return status.state

    assert state() == state(scrape={"superclass_depth": 3}) == "done"
    assert state(parents={"levels": 1}) == "stale"
    assert state(scrape={"commons": "http://127.0.0.1:1/w/"}) == "stale"


def test_logins_stand_in_no_file(server: Server, scraped: Workspace) -> None:
    config = ScrapeConfig(
        commons=server.commons.replace("//", "//ann:secret@"), titles_per_request=4
    )
    run_parents(scraped, ParentsConfig(), config)
    assert all(form["authorization"].startswith("Basic ") for _, form in server.hits)
    kept = kept_answers(scraped.path(COMMONS_PARENTS))
    assert {one.endpoint for one in kept} == {config.without_logins().commons}
    assert "secret" not in scraped.manifest_path(STAGE.name).read_text(encoding="utf-8")
