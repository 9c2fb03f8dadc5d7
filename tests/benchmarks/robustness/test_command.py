"""`python -m hgld.benchmarks.robustness` and `...embedding`: in one command, and misused."""

import csv
import dataclasses
import json
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
from hgld.benchmarks.robustness import abstention, embedding, failures
from hgld.benchmarks.robustness.out_of_distribution import HEAT, HEAT_WITHOUT_STD, SIMPLE_METHODS
from hgld.benchmarks.robustness.results import Part
from hgld.benchmarks.robustness.rows import PARTS, RowTable, read_rows, table_of_columns
from hgld.benchmarks.robustness.self_labelling import CHOICES
from hgld.training.data.images import EvalImages
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import build_model
from tests.benchmarks.robustness.conftest import made_columns
from tests.worlds.commands.readme import ROOT, commands_on

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A table of rows of one's own."""
    columns = {name: one.tolist() for name, one in made_columns().items()}
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
    assert {row["seed"] for row in rows} == {"1"}
    methods = {part: {row["method"] for row in rows if row["part"] == part} for part in PARTS}
    assert methods["abstention"] >= {*abstention.SIMPLE_SCORES, *abstention.LEARNED_SCORES}
    assert methods["failures"] >= {*failures.SIMPLE_CONFIDENCES, *failures.LEARNED_CONFIDENCES}
    assert methods["out_of_distribution"] >= {*SIMPLE_METHODS, HEAT, HEAT_WITHOUT_STD, "HEAT, std"}
    assert methods["self_labelling"] == set(CHOICES)
    chosen = {row["method"]: row["chosen"] for row in rows if row["chosen"]}
    assert chosen["kNN"].endswith("neighbours")
    assert {"HEAT, GMM", *CHOICES[1:]} <= chosen.keys()
    told = json.loads((tmp_path / "r.json").read_text())
    assert {"git_commit", "versions", "command", "tables"} <= told.keys()
    assert told["tables"]["mine <b>"]["rows"]["photos"] == 20
    page = (tmp_path / "r.html").read_text()
    assert "mine &lt;b&gt;" in page
    assert "<b>:" not in page
    some = run(tmp_path, mine, "--seeds", 1, "--parts", "failures")
    assert some == [row for row in rows if row["part"] == "failures"]


def test_the_commands_of_the_docs_are_typed(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "untrained"):
        (tmp_path / f"{name}.parquet").write_bytes(mine.read_bytes())
    packaged = table_of_columns(made_columns(), "packaged", "a test")
    monkeypatch.setattr(command, "packaged_tables", lambda: [packaged])
    joined: list[tuple[object, ...]] = []

    def embedded_table(*given: object) -> RowTable:
        joined.append(given)
        return dataclasses.replace(packaged, name=str(given[2]))

    monkeypatch.setattr(command, "embedded_table", embedded_table)
    # What is measured, and embedded, has tests of its own.
    nothing = Part(lambda *_: [], lambda *_: {}, lambda *_: 0.0, [], [])
    monkeypatch.setattr(command, "MEASURED", dict.fromkeys(PARTS, nothing))
    monkeypatch.chdir(tmp_path)
    tables = []
    for line in commands_on(ROOT / "docs/robustness.md"):
        program, flag, module, *arguments = shlex.split(line)
        assert [program, flag] == ["python", "-m"]
        if module.endswith(".embedding"):
            continue
        if "--embeddings" in arguments:
            arguments += ["--far", "cats=photos.parquet", "--trained-on-train", "mine"]
        arguments += ["--seeds", "0", "--workers", "1", "--parts", *PARTS]
        assert command.main(arguments) == 0
        told = json.loads((tmp_path / "robustness.json").read_text())["tables"]
        tables.append({name: one["is_trained_on_train"] for name, one in told.items()})
    untrained = {"packaged": False, "untrained": False}
    assert tables == [{"packaged": False}, {"mine": False}, {"mine": True}, untrained]
    paths = {split: Path(f"{split}.parquet") for split in ("train", "query", "index")}
    assert joined == [("build", paths, "mine", {"cats": Path("photos.parquet")})]


def test_what_a_table_has_too_few_rows_for_is_left_out_and_no_fault_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"embedding": np.eye(8), "label": np.array(["a", "b"] * 4)}
    np.savez(tmp_path / "few.npz", **few)  # type: ignore[arg-type]  # its stub
    assert run(tmp_path, tmp_path / "few.npz", "--seeds", 0) == []
    broken = command.MEASURED["failures"]._replace(measure=lambda *_: [1 // 0])
    monkeypatch.setitem(command.MEASURED, "failures", broken)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, tmp_path / "few.npz", "--seeds", 0)


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


def test_pictures_of_any_proportions_become_a_table_of_rows_with_the_std_of_their_maps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"backbone": "test_resnet", "weights": "random", "resize": "longest"}
    model = build_model(ModelConfig(image_size=96, **settings))  # type: ignore[arg-type]
    monkeypatch.setattr(embedding, "load_model", lambda _: model)
    splits = [split for split in ("train", "index", "test") for _ in range(4)]
    ids = [f"{split[1]}0{row % 4}0" for row, split in enumerate(splits)]
    picture = Image.effect_noise((96, 96), 90).convert("RGB")
    files = [
        f"images/{s}/{'/'.join(one[:3])}/{one}.jpg" for s, one in zip(splits, ids, strict=True)
    ]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True)
        picture.save(tmp_path / file)
    sides = [(64, 48), (48, 64), (64, 48), (64, 64)]
    far = [Image.effect_noise(one, 90).convert("RGB") for one in sides]
    (tmp_path / "far").mkdir()
    for number, one in enumerate(far):
        one.save(tmp_path / f"far/{number}.png")
    landmarks = [1, 1, 2, 2] * 3
    columns = {"image_id": ids, "landmark_id": landmarks, "split": splits}
    columns["hierarchical_label"] = [f"class {one}" for one in landmarks]
    columns["natural_or_human_made"] = ["natural"] * 12
    pq.write_table(pa.table(columns), tmp_path / "labels.parquet")
    words = f"--labels {tmp_path}/labels.parquet --images {tmp_path}/images --model m --out"
    arguments = [*words.split(), f"{tmp_path}/rows.parquet", "--far"]
    assert embedding.main([*arguments, "a=none"]) == 1
    assert embedding.main([*arguments, f"noise={tmp_path}/far"]) == 0
    found = read_rows(tmp_path / "rows.parquet").splits
    counts = {split: len(rows) for split, rows in found.items()}
    assert counts == {"train": 4, "index": 4, "query": 4, "noise": 4}
    assert found["train"].levels.shape == (4, 3)
    assert found["noise"].spreads is not None
    for one, spreads in zip(far, found["noise"].spreads, strict=True):
        pixels = EvalImages([one], model.config)[0][None]
        with torch.inference_mode():
            (features,) = model.backbone((pixels / 255 - model.mean) / model.std)
        wanted = [statistics.pstdev(channel.flatten().tolist()) for channel in features]
        assert spreads.tolist() == pytest.approx(wanted, abs=1e-6)
