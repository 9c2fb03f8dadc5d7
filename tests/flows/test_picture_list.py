"""`hgld build --categories`: a build of one's own pictures, of what is in no GLDv2."""

import csv
import hashlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, IncompleteError, InputError
from hgld.flows import fetched_pictures
from hgld.flows.build import read_sections, verify_build
from hgld.flows.picture_list import use_list
from hgld.flows.steps import Sections
from hgld.http.patience import HttpPolicy
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import ATTRIBUTIONS, CATEGORIES, CLASSES, IMAGES, LANDMARKS, LEVELS, PARTIAL
from tests.worlds.commands.once import made_once
from tests.worlds.commands.readme import ROOT, commands_on
from tests.worlds.commands.typed import said
from tests.worlds.pictures import encoded
from tests.worlds.stopped import stopped_at
from tests.worlds.stub_encoder import stubbed_encoder
from tests.worlds.things import CLASSES as KNOWN
from tests.worlds.things import serving_things, things, write_list
from tests.worlds.wikimedia import small
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.small import Server

OF_LISTS = ("commons-files", "wikidata-media")
SETTINGS = """\
[scrape]
commons = "{server.commons}"
sparql = "{server.sparql}"
[embed]
encoder = "minilm"
[train]  # small enough for a test
backbone = "test_resnet"
weights = "random"
image_size = 32
batch_size = 16
epochs = 1
precision = "float32"
workers = 0
[benchmark]
workers = 0
"""


def command() -> str:
    """Returns what docs/own.md tells its readers to type."""
    (line,) = commands_on(ROOT / "docs/own.md")
    return line


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    def make(folder: Path) -> None:
        write_list(folder)
        build = Workspace(folder / "build")
        build.root.mkdir()
        with stubbed_encoder(), serving_things() as server:
            build.path("hgld.toml").write_text(SETTINGS.format(server=server), encoding="utf-8")
            said(*command().split()[1:], folder=folder)

    return Workspace(made_once(tmp_path_factory, "things", make) / "build")


def test_things_that_are_no_landmarks_get_a_model_and_an_h_ap_by_their_classes(
    built: Workspace,
) -> None:
    assert Counter(built.read(CATEGORIES)["status"].to_pylist()) == {"ok": 60}
    found = {(row["qid"], row["class_qid"]) for row in built.read(CLASSES).to_pylist()}
    assert found == {(thing["qid"], thing["class_qid"]) for thing in things()}

    # GLDv2 has no super-category for a violin: its own levels need none.
    unnamed = {row["landmark_id"] for row in built.read(PARTIAL["train"]).to_pylist()}
    assert 1 <= len(unnamed) <= 3
    labels = built.read(LEVELS).to_pylist()
    named = {
        name: Counter(row["label"] for row in labels if row["name"] == name)
        for name in ("class", "superclass")
    }
    classes = Counter(KNOWN[thing["class_qid"]][0] for thing in things())
    above = {label: KNOWN[up][0] if up else label for label, up in KNOWN.values()}
    assert named["class"] == classes
    assert named["superclass"] == Counter(above[KNOWN[one["class_qid"]][0]] for one in things())

    results = read_results(built.path("benchmarks/by/own"))
    assert [level.title for level in results.levels] == ["landmark", "class", "superclass"]
    assert 0 < results.row("after happier", "h_ap").mean <= 100
    assert results.counts["queries"] == 20


def test_the_build_goes_on_without_the_list_and_has_nothing_to_do(built: Workspace) -> None:
    with stubbed_encoder():
        told = said("build", folder=built.root.parent)
        again = said(*command().split()[1:], folder=built.root.parent)
    assert ": done," not in told
    assert ": done," not in again
    assert "saved" not in again


def write_rows(folder: Path, columns: str, *rows: str) -> Path:
    """Writes a list, and a picture of its own for each `*.jpg` that a row names."""
    folder.mkdir(exist_ok=True)
    path = folder / "list.csv"
    path.write_text("\n".join([columns, *rows, ""]), encoding="utf-8")
    for row in rows:
        for name in (cell for cell in row.split(",") if cell.endswith(".jpg")):
            (folder / name).write_bytes(picture_of(name))
    return path


