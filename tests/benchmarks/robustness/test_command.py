"""`python -m hgld.benchmarks.robustness` and `...embedding`: in one command, and misused."""

import csv
import dataclasses
import json
import re
import shlex
import statistics
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from hgld.benchmarks.robustness import __main__ as command
from hgld.benchmarks.robustness import embedding, units
from hgld.benchmarks.robustness import rows as rows_module
from hgld.benchmarks.robustness.rows import PARTS, UnfitRowsError, read_rows, table_of_columns
from hgld.loading import load
from hgld.training.data.images import EvalImages
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import EmbeddingModel, build_model
from tests.benchmarks.robustness.conftest import made_columns

DOCS = Path(__file__).resolve().parents[3] / "docs/robustness.md"

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A table of rows of one's own."""
    columns = {name: one.tolist() for name, one in made_columns().items() if name != "std"}
    path = tmp_path / "mine <b>.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def run(tmp_path: Path, *arguments: object) -> list[dict[str, str]]:
    out = ["--out", tmp_path / "r.csv", "--page", tmp_path / "r.html", "--workers", 1]
    assert command.main([str(one) for one in (*arguments, *out)]) == 0
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_table_of_one_s_own_goes_through_and_a_part_of_it_gives_the_same(
    mine: Path, tmp_path: Path
) -> None:
    rows = run(tmp_path, mine, "--seeds", 1)
    parts = ["abstention", "failures", "out_of_distribution", "self_labelling"]
    assert list(dict.fromkeys(row["part"] for row in rows)) == parts
    assert {row["seed"] for row in rows} == {"1"}
    told = json.loads((tmp_path / "r.json").read_text())
    assert {"git_commit", "versions", "command", "tables"} <= told.keys()
    assert told["tables"]["mine <b>"]["rows"]["photos"] == 20
    page = (tmp_path / "r.html").read_text()
    assert "mine &lt;b&gt;" in page
    assert "<b>:" not in page
    some = run(tmp_path, mine, "--seeds", 1, "--parts", "out_of_distribution")
    assert some == [row for row in rows if row["part"] == parts[2]]


def write_embeddings(folder: Path) -> Path:
    """Writes embeddings of each split and of other pictures; returns the labels of the former."""
    columns = made_columns()
    for one in ("train", "query", "index", "photos"):
        own = np.flatnonzero(columns["split"] == one)
        vectors = columns["embedding"][own].tolist()
        table = pa.table({"image_id": [f"{row}" for row in own], "embedding": vectors})
        pq.write_table(table, folder / f"{one}.parquet")
    kept = np.flatnonzero(columns["split"] != "photos")
    labels = {
        "image_id": [f"{row}" for row in kept],
        "landmark_id": [str(one) for one in columns["group"][kept]],
        "hierarchical_label": columns["label"][kept].tolist(),
        "natural_or_human_made": ["natural"] * len(kept),
        "split": columns["split"][kept].tolist(),
    }
    pq.write_table(pa.table(labels), folder / "labels.parquet")
    return folder / "labels.parquet"


def test_embeddings_are_measured_by_labels_of_one_s_own(tmp_path: Path) -> None:
    labels = write_embeddings(tmp_path)
    train, query, index, photos = (
        tmp_path / f"{one}.parquet" for one in ("train", "query", "index", "photos")
    )
    rows = run(
        tmp_path,
        *("--labels", labels, "--embeddings", f"mine={train}", query, index),
        *("--far", f"cats={photos}", "--trained-on-train", "mine"),
        *("--seeds", 0, "--parts", "failures", "out_of_distribution"),
    )
    assert {row["data"] for row in rows} == {"mine"}
    assert {"held-out classes", "cats"} <= {row["group"] for row in rows}
    failures = [row for row in rows if row["part"] == "failures"]
    assert all(int(row["rows"]) < 48 for row in failures)
    assert json.loads((tmp_path / "r.json").read_text())["tables"]["mine"]["is_trained_on_train"]


