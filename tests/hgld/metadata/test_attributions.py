import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError
from hgld.metadata.files import ATTRIBUTION, FILES
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import ATTRIBUTIONS
from tests.worlds.gldv2.files import image
from tests.worlds.gldv2.folder_server import FolderServer

HEADER = "id,url,author,license,title\n"


def run(workspace: Workspace, base: Path | str, *, credits_too: bool = True) -> bool:
    config = MetadataConfig(base_url=str(base), credits=credits_too)
    return run_metadata(workspace, config).skipped


def rows(workspace: Workspace) -> list[tuple[str | None, ...]]:
    return [tuple(row.values()) for row in workspace.read(ATTRIBUTIONS).to_pylist()]


def test_who_made_an_image_is_read_as_it_was_typed(workspace: Workspace, tables: Path) -> None:
    run(workspace, tables)
    terms = "https://creativecommons.org/licenses/by/2.0/"
    assert rows(workspace) == [
        (image(1), "File:One.jpg", "Ann, B.", terms, "http://c/1"),
        (image(3), 'File:"Three".jpg', "Zo\u00eb\nand others", None, "http://c/3"),
    ]


def test_many_rows_come_in_pieces_and_equal_a_plain_loop(
    workspace: Workspace, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.metadata.attributions._BLOCK_BYTES", 2_000)
    authors = [f" {n}\n" if n % 3 else "" for n in range(500)]
    with (tables / ATTRIBUTION).open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file)
        sheet.writerow(["id", "title", "author", "license", "url", "more"])
        sheet.writerows([image(n), f'{n},"x"', one, "l", "u", "x"] for n, one in enumerate(authors))
    run(workspace, tables)
    assert len(workspace.shards(ATTRIBUTIONS)) > 3
    found = [(image(n), f'{n},"x"', one.strip() or None, "l", "u") for n, one in enumerate(authors)]
    assert rows(workspace) == found


def test_an_unreadable_row_costs_only_its_credit(workspace: Workspace, tables: Path) -> None:
    # A field too few, Latin-1, no id.
    lines = (b"a,u,x\n", b"b,u,Andr\xe9,l,t\n", b",u,nobody,l,t\n", b"c,u,Ann,l,t\n")
    (tables / ATTRIBUTION).write_bytes(b"".join([HEADER.encode(), *lines]))
    run(workspace, tables)
    assert [(row[0], row[2]) for row in rows(workspace)] == [("b", "Andr\ufffd"), ("c", "Ann")]


def test_a_base_without_the_file_makes_a_build_without_credits_which_needs_no_network_again(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    (tables_server.folder / ATTRIBUTION).unlink()
    assert not run(workspace, tables_server.url)
    assert tables_server.hits == Counter(dict.fromkeys(FILES, 1))
    assert rows(workspace) == []
    tables_server.statuses.update(dict.fromkeys(FILES, 400))
    assert run(workspace, tables_server.url)
    assert tables_server.hits[ATTRIBUTION] > 1  # it was asked for
    tables_server.statuses.clear()
    (tables_server.folder / ATTRIBUTION).write_text(f"{HEADER}{image(2)},u,Ann,l,t\n")
    assert not run(workspace, tables_server.url)
    assert [row[0] for row in rows(workspace)] == [image(2)]


def test_the_first_run_needs_the_file_unless_no_credits_are_wanted(
    workspace: Workspace, tables_server: FolderServer
) -> None:
    tables_server.statuses[ATTRIBUTION] = 400
    with pytest.raises(FetchError, match=ATTRIBUTION):
        run(workspace, tables_server.url)
    tables_server.hits.clear()
    run(workspace, tables_server.url, credits_too=False)
    assert tables_server.hits[ATTRIBUTION] == 0
    assert rows(workspace) == []


def test_another_base_that_lacks_the_file_takes_that_of_the_first_away(
    workspace: Workspace, tables: Path, tmp_path: Path
) -> None:
    run(workspace, tables)
    lacks = shutil.ignore_patterns(ATTRIBUTION)
    run(workspace, shutil.copytree(tables, tmp_path / "other", ignore=lacks))
    assert rows(workspace) == []
    assert not workspace.path(f"metadata/csv/{ATTRIBUTION}").exists()
