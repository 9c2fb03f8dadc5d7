"""The tables of the official files, the files at rest, and who made the images."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError
from hgld.metadata.files import ATTRIBUTION, FILES, FOLDER, RECORD, csv_damages
from hgld.metadata.rows import query_landmarks
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import ATTRIBUTIONS, IMAGES, LANDMARKS
from tests.worlds.gldv2.files import SOLUTION, TABLES, image
from tests.worlds.gldv2.folder_server import FolderServer, serve
from tests.worlds.stopped import stopped_at


def run(workspace: Workspace, base: Path | str, **settings: bool) -> StageReport:
    return run_metadata(workspace, MetadataConfig(base_url=str(base), **settings))


def rows(workspace: Workspace, split: str) -> list[tuple[object, ...]]:
    table = workspace.read(IMAGES).to_pylist()
    columns = ("image_id", "landmark_id", "in_clean", "usage")
    return [tuple(row[name] for name in columns) for row in table if row["split"] == split]


def test_rows_are_those_of_the_files_in_their_order(workspace: Workspace, tables: Path) -> None:
    report = run(workspace, tables)
    assert report.manifest.rows == 3 + 10 + 2
    assert [tuple(row.values()) for row in workspace.read(LANDMARKS).to_pylist()] == [
        ("index", 10, "http://c/Other_ten"),
        ("train", 20, "http://c/Twenty"),
        ("train", 10, "http://c/Ten"),
    ]
    train = [(image(3), 20, True, None), (image(1), 10, True, None), (image(2), 10, False, None)]
    assert rows(workspace, "train") == train
    index = ((image(11), 10), (image(12), 30), (image(13), 30))
    assert rows(workspace, "index") == [(*one, None, None) for one in index]
    assert rows(workspace, "test") == [
        (image(21), 30, None, "Private"),
        (image(22), None, None, "Ignored"),
        (image(23), 10, None, "Public"),  # one vote each for 30 and 10
        (image(24), None, None, None),  # not in the solution
    ]


def other_tables(tables: Path, old: str, new: str) -> Path:
    """Copies tables into a folder beside them in which a text is another one."""
    other = Path(shutil.copytree(tables, tables.with_name("other")))
    for path in other.iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return other


def test_files_of_another_address_replace_the_first(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    first = run(workspace, tables_server.url)
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 1))
    tables_server.statuses.update(dict.fromkeys(FILES, 500))
    assert run(workspace, tables_server.url).skipped
    assert tables_server.hits.total() == len(FILES)
    tables_server.statuses.clear()
    other = other_tables(tables_server.folder, image(24), f"{image(24)}\n{image(25)}")
    second = run(workspace, other)
    assert second.manifest.outputs["metadata/images"] != first.manifest.outputs["metadata/images"]
    assert second.manifest.rows == first.manifest.rows + 1
    assert json.loads(workspace.path("metadata/csv/FILES.json").read_text())["base"] == str(other)
    back = run(workspace, tables_server.url)
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 2))
    assert back.manifest.outputs == first.manifest.outputs


def test_the_solution_is_found_where_the_bucket_has_it(tmp_path: Path, tables: Path) -> None:
    (tmp_path / "ground_truth").mkdir()
    (tables / SOLUTION).rename(tmp_path / "ground_truth" / SOLUTION)
    with serve(tmp_path) as server:
        for number, base in enumerate((str(tables), f"{server.url}/{tables.name}")):
            build = Workspace(tmp_path / str(number))
            run(build, base)
            assert rows(build, "test")[0] == (image(21), 30, None, "Private")
        places = (f"{tables.name}/{SOLUTION}", f"ground_truth/{SOLUTION}")
        assert [server.hits[place] for place in places] == [1, 1]


def test_another_address_that_fails_leaves_the_old_files(
    workspace: Workspace, tables: Path, tables_server: FolderServer
) -> None:
    first = run(workspace, tables)
    tables_server.statuses["test.csv"] = 404
    with pytest.raises(FetchError, match=r"test\.csv"):
        run(workspace, tables_server.url)
    assert tables_server.hits["test.csv"] == 1
    assert not list(workspace.path("metadata/csv").glob(".*"))
    assert run(workspace, tables).manifest == first.manifest


@pytest.mark.fault(46, "error page in place of a CSV")
@pytest.mark.fault(134, "official CSV that contradicts itself or another")
@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("train", f"id,landmark_id\n{image(1)},ten\n", r"train\.csv"),
        ("train", f"id,landmark_id\n{image(1)},1\n{image(1)},1\n", image(1)),
        ("train", "id,landmark_id\n../../etc,1\n", "../../etc"),
        ("train_clean", f"landmark_id,images\n10,{image(1)} {image(9)}\n", image(9)),
        ("train_clean", f"landmark_id,images\n10,{image(1)}\n20,{image(1)}\n", image(1)),
        ("train_label_to_category", "landmark_id,category\n10,a\n10,b\n", "landmark_id 10 "),
        ("train_label_to_category", "landmark_id,category\n10,a\n-2,b\n", "line 3"),
        ("train_label_to_category", 'landmark_id,category\n10,"a\n20,b\n', "line 2"),
        ("index_image_to_landmark", f"id,landmark_id\n{image(11)},10\n", image(12)),
        ("test", f"id\n{image(21)}\n", image(22)),
        ("test", f"id\n{image(21)}\n{image(21)}\n", image(21)),
        ("retrieval_solution_v2.1", f"id,images\n{image(21)},None\n", "Usage"),
        ("train_attribution", "id,url,author\n", "license"),
        ("train", "<!DOCTYPE html>\n<body>Log in to the network first</body>\n", "<!DOCTYPE html>"),
    ],
)
def test_a_wrong_file_is_refused_and_loses_nothing(
    workspace: Workspace, tables: Path, name: str, text: str, word: str
) -> None:
    run(workspace, tables)
    before, name = workspace.read(IMAGES), f"{name}.csv"
    (tables / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=word) as raised:
        run(workspace, tables)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)
    (tables / name).write_text(TABLES[name], encoding="utf-8")
    run(workspace, tables)
    assert workspace.read(IMAGES).equals(before)


@pytest.mark.fault(135, "metadata killed in a download")
def test_what_a_run_killed_in_a_download_left_is_cleared(
    workspace: Workspace, tables_server: FolderServer, tmp_path: Path
) -> None:
    clean = run(Workspace(tmp_path / "clean"), tables_server.folder)
    leftover = workspace.path("metadata/csv/.train.csv.tmp")
    with stopped_at(Path, "replace", 3):  # the first has come
        run(workspace, tables_server.url)
    leftover.write_text("half of a file")
    resumed = run(workspace, tables_server.url)
    assert not leftover.exists()
    assert resumed.manifest.outputs == clean.manifest.outputs
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 1))


@pytest.mark.fault(136, "metadata killed while it replaces files")
def test_a_run_killed_while_it_replaces_files_never_mixes_two_addresses(
    workspace: Workspace, tables: Path, tmp_path: Path
) -> None:
    clean = run(workspace, tables)
    other = other_tables(tables, "http://c/", "http://other/")
    folder = workspace.path("metadata/csv")
    with stopped_at(Path, "replace", 7):
        run(workspace, other)
    assert "http://c/" in (folder / "train_label_to_category.csv").read_text()
    assert "http://other/" in (folder / "index_label_to_category.csv").read_text()

    assert run(workspace, tables).manifest.outputs == clean.manifest.outputs
    expected = run(Workspace(tmp_path / "fresh"), other)
    assert run(workspace, other).manifest.outputs == expected.manifest.outputs


def test_the_landmark_of_a_test_image_is_the_one_most_of_its_relevant_images_show() -> None:
    index = pa.table({"id": ["a", "b", "c"], "landmark_id": [7, 5, 5]})
    # In a tie it is the smallest id, whatever the order.
    relevant = ["a", "a b c", "b a", "a b", "  a   a b ", "None", ""]
    found = query_landmarks(pa.array(relevant), index).to_pylist()
    assert found == [7, 5, 5, 5, 7, None, None]
    assert len(query_landmarks(pa.array([], pa.string()), index)) == 0


NAME = "train.csv"
PATH = f"{FOLDER}/{NAME}"
RIGHT = TABLES[NAME].encode()


def flip(path: Path, at: int = 100) -> None:
    """Flips one bit of a file, in the middle of what it says."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@pytest.mark.fault(44, "official CSV altered at rest")