def test_the_commands_of_the_docs_are_typed(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = write_embeddings(tmp_path)
    for name in ("mine", "untrained"):
        (tmp_path / f"{name}.parquet").write_bytes(mine.read_bytes())
    made = table_of_columns(made_columns(), "packaged", "a test")
    packaged = dataclasses.replace(made, parts=("self_labelling",))
    monkeypatch.setattr(command, "packaged_tables", lambda: [packaged])
    monkeypatch.setattr(rows_module, "load", lambda _: load(labels))
    # What is measured has tests of its own.
    nothing = dict.fromkeys(PARTS, lambda *_: iter(()))
    monkeypatch.setattr(units, "MEASURES", nothing)
    embedded: list[list[str]] = []
    monkeypatch.setattr(embedding, "main", embedded.append)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```bash\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.S | re.M)
    tables = []
    for line in "".join(blocks).splitlines():
        program, flag, module, *arguments = shlex.split(line)
        assert [program, flag] == ["python", "-m"]
        if module.endswith(".embedding"):
            embedding.main(arguments)
            continue
        some = ["--seeds", "0", "--workers", "1", "--parts", "self_labelling"]
        assert command.main([*arguments, *some]) == 0
        told = json.loads((tmp_path / "robustness.json").read_text())
        tables.append(list(told["tables"]))
    assert tables == [["packaged"], ["mine"], ["mine"], ["packaged", "untrained"]]
    assert len(embedded) == 2


def test_what_a_table_has_too_few_rows_for_is_left_out(tmp_path: Path) -> None:
    few = {"embedding": np.eye(8), "label": np.array(["a", "b"] * 4)}
    np.savez(tmp_path / "few.npz", **few)  # type: ignore[arg-type]  # its stub
    assert run(tmp_path, tmp_path / "few.npz", "--seeds", 0) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["none.parquet"], "none.parquet"),
        (["--embeddings", "a", "b", "c"], "--labels"),
        (["--far", "a=b"], "--embeddings"),
        (["--trained-on-train", "other"], "NAME"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line(
    arguments: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "r.csv"), "--page", str(tmp_path / "r.html")]
    assert command.main([*arguments, *out]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert word in line
    assert not (tmp_path / "r.csv").exists()


@pytest.fixture
def model() -> EmbeddingModel:
    return build_model(ModelConfig(backbone="test_resnet", weights="random", image_size=96))


def test_the_std_of_a_map_is_that_of_a_loop(model: EmbeddingModel) -> None:
    picture = Image.effect_noise((96, 96), 90).convert("RGB")
    (found,) = embedding.embed_spreads(model, [picture])
    pixels = EvalImages([picture], model.image_size, model.config.crop_pct)[0][None]
    with torch.inference_mode():
        (features,) = model.backbone((pixels / 255 - model.mean) / model.std)
    for channel, std in zip(features, found, strict=True):
        assert statistics.pstdev(channel.flatten().tolist()) == pytest.approx(float(std), abs=1e-6)


def test_pictures_become_a_table_of_rows(
    model: EmbeddingModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, labels = np.random.default_rng(0), []
    for split, folder in (("train", "train"), ("index", "index"), ("query", "test")):
        for row in range(4):
            name = f"{split[0]}0{row}0"
            place = tmp_path / "images" / folder / "/".join(name[:3])
            place.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{name}.jpg")
            labels.append((name, row // 2, f"class {row // 2}", "natural", folder))
    far = tmp_path / "far"
    far.mkdir()
    Image.new("RGB", (40, 40), "red").save(far / "a.png")
    names = ("image_id", "landmark_id", "hierarchical_label", "natural_or_human_made", "split")
    columns = dict(zip(names, map(list, zip(*labels, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "labels.parquet")
    monkeypatch.setattr(embedding, "load_model", lambda _: model)
    arguments = ["--labels", tmp_path / "labels.parquet", "--images", tmp_path / "images"]
    arguments += ["--model", "m", "--far", f"red={far}", "--out", tmp_path / "rows.parquet"]
    assert embedding.main([str(one) for one in arguments]) == 0
    found = read_rows(tmp_path / "rows.parquet")
    counts = {split: len(rows) for split, rows in found.splits.items()}
    assert counts == {"train": 4, "index": 4, "query": 4, "red": 1}
    assert found.splits["train"].spreads is not None
    assert found.splits["train"].levels.shape == (4, 3)
    assert (
        embedding.main([str(one) for one in [*arguments[:-4], "--far", "a=none", "--out", "x"]])
        == 1
    )


def test_a_part_that_the_rows_do_not_suffice_for_is_left_out_and_no_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(error: ValueError) -> None:
        raise error

    table = table_of_columns(made_columns(), "mine", "a test")
    monkeypatch.setitem(units.MEASURES, "failures", lambda *_: fails(UnfitRowsError("few")))
    assert units.measure_unit(("failures", table, 0)) == []
    monkeypatch.setitem(units.MEASURES, "failures", lambda *_: fails(ValueError("axis")))
    with pytest.raises(ValueError, match="axis"):
        units.measure_unit(("failures", table, 0))
