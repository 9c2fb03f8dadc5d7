from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.labels.fills import stage
from hgld.labels.fills.lexicon import Lexicon
from hgld.labels.fills.stage import PARENTS_FILE, PLACES_FILE, FillConfig, run_fill
from hgld.tables import FILL_CHECKS, FILLS, PARENTS, PICTURE_VOTES
from tests.hgld.labels.fills import worlds
from tests.hgld.labels.fills.worlds import CHURCH, LAKE, OPEN, URL, place_table, write_named_build
from tests.worlds.builders import table_of, write_stage

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


@pytest.fixture(autouse=True)
def shared_lexicon(lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "read_lexicon", lambda: lexicon)


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    write_named_build(workspace)
    return workspace


def fills(workspace: Workspace) -> dict[tuple[str, int], dict[str, Any]]:
    rows = workspace.read(FILLS).to_pylist()
    return {(row["split"], row["landmark_id"]): row for row in rows}


def decision(name: str, action: str, label: str = "lake", side: str = "natural") -> dict[str, str]:
    said = {"hierarchical_label": label, "natural_or_human_made": side, "reviewer": "ann"}
    return {"category": URL + name, "action": action, **said}


def test_each_landmark_without_a_label_has_a_row_with_a_label_or_why_not(build: Workspace) -> None:
    report = run_fill(build, FillConfig(precision=0.9))
    rows = fills(build)
    assert list(rows) == list(OPEN)
    church, unclear = rows["train", 501], rows["train", 502]
    assert church["category"] == URL + OPEN["train", 501]
    assert (church["status"], church["method"]) == ("ok", "words")
    assert (church["hierarchical_label"], church["natural_or_human_made"]) == (
        "church",
        "human-made",
    )
    assert "kirche" in church["evidence"]
    assert church["confidence"] > 0.9
    assert (unclear["status"], unclear["hierarchical_label"]) == ("unsure", None)
    assert unclear["best_guess"] in {"church", "lake"}
    assert "60" in rows["index", 501]["evidence"]  # known names have this word
    checks = build.read(FILL_CHECKS).to_pylist()
    assert (report.manifest.problems, len(checks)) == (1, 180)
    sure = [row for row in checks if row["confidence"] > 0.9]
    # Of 60 a bare name says little; a model that saw them would know.
    assert 90 < len(sure) < 150
    assert all(row["best_guess"] == row["hierarchical_label"] for row in sure)


def test_an_accepted_guess_is_the_label_and_a_refused_one_stays_away(workspace: Workspace) -> None:
    decisions = [
        decision("Xqzt", "accept", "quarry", "human-made"),
        decision("Lake_Xqzt", "refuse"),
        *(decision(OPEN["train", 501], "refuse", label) for label in ("church", "lake", "quarry")),
    ]
    write_named_build(workspace, decisions=decisions)
    run_fill(workspace, FillConfig())
    row = fills(workspace)["train", 502]
    assert (row["status"], row["hierarchical_label"], row["method"]) == ("ok", "quarry", "reviewed")
    assert (row["confidence"], row["reviewer"]) == (1.0, "ann")
    nothing_left = fills(workspace)["train", 501]
    assert nothing_left["best_guess"] is None
    refused = fills(workspace)["index", 501]
    assert refused["best_guess"] != "lake"


def test_what_teaches_nothing_or_is_known_already_is_not_learned_again(build: Workspace) -> None:
    """Landmarks whose classes disagree, and a category of both label spaces."""
    places = worlds.PLACES
    names = OPEN | {("train", 700 + number): f"Zork {place}" for number, place in enumerate(places)}
    classes = {key: [CHURCH, LAKE] for key in names if key[1] >= 700}
    names |= {("index", 0): places[0], ("index", 2): f"{places[1]}_Church"}
    classes |= {("index", 0): [CHURCH], ("index", 2): [CHURCH]}
    write_named_build(build, names=names, classes=classes)
    run_fill(build, FillConfig())
    assert list(fills(build)) == list(OPEN)
    assert len(build.read(FILL_CHECKS)) == 180