@pytest.mark.fault(45, "official CSV gone")
@pytest.mark.parametrize(
    "content", [RIGHT.swapcase(), RIGHT[:-5], b"", None], ids=["altered", "cut", "empty", "gone"]
)
def test_an_altered_file_is_fetched_again(
    workspace: Workspace, tables_server: FolderServer, content: bytes | None
) -> None:
    assert csv_damages(workspace) == []  # there are no files yet
    clean = run(workspace, tables_server.url)
    assert csv_damages(workspace) == []
    path = workspace.path(PATH)
    path.unlink() if content is None else path.write_bytes(content)
    assert [damage.path for damage in csv_damages(workspace)] == [PATH]
    assert run(workspace, tables_server.url).manifest.outputs == clean.manifest.outputs
    assert tables_server.hits == Counter({**dict.fromkeys(FILES, 1), NAME: 2})
    assert path.read_bytes() == RIGHT
    assert csv_damages(workspace) == []


def test_what_cannot_be_had_again_is_said_and_nothing_is_lost(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    clean = run(workspace, tables_server.url)
    flip(workspace.path(PATH))
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    tables_server.close()
    with pytest.raises(FetchError, match=NAME):
        run(workspace, tables_server.url)
    assert before == {path: path.read_bytes() for path in before}
    # Mended by hand, as the error says, nobody is asked.
    workspace.path(PATH).write_bytes(RIGHT)
    assert run(workspace, tables_server.url).manifest == clean.manifest
    assert csv_damages(workspace) == []


def test_files_put_by_hand_are_taken_and_this_is_said(
    workspace: Workspace, tables_server: FolderServer, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(tables_server.folder, workspace.path(FOLDER))
    assert csv_damages(workspace) == []
    run(workspace, tables_server.url)
    assert RECORD in caplog.text
    caplog.clear()
    assert tables_server.hits.total() == 0
    flip(workspace.path(PATH))
    assert [damage.path for damage in csv_damages(workspace)] == [PATH]
    assert run(workspace, tables_server.url).skipped
    assert tables_server.hits == {NAME: 1}
    assert workspace.path(PATH).read_bytes() == RIGHT
    assert RECORD not in caplog.text


@pytest.mark.fault(47, "record of the official CSVs damaged")
def test_files_without_record_come_again(workspace: Workspace, tables_server: FolderServer) -> None:
    clean = run(workspace, tables_server.url)
    record = workspace.path(RECORD)
    right = record.read_bytes()
    flip(record)
    flip(workspace.path(PATH))
    assert [damage.path for damage in csv_damages(workspace)] == [RECORD]
    assert run(workspace, tables_server.url).manifest == clean.manifest
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 2))
    assert workspace.path(PATH).read_bytes() == RIGHT
    assert record.read_bytes() == right


