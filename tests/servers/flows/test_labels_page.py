"""What docs/labels.md shows, typed in its order."""

import re
import shlex
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.labels.embedding.cache import CACHE_FOLDER
from tests.benchmarks.labels.label_worlds import write_labelled_build, write_labels
from tests.flows.test_lists import HEADER, ROWS, written
from tests.hgld.labels.fills.worlds import write_named_build
from tests.worlds.commands.readme import ROOT, commands_on, fenced
from tests.worlds.commands.typed import run_typed

_PAGE = ROOT / "docs/labels.md"


def typed(command: str, folder: Path, status: int = 0) -> str:
    """Runs a command of the page in a folder; returns all that it said."""
    program, *words = shlex.split(command)
    assert program == "hgld"
    done = run_typed(words, folder)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_list_is_clustered_into_the_columns_that_the_page_tells_of(
    tmp_path: Path, word_vectors: Path
) -> None:
    (text,) = fenced(_PAGE, "csv")
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    shutil.copytree(word_vectors, tmp_path / "list" / CACHE_FOLDER)
    cluster, recluster = commands_on(_PAGE)[:2]
    typed(cluster, tmp_path)
    assert "starts cold" in typed(recluster, tmp_path)
    table = pq.read_table(tmp_path / "list/clusters.parquet")
    told = set(re.findall(r"`(\w+)`", _PAGE.read_text("utf-8").partition("parquet` has a row")[2]))
    assert set(table.column_names) <= told


def test_a_build_is_filled_and_so_is_a_list_as_the_page_shows(tmp_path: Path) -> None:
    of_build, of_list = (one for one in commands_on(_PAGE) if one.startswith("hgld fill"))
    write_named_build(Workspace(tmp_path / "build"))
    assert "2 ok, 1 unsure" in typed(of_build, tmp_path)
    written(tmp_path / "known.csv", [HEADER, *ROWS])
    written(tmp_path / "names.csv", [["category"], ["Lake Ys"], ["Kirche"]])
    typed(of_list, tmp_path)
    table = pq.read_table(tmp_path / "filled/fills.parquet")
    assert table["hierarchical_label"].to_pylist() == ["lake", "church"]


def test_agreement_passes_the_gate_of_the_page_or_fails(tmp_path: Path) -> None:
    *_, agree = commands_on(_PAGE)
    write_labelled_build(Workspace(tmp_path / "build"), {number: ["Q1"] for number in range(20)})
    official = tmp_path / "official/train_label_to_hierarchical.csv"
    write_labels(official, dict.fromkeys(range(20), "lake"))
    typed(agree, tmp_path)
    for name in ("report.html", "results.json", "suspicious_official.csv"):
        assert (tmp_path / "build/benchmarks/agreement" / name).exists()
    write_labels(official, {number: "lake" if number < 17 else "boat" for number in range(20)})
    assert "0.9" in typed(agree, tmp_path, status=1)