def picture_of(name: str) -> bytes:
    """Returns a picture in a colour of its own."""
    colour = tuple(hashlib.sha256(name.encode()).digest()[:3])
    return encoded(Image.new("RGB", (8, 8), colour), "JPEG")


def laid_out(
    workspace: Workspace, path: Path, sections: Sections | None = None
) -> list[dict[str, str]]:
    """Lays out the pictures of a list, and returns which became what."""
    use_list(workspace, path, workspace.path("hgld.toml"), sections or {})
    with workspace.path("source/pictures.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_two_spellings_are_one_landmark_numbered_in_each_label_space(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = write_rows(
        tmp_path,
        "split,image,category",
        "train,a.jpg,Mona Lisa",
        "train,b.jpg,Q45585",
        "train,c.jpg,https://commons.wikimedia.org/wiki/Category:Mona_Lisa",
        "index,d.jpg, https://www.wikidata.org/wiki/Q45585",
        "index,e.jpg,Category:mona Lisa",
        "test,f.jpg,Mona_Lisa",
    )
    name_of = {row["image_id"]: row["image"] for row in laid_out(workspace, path)}
    run_metadata(workspace, MetadataConfig(base_url=str(workspace.path("source/metadata"))))
    found = {name_of[row["image_id"]]: row for row in workspace.read(IMAGES).to_pylist()}
    assert [found[f"{name}.jpg"]["landmark_id"] for name in "abcdef"] == [1, 2, 1, 1, 2, 2]
    assert [found[f"{name}.jpg"]["split"] for name in "af"] == ["train", "test"]
    assert [row["category"] for row in workspace.read(LANDMARKS).to_pylist()] == [
        *("Q45585", "https://commons.wikimedia.org/wiki/Category:Mona_Lisa"),
        *("https://commons.wikimedia.org/wiki/Category:Mona_Lisa", "Q45585"),
    ]


def test_without_splits_a_third_of_the_categories_is_searched_whatever_the_order(
    tmp_path: Path,
) -> None:
    rows = [f"Thing {n},{n}-{view}.jpg" for n in range(7) for view in range(5)]
    listed, turned = (
        laid_out(Workspace(tmp_path / name), write_rows(tmp_path, "category,image", *order))
        for name, order in (("build", rows), ("turned", rows[::-1]))
    )
    assert listed == turned[::-1]
    of_split = {
        split: Counter(row["category"] for row in listed if row["split"] == split)
        for split in ("train", "index", "test")
    }
    assert [len(of_split[split]) for split in ("train", "index", "test")] == [5, 2, 2]
    assert {*of_split["test"].values()} == {1}
    assert not of_split["train"].keys() & of_split["index"].keys()
    assert of_split["index"].keys() == of_split["test"].keys()


ROWS = ("A,a.jpg,train", "B,b.jpg,index", "B,c.jpg,test")


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([*ROWS, " ,d.jpg,train"], "row 5 .*category"),
        ([*ROWS, "A|B,d.jpg,train"], "row 5 .*category"),
        ([*ROWS, "https://example.org/A,d.jpg,train"], "row 5 .*category"),
        ([*ROWS, "A,,test"], "row 5 .*picture"),
        ([*ROWS, "A,,train", "A,,index"], "row 6 .*row 5"),
        ([*ROWS, "A,none.png,train"], "row 5 .*none.png"),
        ([*ROWS, "A,d.jpg,"], "row 5 .*split"),
        ([*ROWS, "A,d.jpg,query"], "row 5 .*query"),
        ([*ROWS, "B,a.jpg,index"], "row 5 .*row 2"),
        ([*ROWS, "A,d.jpg,test"], "row 5 .*index"),
        (["A,a.jpg,train", "A,b.jpg,index", "A,c.jpg,test"], "two or more categories"),
        (ROWS[1:], "two or more categories"),
        ([ROWS[1], "A,d.jpg,index", ROWS[2]], "train"),
        (ROWS[:2], "test"),
    ],
)
def test_a_list_that_nothing_can_be_built_from_is_refused_by_its_row(
    workspace: Workspace, tmp_path: Path, rows: Iterable[str], word: str
) -> None:
    path = write_rows(tmp_path, "category,image,split", *rows)
    with pytest.raises(InputError, match=word):
        use_list(workspace, path, workspace.path("hgld.toml"), {})
    assert not workspace.root.exists()