HEADER = "id,url,author,license,title\n"


def credited(workspace: Workspace) -> list[tuple[str | None, ...]]:
    return [tuple(row.values()) for row in workspace.read(ATTRIBUTIONS).to_pylist()]


def test_credits_equal_a_plain_loop(
    workspace: Workspace, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.metadata.attributions._BLOCK_BYTES", 2_000)
    authors = [f" Zo\u00eb,\nand {n}\n" if n % 3 else "" for n in range(500)]
    with (tables / ATTRIBUTION).open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file)
        sheet.writerow(["id", "title", "author", "license", "url", "more"])
        sheet.writerows([image(n), f'{n},"x"', one, "l", "u", "x"] for n, one in enumerate(authors))
    run(workspace, tables)
    assert len(workspace.shards(ATTRIBUTIONS)) > 3
    found = [(image(n), f'{n},"x"', one.strip() or None, "l", "u") for n, one in enumerate(authors)]
    assert credited(workspace) == found


def test_an_unreadable_row_costs_only_its_credit(workspace: Workspace, tables: Path) -> None:
    # A field too few, Latin-1, no id.
    lines = (b"a,u,x\n", b"b,u,Andr\xe9,l,t\n", b",u,nobody,l,t\n", b"c,u,Ann,l,t\n")
    (tables / ATTRIBUTION).write_bytes(b"".join([HEADER.encode(), *lines]))
    run(workspace, tables)
    assert [(row[0], row[2]) for row in credited(workspace)] == [("b", "Andr\ufffd"), ("c", "Ann")]


def test_no_file_makes_no_credits(workspace: Workspace, tables_server: FolderServer) -> None:
    (tables_server.folder / ATTRIBUTION).unlink()
    assert not run(workspace, tables_server.url).skipped
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 1))
    assert credited(workspace) == []
    tables_server.statuses.update(dict.fromkeys(FILES, 400))
    assert run(workspace, tables_server.url).skipped
    assert tables_server.hits[ATTRIBUTION] > 1  # it was asked for
    tables_server.statuses.clear()
    (tables_server.folder / ATTRIBUTION).write_text(f"{HEADER}{image(2)},u,Ann,l,t\n")
    assert not run(workspace, tables_server.url).skipped
    assert [row[0] for row in credited(workspace)] == [image(2)]


def test_the_file_is_needed_unless_no_credits_are_wanted(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    tables_server.statuses[ATTRIBUTION] = 400
    with pytest.raises(FetchError, match=ATTRIBUTION):
        run(workspace, tables_server.url)
    tables_server.hits.clear()
    run(workspace, tables_server.url, credits=False)
    assert tables_server.hits[ATTRIBUTION] == 0
    assert credited(workspace) == []
