"""Robustness as it is typed, in processes of its own."""

import csv
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.robustness.conftest import made_columns
from tests.worlds.commands.typed import run


def test_a_table_is_measured_in_other_processes(tmp_path: Path) -> None:
    columns = {name: one.tolist() for name, one in made_columns().items() if name != "std"}
    pq.write_table(pa.table(columns), tmp_path / "mine.parquet")
    words = "mine.parquet --parts abstention --seeds 3 --out r.csv --page r.html"
    run([sys.executable, "-m", "hgld.benchmarks.robustness", *words.split()], tmp_path)
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        assert {row["seed"] for row in csv.DictReader(file)} == {"3"}