def test_parents_speak_where_they_were_fetched(build: Workspace) -> None:
    heads = {name: ("Churches", "Lakes")[n % 2] for n, name in enumerate(worlds.labelled_names())}
    rows: list[dict[str, object]] = [
        {"page_title": f"Category:{name}", "status": "ok", "parents": [f"{head} of Bernau"]}
        for name, head in (heads | {"Xqzt": "Lakes"}).items()
    ]
    rows.append({"page_title": "Category:Gone", "status": "no_page"})
    write_stage(build, [(PARENTS, table_of(PARENTS, rows))])
    build.path(f"{PARENTS.path}/rows.parquet").rename(build.path(PARENTS_FILE))
    run_fill(build, FillConfig())
    found = fills(build)["train", 502]
    assert (found["status"], found["hierarchical_label"]) == ("ok", "lake")
    assert found["method"] == "words+parents"
    assert found["confidence"] > 0.9
    assert "Lakes of Bernau" in found["evidence"]
    assert fills(build)["train", 501]["method"] == "words"


def test_what_stands_near_is_told_and_decides_nothing(workspace: Workspace) -> None:
    """Landmarks with a label, a doubtful guess, an accepted one and none, among labelled ones."""
    names = OPEN | {("train", 503): "Yqzt", ("train", 504): "Zqzt"}
    refused = [decision("Zqzt", "refuse", label) for label in ("church", "lake")]
    decisions = [decision("Yqzt", "accept"), *refused]
    write_named_build(workspace, names=names, decisions=decisions)
    run_fill(workspace, FillConfig(precision=0.9))
    alone, checks = fills(workspace), workspace.read(FILL_CHECKS)
    # Churches have even ids: where names say nothing, all neighbours say one thing.
    places = dict.fromkeys(names, (0.0, 0.0)) | {("train", n): (0.01, 0.0) for n in range(0, 90, 2)}
    path = workspace.path(PLACES_FILE)
    path.parent.mkdir(parents=True)
    pq.write_table(place_table(places), path)
    run_fill(workspace, FillConfig(precision=0.9))
    among = fills(workspace)
    told = {key: row.pop("evidence") for key, row in among.items()}
    before = {key: row.pop("evidence") for key, row in alone.items()}
    assert among == alone
    assert {row["status"] for row in among.values()} == {"ok", "unsure"}
    assert workspace.read(FILL_CHECKS) == checks
    changed = {key for key in told if told[key] != before[key]}
    assert changed == set(OPEN)
    for key in changed:
        words, near = before[key].split("; "), told[key].split("; ")
        [added] = [one for one in near if one not in words]
        assert "5 church" in added
        assert [one for one in near if one != added] == words
        if among[key]["status"] == "unsure":  # the reason stays the last
            assert near[-1] == words[-1] != added


def test_pictures_count_where_that_is_asked_for(build: Workspace) -> None:
    with pytest.raises(MissingInputError, match="hgld look"):
        run_fill(build, FillConfig(pictures=True))
    voted = {number: ("church", "lake")[number % 2] for number in range(180)} | {502: "lake"}
    seen = {"split": "train", "pictures": 3, "left_out": 0, "made_from": "0" * 16}
    sure = seen | {"status": "ok", "confidence": 0.9, "share": 1.0, "evidence": "3 of 3"}
    rows = [sure | {"landmark_id": one, "best_guess": label} for one, label in voted.items()]
    rows.append(seen | {"landmark_id": 501, "status": "no_picture", "evidence": "no picture"})
    write_stage(build, [(PICTURE_VOTES, table_of(PICTURE_VOTES, rows))])
    run_fill(build, FillConfig(pictures=True))
    row = fills(build)["train", 502]
    assert (row["hierarchical_label"], row["method"]) == ("lake", "words+pictures")
    assert "pictures: 3 of 3" in row["evidence"]
    assert fills(build)["train", 501]["method"] == "words"
