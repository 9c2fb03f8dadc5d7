"""docs/use.md: each of its blocks is run on a build, and gives what `hgld.load` does."""

import re
import shlex
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import hgld
from hgld.loading.labelled import LabelledSet
from tests.worlds.commands.readme import ROOT, fenced
from tests.worlds.commands.typed import said
from tests.worlds.gldv2.folder_server import serve

PAGE = ROOT / "docs/use.md"
TORCH = "".join(
    rf"torch.Size\(\[{n}, 3, 224, 224\]\) torch.Size\(\[{n}, 3\]\)\n" for n in (8, 8, 1)
)
# Section to what its block prints.
PRINTS = {
    "In Python: `hgld.load`": r"17 7 3 \('image_id'.*'h_ap': .*tensor\(",
    "Labels of classes, of persons, or all": r"17 13 20\n.*words\+parents",
    "torch": TORCH,
    "Google's files": r"17 \(17, 3\)\n",
}
OTHERS = ["Over the web", "pandas", "polars", "DuckDB", "A table of your own", "A small part"]
ELSEWHERE = "Hugging Face datasets"  # its block is run in tests/servers/hgld/loading


def block(title: str, language: str = "python") -> str:
    """Returns the only block of a section in a language."""
    (found,) = fenced(PAGE, language, f"{title}\n")
    return found


def run(title: str, **replaced: str) -> dict[str, Any]:
    """Runs the block of a section in this process, and returns its names."""
    code = block(title)
    for old, new in replaced.items():
        assert old in code
        code = code.replace(old, new)
    names: dict[str, Any] = {"__name__": "__example__"}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the page is our own
    return names


@pytest.fixture
def data(built_with_fills: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelledSet:
    """A build in the folder in which everything runs, with Google's files beside it."""
    monkeypatch.chdir(tmp_path)
    Path("build").symlink_to(built_with_fills)
    data = hgld.load("build")
    Path("official").mkdir()
    shutil.copy("build/annotations/train_label_to_hierarchical.csv", "official")
    rows = data.train.to_arrow(["landmark_id", "image_id"]).to_pylist()
    lines = ["landmark_id,images", *(f"{row['landmark_id']},{row['image_id']}" for row in rows)]
    Path("official/train_clean.csv").write_text("\n".join(lines))
    return data


def test_every_block_of_the_page_is_run() -> None:
    titles = re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), re.M)
    assert sorted(titles) == sorted([*PRINTS, *OTHERS, ELSEWHERE, "The files"])
    assert len(re.findall(r"^```python", PAGE.read_text("utf-8"), re.M)) == len(titles) - 1


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("title", PRINTS)
def test_a_block_prints_what_its_section_is_about(
    title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(title)
    assert re.match(PRINTS[title], capsys.readouterr().out, re.S)


def test_a_release_is_read_over_the_web(data: LabelledSet) -> None:
    with serve(Path("build/annotations")) as server:
        names = run("Over the web", **{"https://example.org/hgld": server.url})
        names["data"] = None
    assert list(names["bays"]["image_id"]) == data.train.image_ids()[-4:]


def test_pandas_polars_and_duckdb_read_the_shards(data: LabelledSet) -> None:
    images = run("pandas")["images"]
    assert list(images["image_id"]) == data.train.of(landmark_id=[1, 2]).image_ids()
    counts = pl.DataFrame(run("polars")["counts"])
    natural = data.train.of(natural_or_human_made="natural")
    of_label = Counter(natural.to_pandas()["hierarchical_label"])
    assert counts.rows() == [*of_label.items()]
    rows = run("DuckDB")["counts"]
    assert rows == [("church", 8, 2), ("museum", 5, 1), ("ocean area ", 4, 1)]


def test_a_table_of_ones_own_gives_labels() -> None:
    assert run("A table of your own")["labels"].tolist() == [[2, 0], [0, 0], [1, 1]]


def test_a_small_part_is_chosen_and_loaded(data: LabelledSet) -> None:
    for line in block("A small part", "bash").splitlines():
        said(*shlex.split(line)[1:])
    names = run("A small part")
    assert len(names["few"]) == len(names["pictures"]) == 14
    assert set(names["few"].image_ids()) < set(data.train.image_ids())
    assert len(hgld.load("churches.csv").index) == 4