FRUIT = {
    "Category:Apples": [f"Apple {n}.jpg" for n in range(20)] + ["Apples.svg"],
    "Category:Pears": ["Pear.jpg", "Bowl.jpg"],
    "Category:Plums": ["Plum 1.jpg", "Plum 2.jpg", "Bowl.jpg"],
    "Category:Bare": [],
}
LIST = ("Apples", "Soft", "Q1", "Q2", "Bare", "Nowhere", "Q3")


@pytest.fixture
def fruit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves pictures of fruit, asked for once; two of apples are gone, or no picture."""
    for module in ("hgld.scrape.services", "hgld.flows.fetched_pictures"):
        monkeypatch.setattr(f"{module}.POLICY", HttpPolicy(attempts=1))
    names = {name for some in FRUIT.values() for name in some} | {"Cherry.jpg"}
    pictures = {name: picture_of(name) for name in names}
    apples = FRUIT["Category:Apples"][:-1]
    gone, bad = sorted(apples, key=small.sha1_of)[:2]
    del pictures[gone]
    facts = {
        "Q1": "P373:Plums",
        "Q2": "P18:http://commons.wikimedia.org/wiki/Special:FilePath/Cherry.jpg",
        "Q3": "P31:Q101",
    }
    known: dict[str, dict[str, str]] = {title: {} for title in (*FRUIT, "File:Cherry.jpg")}
    known["Category:Soft"] = {"soft": "{{Category redirect|1=Pears}}"}
    for name, value in (
        *(("FILES", FRUIT), ("PICTURES", pictures | {bad: b"<html>"})),
        *(("FACTS", facts), ("PAGES", known)),
    ):
        monkeypatch.setattr(small, name, value)
    with small.serving() as server:
        yield server


def asking(server: Server) -> dict[str, dict[str, object]]:
    """Returns settings for a server."""
    return {"scrape": {"commons": server.commons, "sparql": server.sparql}}


def test_a_bare_list_gets_pictures_with_their_authors_from_commons(
    fruit: Server, workspace: Workspace, tmp_path: Path
) -> None:
    path = write_rows(tmp_path, "category", *LIST)
    sections = asking(fruit)
    with stopped_at(fetched_pictures, "measure_picture", 4):
        laid_out(workspace, path, sections)
    answers = fruit.count("commons") + fruit.count("sparql")
    rows = laid_out(workspace, path, sections)
    # 12 apples and one that is no picture; again one that is gone, and one whose run was killed.
    assert fruit.count("files") == 12 + 1 + 2 + 1 + 2 + 2 + 1
    assert laid_out(workspace, path, sections) == rows
    assert fruit.count("files") == 21
    assert fruit.count("commons") + fruit.count("sparql") == answers

    named = {row["category"].rpartition(":")[2]: row for row in rows}
    counts = Counter(row["category"] for row in rows)
    assert [counts[named[name]["category"]] for name in named] == [12, 2, 2, 1]
    assert [*named] == ["Apples", "Soft", "Q1", "Q2"]
    assert named["Q2"]["author"] == "Painter of Cherry"
    assert named["Q2"]["license"] == "CC BY-SA 4.0"
    assert named["Q2"]["page"] == f"{fruit.base}/wiki/File:Cherry.jpg"
    with workspace.path("source/left_out.csv").open(encoding="utf-8", newline="") as file:
        reasons = {row["category"]: row["reason"] for row in csv.DictReader(file)}
    assert "subcategories" in reasons["https://commons.wikimedia.org/wiki/Category:Bare"]
    assert "no such page" in reasons["https://commons.wikimedia.org/wiki/Category:Nowhere"]
    assert "P373" in reasons["Q3"]
    run_metadata(workspace, MetadataConfig(base_url=str(workspace.path("source/metadata"))))
    credited = {row["image_id"]: row for row in workspace.read(ATTRIBUTIONS).to_pylist()}
    assert credited.keys() == {row["image_id"] for row in rows}
    assert credited[named["Q2"]["image_id"]]["title"] == "Cherry.jpg"

    # It is a list itself, which keeps the authors.
    other = Workspace(tmp_path / "other")
    same = laid_out(other, workspace.path("source/pictures.csv"))
    assert same == rows


def test_damage_of_what_a_list_fetched_is_named_and_mended(
    fruit: Server, workspace: Workspace, tmp_path: Path
) -> None:
    path, sections = write_rows(tmp_path, "category", "Apples", "Q1", "Q2"), asking(fruit)
    rows = laid_out(workspace, path, sections)
    flipped, gone, *_ = (workspace.path(f"source/{row['image']}") for row in rows)
    flipped.write_bytes(bytes([flipped.read_bytes()[0] ^ 1]) + flipped.read_bytes()[1:])
    gone.unlink()
    cut = [workspace.path(f"raw/{name}/000000.json.gz") for name in OF_LISTS]
    for file in cut:
        file.write_bytes(file.read_bytes()[:-9])

    def named() -> set[Path]:
        found = verify_build(workspace, sections, deep=False)
        return {workspace.path(damage.path) for damage in found if damage.what}

    assert named() == {flipped, gone, *cut}
    assert laid_out(workspace, path, sections) == rows
    assert named() == set()
    (sums := flipped.with_name("SHA256SUMS")).write_bytes(b"")
    assert named() == {sums}


def test_a_failing_server_stops_the_build_and_pictures_of_index_are_queries_too(
    fruit: Server, workspace: Workspace, tmp_path: Path
) -> None:
    path = write_rows(tmp_path, "category,split", "Q2,train", "Apples,index")
    for service, error in (("commons", IncompleteError), ("files", FetchError)):
        fruit.always = {service: reply(503, b"")}
        with pytest.raises(error, match="503"):
            laid_out(workspace, path, asking(fruit))
    assert not list(workspace.path("source").rglob("*.*"))
    fruit.always = {}
    splits = Counter(row["split"] for row in laid_out(workspace, path, asking(fruit)))
    assert splits == {"train": 1, "index": 9, "test": 3}


def test_settings_of_the_user_stay_and_the_rest_can_be_seen(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = write_rows(tmp_path, "category,image,split", *ROWS)
    config = workspace.path("hgld.toml")
    workspace.root.mkdir()
    config.write_text('# mine\n[review]\naccept_above = 0.9\n[train]\nhierarchy = "place"\n')
    sections = tomllib.loads(config.read_text())
    use_list(workspace, path, config, sections)
    assert config.read_text().startswith("# mine\n")
    assert read_sections(workspace.root, None) == sections
    assert tomllib.loads(config.read_text())["images"]["base_url"] == "source"
    assert sections["review"] == {"accept_above": 0.9}
    assert (sections["train"]["hierarchy"], sections["benchmark"]["hierarchy"]) == (
        "place",
        ["own"],
    )
    moved = Workspace(workspace.root.rename(tmp_path / "moved"))
    use_list(moved, path, moved.path("hgld.toml"), sections)
    assert sections["images"]["base_url"] == str(moved.path("source"))


def test_a_build_of_something_else_is_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    workspace.path("stages").mkdir(parents=True)
    path = write_rows(tmp_path, "category,image,split", *ROWS)
    with pytest.raises(InputError, match="--root"):
        use_list(workspace, path, workspace.path("hgld.toml"), {})
    assert [one.name for one in workspace.root.iterdir()] == ["stages"]
