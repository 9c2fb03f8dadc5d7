import csv
import json
import shutil
from collections import Counter
from pathlib import Path

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.metadata.files import FILES
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import IMAGES, LANDMARKS
from tests.worlds.gldv2.files import SOLUTION, TABLES, image
from tests.worlds.gldv2.folder_server import FolderServer, serve


def run(workspace: Workspace, base: Path | str) -> StageReport:
    return run_metadata(workspace, MetadataConfig(base_url=str(base)))


def rows(workspace: Workspace, split: str) -> list[tuple[object, ...]]:
    table = workspace.read(IMAGES).to_pylist()
    columns = ("image_id", "landmark_id", "in_clean", "usage")
    return [tuple(row[name] for name in columns) for row in table if row["split"] == split]


def test_images_and_landmarks_are_those_of_the_files_in_their_order(
    workspace: Workspace, tables: Path
) -> None:
    report = run(workspace, tables)
    assert report.manifest.rows == 3 + 10 + 2
    assert [tuple(row.values()) for row in workspace.read(LANDMARKS).to_pylist()] == [
        ("index", 10, "http://c/Other_ten"),
        ("train", 20, "http://c/Twenty"),
        ("train", 10, "http://c/Ten"),
    ]
    assert rows(workspace, "train") == [
        (image(3), 20, True, None),
        (image(1), 10, True, None),
        (image(2), 10, False, None),
    ]
    assert rows(workspace, "index") == [
        (image(11), 10, None, None),
        (image(12), 30, None, None),
        (image(13), 30, None, None),
    ]
    assert rows(workspace, "test") == [
        (image(21), 30, None, "Private"),
        (image(22), None, None, "Ignored"),
        (image(23), 10, None, "Public"),  # one vote each for 30 and 10
        (image(24), None, None, None),  # not in the solution
    ]


def test_real_files_agree_with_a_plain_loop_over_them(workspace: Workspace, shared: Path) -> None:
    base = shared / "gldv2_mini/metadata"
    run(workspace, base)

    def read(name: str) -> list[dict[str, str]]:
        with (base / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    clean = {name for row in read("train_clean.csv") for name in row["images"].split()}
    assert rows(workspace, "train") == [
        (row["id"], int(row["landmark_id"]), row["id"] in clean, None) for row in read("train.csv")
    ]
    index = {row["id"]: int(row["landmark_id"]) for row in read("index_image_to_landmark.csv")}
    assert rows(workspace, "index") == [(name, label, None, None) for name, label in index.items()]
    solution = {row["id"]: row for row in read(SOLUTION)}
    expected = []
    for row in read("test.csv"):
        found = solution[row["id"]]
        votes = Counter(index[name] for name in found["images"].split())
        best = min(votes, key=lambda label: (-votes[label], label))
        expected.append((row["id"], best, None, found["Usage"]))
    assert rows(workspace, "test") == expected
    landmarks = workspace.read(LANDMARKS)
    assert len(landmarks) == len(read("train_label_to_category.csv")) + len(
        read("index_label_to_category.csv")
    )


def test_files_that_are_there_are_not_fetched_again(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    assert not run(workspace, tables_server.url).skipped
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 1))
    tables_server.statuses.update(dict.fromkeys(FILES, 500))
    assert run(workspace, tables_server.url).skipped
    assert tables_server.hits.total() == len(FILES)


def test_the_same_files_from_another_address_change_nothing(
    workspace: Workspace, tables: Path, tables_server: FolderServer
) -> None:
    first = run(workspace, tables)
    again = run(workspace, tables_server.url)
    assert tables_server.hits.total() == len(FILES)
    assert again.skipped
    assert again.manifest == first.manifest


def test_other_files_from_another_address_replace_the_old_ones(
    workspace: Workspace, tables_server: FolderServer, tmp_path: Path
) -> None:
    first = run(workspace, tables_server.url)
    other = tmp_path / "other"
    shutil.copytree(tables_server.folder, other)
    (other / "test.csv").write_text(TABLES["test.csv"] + f"{image(25)}\n", encoding="utf-8")
    second = run(workspace, other)
    assert second.manifest.outputs["metadata/images"] != first.manifest.outputs["metadata/images"]
    assert second.manifest.rows == first.manifest.rows + 1
    assert json.loads(workspace.path("metadata/csv/FILES.json").read_text())["base"] == str(other)
    back = run(workspace, tables_server.url)
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 2))
    assert back.manifest.outputs == first.manifest.outputs


def test_a_changed_file_of_a_folder_changes_the_rows(workspace: Workspace, tables: Path) -> None:
    first = run(workspace, tables)
    text = TABLES["index_image_to_landmark.csv"].replace(f"{image(11)},10", f"{image(11)},30")
    (tables / "index_image_to_landmark.csv").write_text(text, encoding="utf-8")
    second = run(workspace, tables)
    assert not second.skipped
    landmarks = [report.manifest.outputs["metadata/landmarks"] for report in (first, second)]
    assert landmarks[0] == landmarks[1]
    assert rows(workspace, "test")[2] == (image(23), 30, None, "Public")


def test_fewer_rows_leave_no_old_ones(workspace: Workspace, tables: Path, tmp_path: Path) -> None:
    run(workspace, tables)
    (tables / "test.csv").write_text("id\n", encoding="utf-8")
    (tables / SOLUTION).write_text("id,images,Usage\n", encoding="utf-8")
    (tables / "train_clean.csv").write_text("landmark_id,images\n", encoding="utf-8")
    report = run(workspace, tables)
    assert report.manifest.rows == 3 + 6 + 2
    assert not rows(workspace, "test")
    assert [row[2] for row in rows(workspace, "train")] == [False, False, False]
    fresh = run(Workspace(tmp_path / "fresh"), tables)
    assert report.manifest.outputs == fresh.manifest.outputs


def test_files_put_there_by_hand_are_kept(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    folder = workspace.path("metadata/csv")
    shutil.copytree(tables_server.folder, folder)
    run(workspace, tables_server.url)
    assert tables_server.hits.total() == 0


def test_the_solution_is_found_where_the_official_bucket_keeps_it(
    workspace: Workspace, tmp_path: Path, tables: Path
) -> None:
    (tmp_path / "ground_truth").mkdir()
    (tables / SOLUTION).rename(tmp_path / "ground_truth" / SOLUTION)
    run(workspace, tables)
    with serve(tmp_path) as server:
        other = Workspace(tmp_path / "other")
        run(other, f"{server.url}/{tables.name}")
        assert server.hits[f"{tables.name}/{SOLUTION}"] == 1
        assert server.hits[f"ground_truth/{SOLUTION}"] == 1
    assert rows(other, "test") == rows(workspace, "test")
    assert rows(other, "test")[0] == (image(21), 30, None, "Private")
